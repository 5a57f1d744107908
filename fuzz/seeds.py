"""`python -m fuzz.seeds`: writes the seeds, one small file for each thing that a target knows.

They are in git, so that everybody fuzzes from the same; what a fuzzer has found is beside them, under
names that begin with `found-`.
"""

import gzip
import struct
from collections.abc import Iterator, Mapping
from typing import Final

from fuzz.__main__ import CORPUS
from fuzz.targets import stores
from tests.helpers.calibrations import CALIBRATION
from tests.helpers.fakes import make_record
from tests.helpers.http_client import request
from tests.helpers.recordings import as_csv, as_events, as_json, as_ndjson, records
from tests.importing import logs
from tests.test_http import EXCHANGES
from trio_mpu.formats import Notation
from trio_mpu.shm import layout
from trio_mpu.store.chunk import encode

_SHORT: Final = records(1, 2, 3, 7, 8)
_DEVICE: Final = (
    "IRQ count: 7\n 0.013,-0.002, 1.004, [g]\n-0.122, 0.000, 1.500, [dps]\n 25.125, [°C]\n"
)
_QUERIES: Final = (
    *("/", "/json", "/json?verbose=1&max_age=5", "/json?iso=1&units=si&attitude=1", "/healthz"),
    *(
        "/events?rate=10&stats=1",
        "/events?format=csv&flush_ms=100",
        "/events?last_event_id=earliest",
    ),
    *("/history?format=csv&limit=5", "/history?since=0123456789abcdef-5", "/metrics", "/livez?_=1"),
    *("/history?from=2026-11-27T20:53:36Z&to=1700000001.5", "/history?points=100&seconds=60"),
    *(
        "/history?format=mcap&from=0",
        "/history?format=klipper&seconds=5",
        "/%2Fjson?a=%00&b",
        "/a.js",
    ),
    *("http://a/json", "/history?format=gcsv&to=2026-11-27", "/none?x=1"),
)


def _segment(written: int, head: int, first: int = 1, capacity: int = 5) -> bytes:
    buffer = bytearray(layout.segment_bytes(capacity))
    layout.lay_out(buffer, capacity, 0x0123456789ABCDEF)
    layout.put(buffer, "first", first)
    layout.put_text(buffer, "source", "i2c:1")
    for seq in range(first, first + written):
        layout.put_record(buffer, capacity, make_record(seq % 1000, qw=1.0)._replace(seq=seq))
    layout.publish(buffer, head)
    return bytes(buffer)


def _logs() -> Iterator[tuple[int, str]]:
    """Yield the beginnings of logs, each with the place of its plan."""
    plain = "t,ax,ay,az,gx,gy,gz,temp\n"
    rows = [f"{10 * n},0.01,{n / 100:.2f},1.0,1.5,0,-2,77\n" for n in range(12)]
    yield 0, plain + "".join(rows)
    yield 0, plain + "".join(rows[:5]) + plain + "".join(rows[7:])
    dated = (f"2026-11-30T09:05:0{n % 9}.{n}+01:00,0.0,0.0,1,1,2,3,70\n" for n in range(8))
    yield 1, plain + "".join(dated)
    yield 2, "".join(f"{n * 5000}\t0\t0\t16384\t1\t2\t-131\n" for n in range(9))
    yield 3, "t;ax;ay;az\n" + "".join(f"23:59:5{n},5;0,1;0,2;9,81\n" for n in range(9))
    yield 4, "".join(f"ax:{n / 10}, ay:5, az:1000\n" for n in range(9))
    yield 5, "d,t,ax,ay,az\n" + "".join(f"11/30/2026,09:05:00.{n},0,0,1\n" for n in range(9))
    for place, text in enumerate(
        (
            *(logs.phyphox(), logs.witmotion_dated(), logs.ros(), logs.klipper(), logs.euroc()),
            logs.artemis().replace("05/03", "03/05"),
        ),
        start=6,
    ):
        yield place, "".join(text.splitlines(keepends=True)[:9])


