"""The producer by itself: reads the sensor and writes the ring. See README.md."""

import os
import sys

from trio_mpu.__main__ import producer, run

if __name__ == "__main__":
    sys.exit(run(producer, sys.argv[1:], os.environ))
