"""The forms of the stream that clients have asked for, and which of them is served when.

A form is a set of stream options; all who asked for it are one group. What the hub publishes is
put into a log, and every group is fed from there, each from its own place:

1. Every sample is fed when something is published, always. The other forms follow in an order that
   has each address's first form before any one's second, as long as LIVE_S lasts.
2. For what has no room there, `feed_late` goes on between two samples, in turns (turns.py).
3. The log keeps MAX_LOG entries at the most. A form that is later begins anew with the newest
   sample, and its clients read on from the ring, each at its own place. So nothing is lost by
   being late that the ring still has.
"""

import math
import time
from collections import Counter
from collections.abc import Iterator
from typing import Final

import trio

from trio_mpu.errors import RequestError
from trio_mpu.fanout.encoder import EVERY_SAMPLE, StreamOptions
from trio_mpu.fanout.group import Announced, Group, Published, Subscriber
from trio_mpu.fanout.shares import Shares
from trio_mpu.fanout.turns import SLICE_S, Turns
from trio_mpu.formats import Ledger, Origin
from trio_mpu.metrics.counters import Metrics

# Bound "time for live forms of the stream, s".
LIVE_S: Final = 0.002
# Bound "forms of the stream of an address".
MAX_FORMS: Final = 64  # arbitrary; the page has three
# Bound "samples kept for late forms".
MAX_LOG: Final = 8192  # 8 s at 1,000 Hz, some 5 MB


class Forms:
    """See above."""

    def __init__(self, metrics: Metrics, turns: Turns, ledger: Ledger) -> None:
        self._metrics = metrics
        self._turns = turns
        self._ledger = ledger
        self._groups: dict[StreamOptions, Group] = {}
        self._owned = Shares(MAX_FORMS)
        self._order: list[Group] | None = None  # of the groups; None: to be made
        self._log: list[Published | Announced] = []  # the last of what was published
        self._published = 0  # how much that was in all
        self._late: dict[Group, None] = {}  # groups that have not had all of it yet
        self._somebody_is_late = trio.Event()
        self._origin, self._head, self._status = Origin(0, ""), 0, "ok"

    def __iter__(self) -> Iterator[Group]:
        return iter(self._groups.values())

    def __len__(self) -> int:
        return len(self._groups)

    def find(self, options: StreamOptions) -> Group | None:
        """Return the group of a form, if there is one."""
        return self._groups.get(options)

    def join(self, options: StreamOptions, address: str) -> Group:
        """Return the group of a form; call `leave` at the end. `address` is the client's.

        A form counts for the address that was the first to ask for it; every sample counts for none.
        Raises RequestError: 503 where an address has MAX_FORMS.
        """
        group = self._groups.get(options)
        if group is None:
            if options != EVERY_SAMPLE and not self._owned.take(address):
                self._metrics.count("forms_refused")
                raise RequestError(
                    503, f"your address has {MAX_FORMS} forms of the stream (sets of options) open"
                )
            group = Group(
                options,
                self._ledger,
                self._metrics,
                self._origin,
                self._head,
                self._status,
                address,
            )
            group.fed = self._published
            self._groups[options] = group
            self._order = None
        group.members += 1
        return group

    def leave(self, group: Group, subscriber: Subscriber) -> None:
        """Take a subscriber out of its group; an empty group ends."""
        group.leave(subscriber)
        if not group.members:
            del self._groups[group.options]
            if group.options != EVERY_SAMPLE:
                self._owned.give_back(group.owner)
            self._late.pop(group, None)
            self._order = None

    def begin(self, origin: Origin, head: int) -> None:
        """Start with a ring; subscribers that are attached to another one catch up by reading it."""
        self._origin, self._head = origin, head
        self._log.clear()
        self._late.clear()
        for group in self:
            self._restart(group)

    def _restart(self, group: Group) -> None:
        group.begin(self._origin, self._head, self._status)
        group.fed = self._published

    def put(self, entry: Published | Announced) -> None:
        """Append to the log; `feed` gives it to the groups."""
        self._log.append(entry)
        self._published += 1
        if isinstance(entry, Published):
            self._head = entry.record.seq
        else:
            self._status = entry.status

    def feed(self) -> None:
        """Feed all groups for which there is time now; the others are late."""
        if self._order is None:
            self._order = self.ordered()
        late, deadline_s = self._late, time.perf_counter() + LIVE_S
        for group in self._order:
            if late and group in late:
                continue
            if time.perf_counter() < deadline_s or group.options == EVERY_SAMPLE:
                self._feed(group)
            else:
                self._metrics.count("forms_delayed")
                late[group] = None
        if not late:
            self._log.clear()
            return
        self._somebody_is_late.set()
        if len(self._log) > MAX_LOG:
            self._forget_half()

    def ordered(self) -> list[Group]:
        """Return every sample first, then each address's first form, each one's second, …"""
        ranks, counts = {}, Counter[str]()
        for group in self:
            ranks[group] = counts[group.owner]
            counts[group.owner] += 1
        return sorted(ranks, key=lambda group: (group.options != EVERY_SAMPLE, ranks[group]))

    def _feed(self, group: Group, until_s: float = math.inf) -> bool:
        """Feed a group, until then; return whether it has had everything."""
        begin = self._published - len(self._log)
        while group.fed < self._published:
            group.feed(self._log[group.fed - begin])
            group.fed += 1
            if until_s < math.inf and time.perf_counter() >= until_s:
                break
        group.flush()
        return group.fed == self._published

    def _forget_half(self) -> None:
        begin = self._published - len(self._log) // 2
        for group in list(self._late):
            if group.fed < begin:
                self._metrics.count("forms_restarted")
                group.flush(now=True)
                self._restart(group)
                del self._late[group]
        del self._log[: len(self._log) // 2]

    async def feed_late(self) -> None:
        """Feed the groups that are late, a slice at a time, in turns; until cancelled."""
        while True:
            await self._somebody_is_late.wait()
            if not self._late:
                self._somebody_is_late = trio.Event()
                continue
            group = next(iter(self._late))
            async with self._turns.slice(group.owner):
                if group not in self._late:  # it has left, or was restarted
                    continue
                del self._late[group]
                if not self._feed(group, time.perf_counter() + SLICE_S):
                    self._late[group] = None  # at the end: others come first

    @property
    def late(self) -> int:
        """How many groups have not had everything yet."""
        return len(self._late)
