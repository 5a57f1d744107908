# Pure: no I/O, no clock, no waiting.
"""Counters and gauges → Prometheus text (exposition format 0.0.4)."""

from collections.abc import Mapping
from typing import Final

from trio_mpu.metrics.counters import COUNTERS

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


def render(counters: Mapping[str, int], gauges: Mapping[str, tuple[float, str]]) -> str:
    """Return the text of all counters and of the gauges, which come with their help texts."""
    lines = []
    for name, text in COUNTERS.items():
        lines += _metric(f"trio_mpu_{name}_total", "counter", text, counters.get(name, 0))
    for name, (value, text) in gauges.items():
        lines += _metric(f"trio_mpu_{name}", "gauge", text, value)
    return "\n".join(lines) + "\n"


def _metric(name: str, kind: str, text: str, value: float) -> list[str]:
    return [f"# HELP {name} {text}", f"# TYPE {name} {kind}", f"{name} {value:.15g}"]
