#!/usr/bin/env bash
# Runs every check: lint, format, types, shell syntax, and the tests with branch coverage.
#
#   ./test.sh [PYTEST OPTION]...
#
# With options, only pytest runs, with these.
set -euo pipefail
cd "$(dirname "$0")"
. scripts/venv.sh
venv test.sh dev
export PATH="$PWD/.venv/bin:$PATH"

if [ $# -gt 0 ]; then
    exec python -m pytest "$@"
fi
for script in ./*.sh scripts/*.sh .ci/run; do bash -n "$script"; done
ruff check .
ruff format --check .
mypy
coverage erase
python -m pytest --numprocesses 3 --cov --cov-report=
coverage report --fail-under=95
# The pure core has no excuse for a branch that no test takes.
coverage report --fail-under=100 --include="$(printf 'trio_mpu/%s.py,' \
    sample backlog pace scan layout average formats shape shortcut sse snapshot routes metrics \
    settings dies registers frames timeline chronicle chipspec board \
    calibration rest positions allan selftest report)"
