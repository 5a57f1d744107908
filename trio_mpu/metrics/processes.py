"""Prometheus's own metrics of processes, `process_…`, also of several workers.

They are what the kernel says in /proc when somebody asks. So whichever worker answers has the same
numbers of all of them, each with the label `worker`; a server by itself has no such label.
"""

from collections.abc import Iterator, Mapping
from functools import cache, partial

from prometheus_client.metrics_core import Metric
from prometheus_client.process_collector import ProcessCollector


def process_families(pids: Mapping[int, int]) -> Iterator[Metric]:
    """Return the metrics of these processes, by the numbers of their slots; of this one, without a
    label, if there are none. A process that has just ended is left out."""
    if not pids:
        yield from _collector("self").collect()
        return
    merged: dict[str, Metric] = {}
    for number, pid in pids.items():
        for family in _collector(str(pid)).collect():
            new = Metric(family.name, family.documentation, family.type)
            for sample in family.samples:
                labels = {"worker": str(number)}
                merged.setdefault(family.name, new).add_sample(sample.name, labels, sample.value)
    yield from merged.values()


@cache  # it looks up when the computer was started; a server has few workers in its life
def _collector(pid: str) -> ProcessCollector:
    return ProcessCollector(pid=partial(str, pid), registry=None)
