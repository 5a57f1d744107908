# Sourced by start.sh and test.sh from the project's folder: a virtual environment in .venv with
# what pyproject.toml asks for, and the extra `mcap` if it can be had.
#
#   venv WHO [GROUP]     WHO says so when something is missing; GROUP adds a dependency group

die() { # who, what
    echo "$1: $2" >&2
    exit 1
}

# What else the installation needs where posix_ipc has no wheel: it has one for 64-bit x86 and ARM.
# A 32-bit system on a 64-bit kernel, as Raspberry Pi OS offers it, has none either.
compiler() { # python
    local machine
    machine=$(uname -m)
    case $machine in
    x86_64 | aarch64)
        "$1" -c 'import sys; sys.exit(sys.maxsize < 2**32)' && return
        machine="32-bit $machine"
        ;;
    esac
    echo ", and on $machine a C compiler: sudo apt install gcc python3-dev"
}

# MCAP's library, which the programs can do without. What it compresses with is C, and building that
# takes a small board long: where there is no wheel of it, the files are larger.
extra() { # who
    local pip=(.venv/bin/python -m pip install --quiet --disable-pip-version-check
        --only-binary :all: --requirement .venv/wanted-extra)
    "${pip[@]}" 2>/dev/null || "${pip[@]}" --no-deps ||
        echo "$1: MCAP's library is missing (see above); for format=mcap do: $PWD/.venv/bin/pip install mcap" >&2
}

# shellcheck disable=SC2154  # who and group come from the caller
venv() {
    local who=$1 group=${2:-} python=${PYTHON:-python3} stamp wanted
    command -v "$python" >/dev/null ||
        die "$who" "Python is missing; do: sudo apt install python3 python3-venv"
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
        die "$who" "Python 3.11 or later is needed, $python is $("$python" -V 2>&1)"
    stamp=.venv/ready-for-${group:-use}
    wanted=$("$python" -V) && wanted+=" $(cksum <pyproject.toml)"
    [ "$(cat "$stamp" 2>/dev/null)" != "$wanted" ] || return 0
    if [ -e .venv ] && [ ! -w .venv ]; then
        die "$who" "$PWD/.venv is not ready and belongs to user $(stat -c %U .venv), you are $(id -un): remove it, or run this as that user"
    fi
    if ! .venv/bin/python -m pip --version >/dev/null 2>&1; then
        "$python" -c 'import venv, ensurepip' 2>/dev/null ||
            die "$who" "Python's venv module is missing; do: sudo apt install python3-venv"
        "$python" -m venv --clear .venv || die "$who" "can't make .venv in $PWD"
    fi
    echo "$who: installing what is needed into .venv, once" >&2
    "$python" - "$group" <<'P' || die "$who" "can't read pyproject.toml"
import sys
import tomllib

with open("pyproject.toml", "rb") as file:
    project = tomllib.load(file)
group = project["dependency-groups"].get(sys.argv[1], ())
with open(".venv/wanted", "w") as wanted:
    print(*project["project"]["dependencies"], *group, sep="\n", file=wanted)
with open(".venv/wanted-extra", "w") as wanted:
    print(*project["project"]["optional-dependencies"]["mcap"], sep="\n", file=wanted)
P
    .venv/bin/python -m pip install --quiet --disable-pip-version-check \
        --requirement .venv/wanted ||
        die "$who" "installing failed (see above); the first start needs the internet$(compiler "$python")"
    extra "$who"
    cat >.venv/bin/trio-mpu <<'S'
#!/bin/sh
# The command as `pip install` would make it, of the checkout that this folder belongs to.
venv=$(dirname "$(dirname "$(readlink -f "$0")")")
exec "$venv/bin/python" -P "$venv/../trio_mpu/__main__.py" "$@"
S
    chmod +x .venv/bin/trio-mpu
    echo "$wanted" >.venv/ready-for-use # every group has what the programs need
    echo "$wanted" >"$stamp"
}
