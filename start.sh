#!/usr/bin/env bash
# Starts producer and server, and stops both on Ctrl-C, TERM or HUP:
#
#   ./start.sh [OPTION VALUE]...     the options of both programs, see README.md
#
# Exit status 0 after a stop that was asked for; otherwise non-zero, and it says which program
# ended by itself.
set -uo pipefail
cd "$(dirname "$0")" || exit 1
. scripts/venv.sh

STOP_S=3.5 # the server gives its clients 3 s; whoever takes longer is killed

producer_options=()
server_options=()
ring=${TRIO_MPU_RING:-data_buffer}
while [ $# -gt 0 ]; do
    option=${1%%=*}
    case $1 in
    -h | --help)
        venv start.sh
        .venv/bin/python producer_main.py --help
        .venv/bin/python server_main.py --help
        exit 0
        ;;
    --*=*) value=${1#*=} && shift ;;
    *)
        if [ $# -lt 2 ]; then
            echo "start.sh: $1 needs a value, or is no option (--help lists them)" >&2
            exit 2
        fi
        value=$2 && shift 2
        ;;
    esac
    case $option in
    --device | --rate | --calibration | --capacity) producer_options+=("$option=$value") ;;
    --host | --port | --max-clients | --workers) server_options+=("$option=$value") ;;
    --ring | --log-level)
        producer_options+=("$option=$value")
        server_options+=("$option=$value")
        [ "$option" != --ring ] || ring=$value
        ;;
    *)
        echo "start.sh: there is no option $option (--help lists them)" >&2
        exit 2
        ;;
    esac
done

venv start.sh

asked= told=
stop_both() {
    # Once only: the programs take a second signal for impatience.
    [ -n "$told" ] || kill -TERM "$producer" "$server" 2>/dev/null
    told=yes
}
trap 'asked=yes; stop_both' INT TERM HUP
producer= server=
# Job control gives each program a process group of its own: Ctrl-C in the terminal reaches this
# script alone, and each program gets one signal, not two.
set -m
.venv/bin/python producer_main.py "${producer_options[@]}" </dev/null &
producer=$!
.venv/bin/python server_main.py "${server_options[@]}" </dev/null &
server=$!
set +m

[ -z "$asked" ] || kill -TERM "$producer" "$server" 2>/dev/null # it came before they were there

first=
wait -n -p first "$producer" "$server"
status=$?

stop_both
deadline=$(date +%s%N)
deadline=$((deadline + ${STOP_S/./}00000000))
while kill -0 "$producer" 2>/dev/null || kill -0 "$server" 2>/dev/null; do
    if [ "$(date +%s%N)" -gt "$deadline" ]; then
        kill -KILL "$producer" "$server" 2>/dev/null
        break
    fi
    sleep 0.05
done
wait "$producer" "$server" 2>/dev/null

# Only if no other producer has it by now.
.venv/bin/python -c 'import sys; from trio_mpu.shm.segment import remove; remove(sys.argv[1])' \
    "$ring" 2>/dev/null

if [ -n "$asked" ]; then
    exit 0
fi
name=server
[ "$first" != "$producer" ] || name=producer
echo "start.sh: the $name ended by itself (exit status $status); stopped the other" >&2
[ "$status" -ne 0 ] || status=1
exit "$status"
