"""The calibration of a sensor at rest, or in six positions; and its self-test. See README.md."""

import os
import sys
from collections.abc import Mapping, Sequence

import trio

from trio_mpu import lifecycle, settings
from trio_mpu.calibration.run import Plan, run_calibrator
from trio_mpu.errors import UsageError


def main(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """Calibrate until it is done or a signal comes; return the exit status."""
    try:
        options = settings.parse("calibrate", __doc__, settings.CALIBRATE_OPTIONS, argv, environ)
    except UsageError as error:
        return lifecycle.usage("calibrate", error)
    plan = Plan(
        options.device,
        options.rate,
        options.seconds,
        options.ring,
        options.output,
        options.positions,
        options.self_test,
    )

    async def program(stop: trio.Event) -> None:
        # Without standard input the number 0 is some other file's.
        await run_calibrator(plan, stop, 0 if sys.stdin else -1)

    return lifecycle.run("calibrate", options.log_level, program)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
