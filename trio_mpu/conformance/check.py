"""A check: what must hold, where the protocol says so, and how it is found out."""

from collections.abc import Callable
from typing import NamedTuple

from trio_mpu.conformance.subject import Subject


class Check(NamedTuple):
    """`id` is what a person calls it by, `section` a heading of docs/protocol.md. `run` raises Failed
    or NotTried."""

    id: str
    holds: str
    section: str
    run: Callable[[Subject], None]