def seeds() -> Mapping[str, list[bytes]]:
    """Return the seeds of each target."""
    si, iso = Notation(iso=True, si=True), Notation(iso=True)
    csv, ndjson = as_csv(_SHORT), as_ndjson(_SHORT)
    with_gap = ndjson.replace("}\n", ',"gap":{"from":2,"to":3,"lost":4,"reason":"device"}}\n', 1)
    exchanges = [data for data, _, _ in EXCHANGES.values() if len(data) < 600]
    ids = ("earliest", "0123456789abcdef-42", "00000000000000aa-7", "a, 0123456789ABCDEF-99", "x")
    numbers = struct.pack("<QH", 1, 5)
    packed = layout.pack_records([make_record(seq) for seq in range(1, 6)])
    return {
        "device_text": [
            text.encode()
            for text in (
                *(_DEVICE, _DEVICE.replace("\n", "\r\n"), "IRQ count: 7\n(no sample yet)\n"),
                _DEVICE.replace(" 25.125", "-5.000"),
            )
        ],
        "request": [
            bytes([place % 5 * 9]) + data
            for place, data in enumerate(
                (
                    *exchanges,
                    *(request(path) + request("/json") for path in _QUERIES if " " not in path),
                )
            )
        ],
        "stranger": [
            b"\0" + data
            for data in (
                *(
                    request(path, "Authorization: Bearer wrong-token-of-20-characters")
                    for path in _QUERIES[:8]
                ),
                *(
                    request(path, "Cookie: trio_mpu_0123abcd=alice.00; a=b") + request("/livez")
                    for path in _QUERIES[8:12]
                ),
                request("/", "Accept: text/html"),
                *(request(path, method="HEAD") for path in ("/events", "/json", "/history")),
                *(
                    request(
                        "/sign-in",
                        "Content-Type: application/x-www-form-urlencoded",
                        f"Content-Length: {len(form)}",
                        method="POST",
                        body=form,
                    )
                    + request("/json")
                    for form in (b"token=wrong", b"sign-out=1", b"a=%00&b")
                ),
            )
        ],
        "token_file": [
            text.encode()
            for text in (
                *(
                    "alice 0123456789abcdef\n",
                    "# who\n\na.b-c_d 0123456789abcdef==\nbob\tx-y_z.1~2+3/4567890\n",
                ),
                *(
                    "\ufeffalice 0123456789abcdef\r\n",
                    "alice short\n",
                    "alice two words here\n",
                    "a!b 0123456789abcdef",
                ),
                "alice 0123456789abcdef\nalice fedcba9876543210\n",
            )
        ],
        "host_and_cookie": [
            text.encode()
            for text in (
                *(
                    "pi.local:3737\ntrio_mpu_0123abcd=alice.00ff; a=b",
                    "[::1]:80\n",
                    "192.0.2.1\na=b;c",
                ),
                *(
                    "imu.example.org.\ntrio_mpu_=",
                    "evil.test\n" + "trio_mpu_a=b; " * 20,
                    "[fe80::1%25eth0]\n",
                ),
            )
        ],
        "query": [path.encode() for path in _QUERIES],
        "last_event_id": [bytes([place % 4]) + text.encode() for place, text in enumerate(ids)],
        "ranges": [
            text.encode()
            for text in (
                *("xxxxx\nbytes=0-9:", "xxxxx\nbytes=-5:", 'xx\nbytes=3-:if-range:"tag"'),
                *('x\n"tag", W/"a":if-none-match:W/"tag"', "x\n*:if-match:*", "\nbytes=0-:"),
            )
        ],
        "segment": [
            struct.pack("<QH", after, 512) + data
            for after, data in (
                (0, _segment(3, 3)),
                (2, _segment(9, 9)),
                (8, _segment(9, 8)),
                (7, _segment(3, 43, first=41)),
                (0, _segment(0, 0)),
                (0, bytes(layout.segment_bytes(5))),
                (2**64 - 9, _segment(4, 2**64 - 1, first=2**64 - 4)),
            )
        ],
        "calibration": [
            CALIBRATION.text("a note").encode(),
            b"version = 2\n",
            b"a = [1, {b = 1}]\n",
        ],
        "recording_csv": [
            *(csv.encode(), as_csv(_SHORT, notation=si).encode(), csv.replace(",", ";").encode()),
            *(csv.replace(",", "\t").encode("utf-16"), gzip.compress(csv.encode(), mtime=0)),
            *(csv.partition("\n")[2].encode(), as_csv(_SHORT, notation=iso).encode()),
            b"#time,accel_x,accel_y,accel_z\n1.000000,1.0,2.0,9806.65\n",
            b"GYROFLOW IMU LOG\nversion,1.3\ngscale,0.017453293\nt,gx,gy,gz,ax,ay,az\n0,1,2,3,0,0,1\n",
            b"HTTP/1.1 200 OK\r\nA: b\r\n\r\n" + (csv + csv).encode(),
        ],
        "recording_ndjson": [
            *(ndjson.encode(), with_gap.encode(), as_ndjson(_SHORT, notation=si).encode()),
            f"[\n{ndjson.replace(chr(10), f',{chr(10)}')}]\n".encode(),
        ],
        "recording_json": [
            as_json(_SHORT).encode(),
            as_json(_SHORT[:2]).replace("\n", "").encode(),
            (
                b'{"seq":{"0":1},"t_ns":{"0":5},"ax":{"0":0},"ay":{"0":0},"az":{"0":1},"gx":{"0":0},'
                b'"gy":{"0":0},"gz":{"0":0},"temp":{"0":25},"flags":{"0":[]}}'
            ),
        ],
        "recording_stream": [
            as_events(_SHORT[:3]).encode(),
            as_events(_SHORT[:2], notation=si).encode(),
        ],
        "import_log": [bytes([place]) + text.encode() for place, text in _logs()],
        "store_chunk": [
            numbers + encode([make_record(n) for n in range(1, 6)]),
            struct.pack("<QH", 1, 4) + packed[: 4 * layout.RECORD_BYTES],
            struct.pack("<QH", 1, 4) + packed,
        ],
        "store_file": [stores.seed()],
        "store_rows": [
            bytes([table, column, kind, 7, *bytes(7)])
            for table in range(4)
            for column, kind in ((1, 0), (2, 3), (3, 9))
        ],
        "options": [
            bytes([place]) + text.encode()
            for place, text in (
                (0, "a.csv,loop,speed=2.5,from=2026-11-30T09:05:00Z,to=1800000000.5"),
                *((1, "1:0x69,accel=4,gyro=500,dlpf=2,rate=200,force=mpu6500"), (2, "2GB,30d")),
                *(
                    (3, "phyphox"),
                    (3, " ms:t lsb:16384:a,b,c rads:d,e,f f:g"),
                    (3, " rate:100 g:1,2,3 none none"),
                ),
                (0, "2026-11-27T20:53:36.000123Z"),
            )
        ],
        "conformance": [
            as_events(_SHORT[:1]).encode(),
            b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close",
            b"HTTP/1.1 503 Service Unavailable\r\nTransfer-Encoding: chunked\r\nRetry-After: 2",
        ],
    }


def main() -> None:
    """Write them, in place of the old ones."""
    for name, contents in seeds().items():
        folder = CORPUS / name
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.glob("seed-*"):
            old.unlink()
        for number, content in enumerate(contents):
            (folder / f"seed-{number:02}").write_bytes(content)


if __name__ == "__main__":
    main()
