"""The producer: reads the sensor and writes the ring. See README.md."""

import os
import sys
from collections.abc import Mapping, Sequence

import trio

from trio_mpu import lifecycle, settings
from trio_mpu.errors import UsageError
from trio_mpu.producer.run import run_producer


def main(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run the producer until a signal; return its exit status."""
    try:
        options = settings.parse("producer", __doc__, settings.PRODUCER_OPTIONS, argv, environ)
    except UsageError as error:
        return lifecycle.usage("producer", error)

    async def program(stop: trio.Event) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(lifecycle.cancel_at, stop, nursery.cancel_scope)
            await run_producer(
                options.device, options.rate, options.ring, options.capacity, options.calibration
            )

    return lifecycle.run("producer", options.log_level, program)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
