"""The producer, and the server, on a real kernel's interfaces; runs inside the rig's virtual
machine, as root.

Each trial starts a producer, makes something happen to its device, and compares what comes out with
what was made to happen. The chips are emulated ones: the rig's README says which there are.
"""

import json
import logging
import sys
import time
import traceback
from pathlib import Path
from typing import Final

import trio

from tests.kernel.chips import modprobe
from tests.kernel.trials import found

MAX_TRIAL_S: Final = 90


async def main(results: Path, names: list[str]) -> None:
    """Run these trials, or all, and write down what became of each."""
    logging.basicConfig(level="INFO", format="%(relativeCreated)7d ms %(message)s")
    modprobe("i2c-dev", "inv-mpu6050-i2c")
    became: dict[str, dict[str, str | float]] = {}
    for name, trial in found().items():
        if names and name not in names:
            continue
        begun_s = time.monotonic()
        error = said = ""
        try:
            with trio.fail_after(MAX_TRIAL_S), trial.chip():
                said = await trial.run()
        except Exception:  # noqa: BLE001 - whatever it is, it is the trial's result
            error = traceback.format_exc()
        seconds = round(time.monotonic() - begun_s, 1)
        became[name] = {"said": said, "error": error, "seconds": seconds}
        print(f"{'FAIL' if error else 'ok'} {name} ({seconds} s): {said}{error}", flush=True)
        results.write_text(json.dumps(became))


if __name__ == "__main__":
    trio.run(main, Path(sys.argv[1]), sys.argv[2:])
