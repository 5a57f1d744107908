#!/bin/bash
# What the virtual machine runs: guest.sh PROJECT PYTHON RIG MODULE [ARGUMENT]...
set -eu
dmesg -n 1 # each line on the emulated console stops everything for some 0.2 s
/bin/busybox ip link set lo up
cd "$1"
python=$2
export PYTHONPATH=$1 RIG_DIRECTORY=$3
shift 3
exec "$python" -m "$@"
