#!/usr/bin/env bash
# Makes .venv if need be, and runs `trio-mpu start` from it: producer and server, until Ctrl-C.
#
#   ./start.sh [OPTION VALUE]...     --help lists the options
set -euo pipefail
here=$(dirname "$(readlink -f "$0")") # this may be a link to the script, in any folder
(cd "$here" && . scripts/venv.sh && venv start.sh)
exec "$here/.venv/bin/python" -P "$here/trio_mpu/__main__.py" start "$@"
