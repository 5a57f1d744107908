# Pure: no I/O, no clock, no waiting.
"""What is known of a server → metrics, named by Prometheus's conventions.

1. One quantity a metric, in base units, with the unit at the end of the name; what only grows is a
   counter and ends with `_total`.
2. A label tells apart what makes sense as a sum: refusals by cause, losses by reason.
3. What is not known is left out. A number in its place would be drawn and averaged like a real one.
"""

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)

from trio_mpu.formats import SI_FACTORS
from trio_mpu.metrics.counters import COUNTERS
from trio_mpu.metrics.histograms import HISTOGRAMS, histogram
from trio_mpu.metrics.scoreboard import UP_NS
from trio_mpu.metrics.window import WINDOW_S, Moments, Summary
from trio_mpu.record import ATTITUDE_RESETS, Header

PREFIX: Final = "trio_mpu_"

# Counters that are one metric, `refusals`: the cause of each.
CAUSES: Final = {
    "connections_refused": "max_clients",
    "connections_dropped": "max_refusals",
    "shares_refused": "max_clients_per_address",
    "requests_bad": "bad_request",
    "requests_unauthorized": "unauthorized",
    "hosts_refused": "host",
    "timeouts_request": "request_timeout",
    "files_refused": "files",
    "forms_refused": "forms",
    "history_refused": "history",
}
STATUSES: Final = ("ok", "stale", "stopped", "waiting")

_LAST: Final = f"over the last {WINDOW_S} s"
_STATISTICS: Final = {
    "mean": "mean",
    "stddev": "standard deviation",
    "rms": "root of the mean square, which contains the mean,",
    "min": "least value",
    "max": "greatest value",
}
_QUANTITIES: Final = {
    "acceleration": ("meters_per_second_squared", "acceleration"),
    "angular_rate": ("radians_per_second", "angular rate"),
}


class Known(NamedTuple):
    """What there is to show of a server at one moment. `numbers` are the totals of all workers;
    `gauges` those of GAUGES that are known."""

    version: str
    numbers: Mapping[str, int]
    gauges: Mapping[str, float]
    status: str
    head: int
    header: Header | None
    summary: Summary | None


GAUGES: Final = {
    "workers": "server processes configured",
    "workers_up": f"server processes that reported in the last {UP_NS / 1e9:g} s",
    "connections_open": "connections now",
    "streams_open": "streams now",
    "streams_attached": "streams that are up to date",
    "up": "1 while samples are fresh",
    "sample_age_seconds": "age of the newest sample",
    "sample_rate_nominal_hertz": "rate that the sensor was set to",
    "producer_start_time_seconds": "when the producer was started, since 1970",
    "certificate_expiry_time_seconds": "when the certificate of --tls-cert expires, since 1970",
}


def families(known: Known) -> Iterator[Metric]:
    """Return all metrics."""
    yield _info("build", "version of this program", version=known.version)
    yield from _counters(known.numbers)
    yield from _gauges(known)
    yield from _histograms(known.numbers)
    if known.header is not None:
        yield from _of_producer(known.header, known.head)
    if known.summary is not None:
        yield from _of_sensor(known.summary)


def _info(name: str, text: str, **labels: str) -> Metric:
    return InfoMetricFamily(PREFIX + name, text, labels)


def _counter(name: str, text: str, value: float) -> Metric:
    return CounterMetricFamily(PREFIX + name, text, value)


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(PREFIX + name, text, value)


def _counters(numbers: Mapping[str, int]) -> Iterator[Metric]:
    """The counters, those that belong together as one metric with a label."""
    refusals = CounterMetricFamily(
        f"{PREFIX}refusals", "connections, requests and files that were refused", labels=["cause"]
    )
    gaps = CounterMetricFamily(
        f"{PREFIX}gaps", "gaps behind the ring, by clients or by the server", labels=["reason"]
    )
    lost = CounterMetricFamily(
        f"{PREFIX}samples_lost", "samples that were missing in these gaps", labels=["reason"]
    )
    for name, text in COUNTERS.items():
        value = numbers[name]
        if name in CAUSES:
            refusals.add_metric([CAUSES[name]], value)
        elif name.startswith("gaps_"):
            gaps.add_metric([name.removeprefix("gaps_")], value)
        elif name.endswith("_lost"):
            lost.add_metric([name.removesuffix("_lost")], value)
        else:
            yield _counter(name, text, value)
    yield from (refusals, gaps, lost)


def _gauges(known: Known) -> Iterator[Metric]:
    for name, text in GAUGES.items():
        if name in known.gauges:
            yield _gauge(name, text, known.gauges[name])
    status = GaugeMetricFamily(
        f"{PREFIX}status", "1 for the status of the stream, 0 for the others", labels=["status"]
    )
    for name in STATUSES:
        status.add_metric([name], name == known.status)
    yield status


def _histograms(numbers: Mapping[str, int]) -> Iterator[Metric]:
    for name, text in HISTOGRAMS.items():
        buckets, sum_s = histogram(name, numbers)
        yield HistogramMetricFamily(f"{PREFIX}{name}_seconds", text, buckets, sum_s)


def _of_producer(header: Header, head: int) -> Iterator[Metric]:
    yield _info(
        "device",
        "chip, device and calibration that the samples are from",
        chip=header.chip,
        source=header.source,
        calibration=header.calibration,
    )
    yield _counter("samples", "number of the newest sample, in this ring", head)
    lost = CounterMetricFamily(
        f"{PREFIX}readings_lost", "readings lost before they were in the ring", labels=["reason"]
    )
    for name, value in (header.ledger | {ATTITUDE_RESETS: header.attitude_resets}).items():
        if name.endswith("_lost"):
            lost.add_metric([name.removesuffix("_lost")], value)
        else:
            yield _counter(f"producer_{name}", f"the producer's counter {name}", value)
    yield lost


def _of_sensor(summary: Summary) -> Iterator[Metric]:
    """Statistics of the last seconds, in base units."""
    if (intervals := summary.intervals).n:
        yield _gauge("sample_rate_hertz", f"rate of the samples {_LAST}", 1e9 / intervals.mean)
        text = f"standard deviation of the time from sample to sample {_LAST}"
        yield _gauge("sample_jitter_seconds", text, intervals.deviation / 1e9)
    for place, (quantity, (unit, words)) in enumerate(_QUANTITIES.items()):
        axes = range(3 * place, 3 * place + 3)
        for statistic, text in _STATISTICS.items():
            name = f"{PREFIX}{quantity}_{statistic}_{unit}"
            family = GaugeMetricFamily(name, f"{text} of the {words} {_LAST}", labels=["axis"])
            for axis, number in zip("xyz", axes, strict=True):
                value = _statistic(summary.values[number], statistic) * SI_FACTORS[number]
                family.add_metric([axis], value)
            yield family
    text = f"temperature of the chip, mean {_LAST}"
    yield _gauge("temperature_celsius", text, summary.values[6].mean)


def _statistic(moments: Moments, statistic: str) -> float:
    return {
        "mean": moments.mean,
        "stddev": moments.deviation,
        "rms": moments.rms,
        "min": moments.least,
        "max": moments.greatest,
    }[statistic]
