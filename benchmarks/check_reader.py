"""The judge judged: load_reader on streams whose faults are known, and its ceiling on the floor.

First it reads small streams with a gap, a repeat and so on, in pieces of every size, and must
find exactly what was put into them. Then the floor serves more and more; as long as all arrives
and the reader's CPU is below a core, the reader is not what bounds a measurement.
"""

import socket
import sys
import threading
from contextlib import suppress
from functools import partial
from typing import Final, Literal

from benchmarks.fanout import Load, measure
from benchmarks.load import Reading, SlowReading, run_program
from benchmarks.table import (
    Row,
    announce,
    heading,
    number,
    options_of,
    rounds,
    show,
    verdict_text,
)

CEILING: Final = (Load(1000, 1000, 20), Load(1000, 2000, 20), Load(1000, 4000, 20))
PIECES_BYTES: Final = (1, 7, 65536)  # a read of the reader's, and a chunk
DRAIN_S: Final = 0.05  # for some hundred bytes over loopback
Count = Literal["samples", "lost", "repeats", "gaps_told", "lost_told", "unmeasured", "changes"]
COUNTS: Final[tuple[Count, ...]] = (
    "samples",
    "lost",
    "repeats",
    "gaps_told",
    "lost_told",
    "unmeasured",
    "changes",
)


def _event(seq: int, gap: str = "", generation: str = "a1") -> str:
    tail = f',"gap":{gap}' if gap else ""
    return f'id: {generation}-{seq}\ndata: {{"t_ns":5,"flags":[]{tail}}}\n\n'


def _told(before: int, after: int, lost: int) -> str:
    return _event(after, f'{{"from":{before},"to":{after},"lost":{lost},"reason":"slow"}}')


_STATUS = 'event: status\nid: a1-2\ndata: {"status":"stale"}\n\n'
_COMMENTS = ":\n\nretry: 1000\n\n"

# Name: the stream, and what is to be found in it (all that isn't named is 0).
CASES: Final[dict[str, tuple[str, dict[Count, int]]]] = {
    "whole": (_event(1) + _event(2) + _event(3), {"samples": 3}),
    "starts anywhere": (_event(70) + _event(71), {"samples": 2}),
    "plain numbers": (
        "".join(f"id: {n}\ndata: {{}}\n\n" for n in (8, 9, 11)),
        {"samples": 3, "lost": 1},
    ),
    "CR LF": ((_event(1) + _event(3)).replace("\n", "\r\n"), {"samples": 2, "lost": 1}),
    "a gap": (_event(1) + _event(5), {"samples": 2, "lost": 3}),
    "a repeat": (_event(1) + _event(2) + _event(2) + _event(3), {"samples": 4, "repeats": 1}),
    "out of order": (_event(1) + _event(3) + _event(2), {"samples": 3, "lost": 1, "repeats": 1}),
    "a told gap": (_event(1) + _told(1, 5, 3), {"samples": 2, "gaps_told": 1, "lost_told": 3}),
    "told too little": (_event(1) + _told(1, 5, 2), {"samples": 2, "lost": 3}),
    "told of another": (_event(1) + _told(2, 5, 3), {"samples": 2, "lost": 3}),
    "missed by the feed": (
        _event(1) + _told(1, 2, 9),
        {"samples": 2, "gaps_told": 1, "unmeasured": 9},
    ),
    "another ring": (_event(9) + _event(1, generation="b2"), {"samples": 2, "changes": 1}),
    "no samples": (_COMMENTS + _event(1) + _STATUS + _COMMENTS + _event(2), {"samples": 2}),
    "cut off in an event": (_event(1) + _event(3)[:-1], {"samples": 1}),
}


def _answer(stream: str, piece_bytes: int, *, chunked: bool) -> bytes:
    head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
    body = stream.encode()
    if not chunked:
        return head.encode() + b"\r\n" + body
    pieces = [body[at : at + piece_bytes] for at in range(0, len(body), piece_bytes)]
    framed = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    return head.encode() + b"Transfer-Encoding: chunked\r\n\r\n" + framed + b"0\r\n\r\n"


def _verdict_on(stream: str, piece_bytes: int, *, chunked: bool) -> SlowReading:
    """Serve a stream to the reader in pieces, and return what it found."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve_one() -> None:
            with listener.accept()[0] as connection:
                connection.recv(4096)
                connection.sendall(_answer(stream, piece_bytes, chunked=chunked))
                with suppress(ConnectionResetError):
                    connection.recv(1)  # until the reader has gone

        thread = threading.Thread(target=serve_one)
        thread.start()
        options = f"--clients=0 --slow=0 --warm-up=0 --seconds=0 --drain={DRAIN_S}"
        port = listener.getsockname()[1]
        reading: Reading = run_program(
            "load_reader", f"--port={port}", f"--receive={piece_bytes}", *options.split()
        )
        thread.join()
    return reading["slow"][0]


def wrong_verdicts() -> list[str]:
    """Return a line for each verdict that isn't the one known."""
    wrong = []
    for name, (stream, known) in CASES.items():
        for piece_bytes in PIECES_BYTES:
            for chunked in (False, True):
                found = _verdict_on(stream, piece_bytes, chunked=chunked)
                if differing := {k: found[k] for k in COUNTS if found[k] != known.get(k, 0)}:
                    how = f"{piece_bytes} bytes at a time, {'chunked' if chunked else 'plain'}"
                    wrong.append(f"{name} ({how}): {differing}, expected {known}")
    return wrong


def main() -> int:
    """Print both results; return an exit status."""
    options = options_of(__doc__, seconds=3, servers=("floor",)).parse_args()
    announce("benchmarks.check_reader")
    wrong = wrong_verdicts()
    count = len(CASES) * len(PIECES_BYTES) * 2
    print(*wrong, f"\n{count - len(wrong)} of {count} verdicts are right", sep="\n")
    heading("what the reader keeps up with: the floor to 1,000 clients, 20 ms a write", options)
    rows: dict[str, Row] = {}
    for load in CEILING:
        once = partial(measure, load=load, seconds=options.seconds)
        rows |= {f"{load.rate_hz:g} Hz": row for row in rounds(options, once).values()}
    show(
        rows,
        ("events/s", number("per_s", ",.0f")),
        ("delivered", number("delivered", ".1%")),
        ("whole, in order", verdict_text),
        ("reader CPU", number("reader", ".1%")),
        ("floor CPU", number("cpu", ".1%")),
    )
    return len(wrong) > 0


if __name__ == "__main__":
    sys.exit(main())
