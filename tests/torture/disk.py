"""A disk that loses power: what is on it, from the log that disk_log.c has written.

Of a file, all is on the disk that was written before its last completed fsync. Of what was written
later, any part may be there, in units of a sector: a disk and a kernel write in the order that they
like. Names of files, too, are certain up to their folder's last fsync; of what happened to them later
there may be a beginning, since file systems keep that in order.
"""

import random
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

SECTOR_BYTES: Final = 512
_ENTRY: Final = struct.Struct("4Q")  # kind, inode, offset or size, length of what follows

File = tuple[int, int]  # inode, and how many files had that inode before


class Event(NamedTuple):
    """An entry of the log. `kind` is one of

    O  a file was opened or made        `data` is its path
    W  written at `offset`              `data` is what was written
    T  cut to a size                    `offset` is that size
    S  a file's fsync was completed
    D  their folder's fsync was completed
    U  a name was removed               `data` is the path
    C  a mark of the test itself        `offset` is a number
    """

    kind: str
    file: File
    offset: int
    data: bytes


def events(log: Path) -> list[Event]:
    """Read a log."""
    found, text, place = list[Event](), log.read_bytes(), 0
    before = dict[int, int]()  # of each inode, how many files have been removed
    by_name = dict[bytes, int]()
    while place < len(text):
        kind, inode, offset, length = _ENTRY.unpack_from(text, place)
        place += _ENTRY.size + length
        data = text[place - length : place]
        if chr(kind) == "O":
            by_name[data] = inode
        if chr(kind) == "U":
            inode = by_name.pop(data)
        found.append(Event(chr(kind), (inode, before.get(inode, 0)), offset, data))
        if chr(kind) == "U":
            before[inode] = before.get(inode, 0) + 1
    return found


def mark(number: int) -> bytes:
    """Return an entry of kind C."""
    return _ENTRY.pack(ord("C"), 0, number, 0)


def certain_mark(log: list[Event], cut: int) -> int:
    """Return the newest mark whose work was on the disk at the cut; 0 without one.

    A mark is made after the work. That ended with the last fsync before the mark.
    """
    newest = 0
    for place, event in enumerate(log):
        if event.kind == "C":
            synced = next((at for at in range(place, -1, -1) if log[at].kind == "S"), place)
            if synced < cut:
                newest = event.offset
    return newest


def after_power_cut(log: list[Event], cut: int, dice: random.Random) -> dict[str, bytes]:
    """Return the files that the disk has, if the power went after `cut` events, by their paths."""
    likely = dice.choice((0.0, 1.0, dice.random()))  # how much there is of what is not certain
    contents = {
        file: bytes(_content(log[:cut], file, likely, dice))
        for file in {event.file for event in log[:cut] if event.kind == "O"}
    }
    return {path: contents[file] for path, file in _names(log[:cut], dice).items()}


def _names(log: list[Event], dice: random.Random) -> dict[str, File]:
    certain = max((at for at, event in enumerate(log) if event.kind == "D"), default=0)
    names = dict[str, File]()
    for event in log[: dice.randint(certain, len(log))]:
        if event.kind == "O":
            names[event.data.decode()] = event.file
        elif event.kind == "U":
            del names[event.data.decode()]
    return names


def _content(log: list[Event], file: File, likely: float, dice: random.Random) -> bytearray:
    certain = max((at for at, each in enumerate(log) if each[:2] == ("S", file)), default=0)
    content = bytearray()
    for place, event in enumerate(log):
        if event.file != file or event.kind not in "WT":
            continue
        if event.kind == "T":
            if place < certain or dice.random() < likely:
                _cut(content, event.offset)
        elif place < certain:
            _write(content, event.offset, event.data)
        else:
            for begin, end in _sectors(event):
                if dice.random() < likely:
                    _write(content, begin, event.data[begin - event.offset : end - event.offset])
    return content


def _sectors(event: Event) -> Iterator[tuple[int, int]]:
    """Yield where each sector that is written begins and ends in the file."""
    begin, last = event.offset, event.offset + len(event.data)
    while begin < last:
        end = min(last, begin // SECTOR_BYTES * SECTOR_BYTES + SECTOR_BYTES)
        yield begin, end
        begin = end


def _cut(content: bytearray, size: int) -> None:
    del content[size:]
    content.extend(bytes(size - len(content)))


def _write(content: bytearray, offset: int, data: bytes) -> None:
    if len(content) < offset:
        content.extend(bytes(offset - len(content)))
    content[offset : offset + len(data)] = data
