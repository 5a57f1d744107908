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
lint-imports
coverage erase
python -m pytest --numprocesses 3 --cov --cov-report=
coverage report --fail-under=95
# The pure core has no excuse for a branch that no test takes.
core=$(grep -rl '^# Pure: ' trio_mpu --include='*.py' | paste -sd,)
coverage report --fail-under=100 --include="$core"
