# Pure: no I/O, no clock, no waiting.
"""What is wanted of the past."""

from dataclasses import dataclass

from trio_mpu.formats import PLAIN, Notation


@dataclass(frozen=True)
class History:
    """The samples from after `since`, from `from_ns` on, or from `seconds` ago on, and before
    `to_ns`.

    `limit` samples at most: the oldest of them after `since` or `from_ns`, the newest otherwise.
    With `points`, at most so many windows instead.
    """

    format: str = "json"
    since: tuple[int, int] | None = None
    from_ns: int | None = None
    to_ns: int | None = None
    seconds: float | None = None
    limit: int | None = None
    points: int | None = None
    notation: Notation = PLAIN

    @property
    def is_unbounded(self) -> bool:
        """Whether nothing was said of which samples."""
        bounds = (self.since, self.from_ns, self.to_ns, self.seconds, self.limit)
        return all(bound is None for bound in bounds)

    @property
    def oldest_first(self) -> bool:
        """Whether `limit` is of the oldest samples."""
        return self.since is not None or self.from_ns is not None
