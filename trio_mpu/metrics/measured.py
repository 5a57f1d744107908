# Pure: no I/O, no clock, no waiting.
"""What is measured of each sample: how late it was, and its values.

Between two samples other programs use the processor's caches, and code that runs once a sample costs
five times what it costs in a loop. So a sample is only noted when it comes, and worked up with the
next ones, after the clients have had theirs.
"""

from collections.abc import Sequence
from typing import Final

from trio_mpu.metrics.counters import Metrics
from trio_mpu.metrics.window import Window
from trio_mpu.record import Record

CHUNK_SAMPLES: Final = 64  # worked up in some 0.2 ms; at 100 Hz the scoreboard asks sooner


class Measured:
    """See above. `work_up` is to be called before the numbers in `metrics` and `window` are read."""

    def __init__(self, metrics: Metrics) -> None:
        self.window = Window()
        self._metrics = metrics
        self._noted: list[tuple[Sequence[Record], int, int]] = []
        self._samples = 0  # in these

    def begin(self) -> None:
        """Start with another ring, whose values have nothing to do with those before."""
        self.work_up()
        self.window = Window()

    def note(self, records: Sequence[Record], read_ns: int, offered_ns: int) -> None:
        """Note when records had been read from the ring, and when offered to all clients, by
        CLOCK_MONOTONIC; 0: there was no client."""
        self._noted.append((records, read_ns, offered_ns))
        self._samples += len(records)
        if self._samples >= CHUNK_SAMPLES:
            self.work_up()

    def work_up(self) -> None:
        """Bring histograms and window up to date."""
        observe = self._metrics.observe
        for records, read_ns, offered_ns in self._noted:
            for record in records:
                observe("ring_latency", read_ns - record.t_ns)
                if offered_ns:
                    observe("socket_latency", offered_ns - record.t_ns)
        self.window.add([record for records, _, _ in self._noted for record in records])
        self._noted.clear()
        self._samples = 0
