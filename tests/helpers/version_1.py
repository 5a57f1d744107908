"""A ring as releases with version 1 of its format made it."""

import struct
from typing import Final

_HEADER: Final = struct.Struct("=QIIIIQQQIIQ")
_RECORD: Final = struct.Struct("=Qqq7fII4x")
HEADER_BYTES: Final = 1024


def version_1(capacity: int = 4, head: int = 3) -> bytes:
    """Return the segment's bytes, with `head` records."""
    header = _HEADER.pack(
        int.from_bytes(b"TRIO-MPU", "little"),
        *(1, HEADER_BYTES, _RECORD.size, capacity),
        *(0x0123456789ABCDEF, head, 10**7),
        *(1, 4711, 99),
    )
    slots = bytearray(capacity * _RECORD.size)
    for seq in range(1, head + 1):
        values = (0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 25.0)
        _RECORD.pack_into(slots, seq % capacity * _RECORD.size, seq, seq, seq, *values, 0, 0)
    return header.ljust(HEADER_BYTES, b"\0") + bytes(slots)
