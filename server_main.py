"""The server by itself: reads the ring and serves it. See README.md."""

import os
import sys

from trio_mpu.__main__ import run, server

if __name__ == "__main__":
    sys.exit(run(server, sys.argv[1:], os.environ))
