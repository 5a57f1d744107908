"""The server: reads the ring and serves it to browsers and programs. See README.md."""

import os
import sys
from collections.abc import Mapping, Sequence
from functools import partial

from trio_mpu import lifecycle, settings
from trio_mpu.errors import UsageError
from trio_mpu.server.run import run_server
from trio_mpu.server.supervisor import run_supervisor
from trio_mpu.server.worker import run_worker


def main(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run the server until a signal; return its exit status."""
    try:
        options = settings.parse("server", __doc__, settings.WORKER_OPTIONS, argv, environ)
    except UsageError as error:
        return lifecycle.usage("server", error)
    lifecycle.allow_descriptors(options.max_clients)
    name, host = "server", options.host or None
    serving = (host, options.port, options.ring, options.max_clients)
    program = partial(run_server, *serving)
    if options.worker:
        name = f"worker {options.worker[0]}"
        program = partial(run_worker, options.worker, *serving)
    elif options.workers > 1:
        command = (sys.executable, __file__, *argv)
        program = partial(run_supervisor, command, options.workers, host, options.port)
    return lifecycle.run(name, options.log_level, program)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
