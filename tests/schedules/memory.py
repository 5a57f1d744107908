"""The bytes of a segment, of which each load and each store is a step."""

import struct
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from tests.schedules.machine import Machine

PIECE_BYTES = 48  # of a longer load or store: half a record


class SharedBuffer:
    """One participant's mapping of a segment. What it does there is noted, checked and may be last."""

    def __init__(self, machine: "Machine", view: memoryview, inode: int) -> None:
        self._machine = machine
        self._view = view
        self._inode = inode

    def __len__(self) -> int:
        return len(self._view)

    def __getitem__(self, where: slice) -> bytes:
        begin, end, _ = where.indices(len(self._view))
        return self.load(begin, end)

    def __setitem__(self, where: slice, data: bytes) -> None:
        """Copy: piece by piece."""
        self._copy(where.start, data)

    def load(self, begin: int, end: int) -> bytes:
        """Return these bytes, which are read piece by piece."""
        if self._machine.quiet:
            return bytes(self._view[begin:end])
        if end - begin <= PIECE_BYTES:
            return self._load(begin, end)
        return b"".join(
            self._load(at, min(at + PIECE_BYTES, end)) for at in range(begin, end, PIECE_BYTES)
        )

    def _load(self, begin: int, end: int) -> bytes:
        machine = self._machine
        private = machine.is_private() or (
            not machine.fine and machine.rules.is_constant(self._view, begin, end)
        )
        machine.step("load", private=private)
        found = bytes(self._view[begin:end])
        me = machine.me()
        machine.rules.loads(me, self._view, begin, end)
        me.saw(found)
        return found

    def store(self, begin: int, data: bytes) -> None:
        """Set these bytes as struct does: they are cleared first, and then written piece by piece."""
        self.store_whole(begin, bytes(len(data)))
        self._copy(begin, data)

    def _copy(self, begin: int, data: bytes) -> None:
        for at in range(0, len(data), PIECE_BYTES):
            self.store_whole(begin + at, data[at : at + PIECE_BYTES])

    def store_whole(self, begin: int, data: bytes) -> None:
        """Set these bytes in one step."""
        machine, end = self._machine, begin + len(data)
        if machine.quiet:
            self._view[begin:end] = data
            return
        machine.step("store", private=machine.is_private())
        me = machine.me()
        machine.rules.stores(me, self._view, begin, end)
        self._view[begin:end] = data
        me.saw("store")
        machine.rules.stored(self._inode, self._view, begin)

    def release(self) -> None:
        """Nobody else can tell."""


class SharedView:
    """What `memoryview(buffer)[begin:end].cast("Q")` is of a shared buffer."""

    def __init__(self, buffer: SharedBuffer, begin: int = 0) -> None:
        self._buffer = buffer
        self._begin = begin

    def __getitem__(self, where: slice) -> "SharedView":
        return SharedView(self._buffer, self._begin + where.start)

    def __setitem__(self, index: int, value: int) -> None:
        self._buffer.store_whole(self._begin + 8 * index, value.to_bytes(8, sys.byteorder))

    def cast(self, form: str) -> Self:
        """Only to 64-bit numbers."""
        assert form == "Q"
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass


def view_of(buffer: object) -> object:
    """Stand in for `memoryview` where a store must not be torn."""
    return SharedView(buffer) if isinstance(buffer, SharedBuffer) else memoryview(buffer)  # type: ignore[arg-type]


class StepStruct:
    """Stand in for a struct that packs into a shared buffer."""

    def __init__(self, real: struct.Struct) -> None:
        self._real = real
        self.size = real.size

    def pack(self, *values: Any) -> bytes:  # noqa: ANN401 - as struct's
        """Nothing shared is touched."""
        return self._real.pack(*values)

    def iter_unpack(self, data: bytes) -> Iterator[tuple[Any, ...]]:
        """Nothing shared is touched."""
        return self._real.iter_unpack(data)

    def unpack_from(self, buffer: Any, offset: int = 0) -> tuple[Any, ...]:  # noqa: ANN401
        """Load."""
        if not isinstance(buffer, SharedBuffer):
            return self._real.unpack_from(buffer, offset)
        return self._real.unpack(buffer.load(offset, offset + self.size))

    def pack_into(self, buffer: Any, offset: int, *values: Any) -> None:  # noqa: ANN401
        """Store."""
        if isinstance(buffer, SharedBuffer):
            buffer.store(offset, self._real.pack(*values))
        else:
            self._real.pack_into(buffer, offset, *values)
