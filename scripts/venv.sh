# Sourced by start.sh and test.sh from the project's folder: a virtual environment in .venv with
# what pyproject.toml asks for, and the extras `mcap` and `orientation` if they can be had. What can't
# be had is not tried again before pyproject.toml changes.
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

extras() { # who
    mcap "$1"
    orientation "$1"
}

# MCAP's library, which the programs can do without. What it compresses with is C, and building that
# takes a small board long: where there is no wheel of it, the files are larger.
mcap() { # who
    local pip=(.venv/bin/python -m pip install --quiet --disable-pip-version-check
        --only-binary :all: --requirement .venv/wanted-mcap)
    "${pip[@]}" 2>/dev/null || "${pip[@]}" --no-deps ||
        echo "$1: MCAP's library is missing (see above); for format=mcap do: $PWD/.venv/bin/pip install mcap" >&2
}

# Removes a library that kills the process that loads it: numpy's wheels need a processor of 2009 or later.
usable() { # module
    .venv/bin/python -c "import $1" && return
    .venv/bin/python -m pip uninstall --quiet --yes "$1"
    return 1
}

# VQF's library, without which samples have no attitude. It is C++, which a small board builds in some
# minutes; numpy, which it needs, would take hours.
orientation() { # who
    { .venv/bin/python -m pip install --quiet --disable-pip-version-check \
        --only-binary numpy --requirement .venv/wanted-orientation && usable vqf; } >.venv/orientation.log 2>&1 ||
        echo "$1: VQF's library can't be installed (see $PWD/.venv/orientation.log); for the attitude do: sudo apt install g++ python3-dev && $PWD/.venv/bin/pip install vqf" >&2
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
for extra, requirements in project["project"]["optional-dependencies"].items():
    with open(f".venv/wanted-{extra}", "w") as wanted:
        print(*requirements, sep="\n", file=wanted)
P
    .venv/bin/python -m pip install --quiet --disable-pip-version-check \
        --requirement .venv/wanted ||
        die "$who" "installing failed (see above); the first start needs the internet$(compiler "$python")"
    extras "$who"
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
