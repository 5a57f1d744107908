"""Reading /metrics in tests, by the parser of Prometheus's own library."""

from prometheus_client.parser import text_string_to_metric_families


def metrics_of(text: str) -> dict[str, float]:
    """Return all numbers by their names without `trio_mpu_`; labels are in braces behind them:
    `refusals_total{cause=files}`."""
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = ",".join(f"{name}={value}" for name, value in sample.labels.items())
            name = sample.name.removeprefix("trio_mpu_")
            found[f"{name}{{{labels}}}" if labels else name] = sample.value
    return found
