#!/usr/bin/env bash
# Runs the checks of a change.
#
#   ./test.sh                     shell syntax, lint, format, types, imports and the fast tests
#   ./test.sh --all               the same, the slow tests (real processes, a browser, torture),
#                                 branch coverage with its limits and, where what they need is at
#                                 hand, the attitude against motion capture and a real kernel's
#                                 interfaces
#   ./test.sh PYTEST-OPTION...    only pytest, with these options
#
# Which folders are slow is said by `norecursedirs` in pyproject.toml.
set -euo pipefail
cd "$(dirname "$0")"
. scripts/venv.sh
venv test.sh dev
export PATH="$PWD/.venv/bin:$PATH"

if [ $# -gt 0 ] && [ "$*" != --all ]; then
    exec python -m pytest "$@"
fi
# Many tests wait for other processes, so there is work for one more than the processors.
tests=(python -m pytest --numprocesses "$(($(nproc) + 1))" --dist worksteal)
if [ $# -gt 0 ]; then
    # A virtual machine's load would disturb the others: the kernel's turn comes when they are done.
    tests+=(--override-ini 'norecursedirs=.* broad kernel' --cov --cov-report=)
fi

for script in ./*.sh scripts/*.sh .ci/run; do bash -n "$script"; done
ruff check .
ruff format --check .
checked=$(mktemp)
trap 'rm -f "$checked"' EXIT
{ lint-imports && mypy; } >"$checked" 2>&1 &
status=0
"${tests[@]}" || status=1
wait $! || status=1
cat "$checked"
[ $status = 0 ] || exit 1
[ $# -gt 0 ] || exit 0

coverage report --fail-under=95
# The pure core has no excuse for a branch that no test takes.
core=$(grep -rl '^# Pure: ' trio_mpu --include='*.py' | paste -sd,)
coverage report --fail-under=100 --include="$core"

broad=${TRIO_MPU_BROAD:-../shared/broad}
if [ -e "$broad" ]; then
    TRIO_MPU_BROAD=$broad python -m pytest tests/broad
else
    echo "test.sh: no trials in $broad: the attitude is not compared with motion capture" >&2
fi

rig=${TRIO_MPU_RIG:-../shared/rig}
if [ -e "$rig/build.sh" ]; then
    python -m pytest tests/kernel -rP
else
    echo "test.sh: no rig in $rig: the kernel's interfaces are not tried" >&2
fi
