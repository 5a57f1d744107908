"""The server: reads the ring and serves it to browsers and programs. See README.md."""

import functools
import os
import sys
from collections.abc import Mapping, Sequence

from trio_mpu import lifecycle, settings
from trio_mpu.errors import UsageError
from trio_mpu.server import run_server


def main(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run the server until a signal; return its exit status."""
    try:
        options = settings.parse("server", __doc__, settings.SERVER_OPTIONS, argv, environ)
    except UsageError as error:
        return lifecycle.usage("server", error)
    lifecycle.allow_descriptors(options.max_clients)
    program = functools.partial(
        run_server, options.host or None, options.port, options.ring, options.max_clients
    )
    return lifecycle.run("server", options.log_level, program)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
