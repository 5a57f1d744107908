"""The long run's part in the virtual machine: endurance.py says what it is about."""

import json
import shutil
import struct
import subprocess
import sys
from pathlib import Path
from typing import Final

import trio

from tests.kernel.chips import bare_chip, chip_samples, modprobe
from tests.kernel.served import busy_share, now, stopped
from tests.kernel.speed import loop_s
from tests.kernel.ticks import TRACING, anchors, traced
from trio_mpu.errors import RingError
from trio_mpu.ring import RingReader

RING: Final = "endurance"
RECORD: Final = struct.Struct("<3q7d2q4d")
SETTLED_S: Final = 5.0  # the chip's rate is known by then
LOOK_S: Final = 1.0
SPARE_S: Final = 90.0  # of the trace, for all that is not measured


async def taken(ring: RingReader, seconds: float, path: Path) -> None:
    """Write all records of so long into a file."""
    last = ring_last = (await ring.read(0)).head
    begun_s = trio.current_time()
    with path.open("wb") as file:
        while trio.current_time() < begun_s + seconds:
            await trio.sleep(LOOK_S)
            while records := (await ring.read(last)).records:
                file.write(b"".join(RECORD.pack(*record) for record in records))
                last = records[-1].seq
    assert last > ring_last, "no record came"


async def opened() -> RingReader:
    """The ring, when there is one and it has samples."""
    with trio.fail_after(60):
        while True:
            try:
                ring = RingReader(RING)
                if (await ring.read(0)).head:
                    return ring
                ring.close()
            except RingError:
                pass
            await trio.sleep(0.5)


async def main(folder: Path, seconds: float, rate_hz: float) -> None:
    """Run the chip and a producer for so long; leave records, trace and counts in `folder`."""
    modprobe("i2c-dev")
    guest_loop_s = loop_s()
    with bare_chip() as bus:
        options = (f"--device=i2c:{bus}", f"--rate={rate_hz:g}", f"--ring={RING}", "--attitude=off")
        with traced(round((seconds + SPARE_S) * rate_hz)):
            command = [sys.executable, "producer_main.py", *options]
            producer = subprocess.Popen(command)  # noqa: ASYNC220 - nothing waits for it
            ring = await opened()
            await trio.sleep(SETTLED_S)
            used, made = now(producer.pid), chip_samples()
            await taken(ring, seconds, folder / "records")
            share, made = busy_share(producer.pid, used), chip_samples() - made
            looks = anchors()
            ledger = (await ring.header()).ledger
        ring.close()
        assert stopped(producer) == 0
        with (TRACING / "trace").open("rb") as trace, (folder / "trace").open("wb") as copy:
            shutil.copyfileobj(trace, copy, 1 << 20)
        entries = (TRACING / "per_cpu/cpu0/stats").read_text()
    found = {
        "loop_s": guest_loop_s,
        "share": share,
        "made": made,
        "anchors": looks,
        "ledger": ledger,
        "trace": entries,
    }
    (folder / "found.json").write_text(json.dumps(found))


if __name__ == "__main__":
    trio.run(main, Path(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3]))
