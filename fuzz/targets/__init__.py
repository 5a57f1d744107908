"""The targets by their names: each takes bytes, and raises if something is wrong with us."""

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from fuzz.targets import access, files, numbers, requests, segment, stores


class Target(NamedTuple):
    """`run` raises nothing for whatever bytes; `words` are pieces that the fuzzer may use. Inputs
    longer than `max_bytes` would be slower, and find nothing more."""

    run: Callable[[bytes], None]
    words: tuple[bytes, ...] = ()
    max_bytes: int = 2048


_HTTP: Final = (
    *(b"GET ", b"HEAD ", b"OPTIONS ", b" HTTP/1.1\r\n", b" HTTP/1.0\r\n", b"Host: a\r\n", b"\r\n"),
    *(b"Content-Length: ", b"Transfer-Encoding: chunked\r\n", b"Connection: close\r\n"),
    *(
        b"Expect: 100-continue\r\n",
        b"0\r\n\r\n",
        b"/events",
        b"/json",
        b"/history",
        b"Range: bytes=",
    ),
    *(b"Last-Event-ID: ", b"Accept-Encoding: gzip\r\n", b"If-None-Match: *\r\n"),
)
_SHOWN: Final = (
    *(b"Authorization: Bearer ", b"Cookie: trio_mpu_", b"POST /sign-in HTTP/1.1\r\n", b"token="),
    *(b"Content-Type: application/x-www-form-urlencoded\r\n", b"Accept: text/html\r\n"),
)
_QUERY: Final = tuple(
    f"{name}=".encode()
    for name in (
        *(
            "format",
            "since",
            "from",
            "to",
            "seconds",
            "limit",
            "points",
            "iso",
            "units",
            "attitude",
        ),
        *("rate", "stats", "flush_ms", "last_event_id", "verbose", "max_age"),
    )
)
_COLUMNS: Final = (
    *(b"seq", b"time", b"t_ns", b"ax", b"ay", b"az", b"gx", b"gy", b"gz", b"temp", b"flags"),
    *(b"lost", b"source", b"ax_mss", b"gx_rads", b"units", b"id", b"gap", b"sample", b"nan"),
    *(b"\xff\xfe", b"\x1f\x8b", b"sep=;", b"#TYPE ", b"HTTP/1.1 200 OK\n"),
)

TARGETS: Final[Mapping[str, Target]] = {
    "device_text": Target(numbers.device_text, (b"IRQ count: ", b", [g]\n", b", [dps]\n"), 700),
    "request": Target(requests.request, _HTTP),
    "stranger": Target(access.stranger, (*_HTTP, *_SHOWN)),
    "token_file": Target(access.token_file, (b"alice ", b"# ", b"\n", b"\xef\xbb\xbf"), 600),
    "host_and_cookie": Target(access.shown, (*_SHOWN, b".local", b"::1", b"%25"), 400),
    "query": Target(requests.query, (*_QUERY, b"%00", b"&"), 400),
    "last_event_id": Target(requests.last_event_id, (b"earliest", b"0123456789abcdef-"), 200),
    "ranges": Target(requests.ranges, (b"bytes=", b'W/"', b"*"), 200),
    "segment": Target(segment.segment, (b"TRIO-MPU", b"\x00\x04\x00\x00", b"\x60\0\0\0"), 2048),
    "calibration": Target(files.calibration, (b"bias_dps = [", b"[gyro]\n", b"1e400"), 1500),
    "recording_csv": Target(files.recording, _COLUMNS),
    "recording_ndjson": Target(files.recording, _COLUMNS),
    "recording_json": Target(files.recording, _COLUMNS),
    "recording_stream": Target(files.recording, (*_COLUMNS, b"data: ", b"event: status\n")),
    "import_log": Target(files.import_log, _COLUMNS),
    "store_chunk": Target(stores.chunk),
    "store_file": Target(stores.file, (), 100_000),
    "store_rows": Target(stores.rows, (), 400),
    "options": Target(numbers.options, (b"loop", b"speed=", b"from=", b"lsb:", b"rate:"), 200),
    "conformance": Target(
        numbers.conformance, (b"data: ", b"id: ", b"retry: ", b"HTTP/1.1 200 "), 600
    ),
}
