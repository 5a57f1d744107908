# Pure: no I/O, no clock, no waiting.
"""What the server knows of the stream at one instant, and how it assesses it."""

from typing import Final, NamedTuple

from trio_mpu.formats import Origin
from trio_mpu.record import Record, State, Values

# Bound "age of a stale sample, ns".
STALE_NS: Final = 10**9  # a sample may be this old…
# Bound "age of a stale sample, periods".
STALE_PERIODS: Final = 5  # …and this many periods, whichever is longer


class Snapshot(NamedTuple):
    """The newest sample and the stream's status.

    `status` is `waiting` (there was never a sample; `record` is None), `ok`, `stale` or
    `stopped`; `reason` says in words why it isn't `ok`.
    """

    status: str
    reason: str
    origin: Origin = Origin(0, "")
    record: Record | None = None
    average: Values = ()


WAITING: Final = "waiting"


def assess(
    record: Record, period_ns: int, state: State, *, producer_lives: bool, now_ns: int
) -> tuple[str, str]:
    """Return status and reason for the newest record at `now_ns` of CLOCK_MONOTONIC."""
    if not producer_lives:
        how = "has stopped" if state is State.STOPPED else "has died"
        return "stopped", f"the producer {how}"
    if state is State.STOPPED:
        return "stopped", "the recording has been played to its end"
    age_ns = now_ns - record.t_ns
    if age_ns > max(STALE_NS, STALE_PERIODS * period_ns):
        return "stale", "the producer lives but the sensor gives no sample"
    return "ok", ""
