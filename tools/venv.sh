#!/bin/sh
# Makes a virtual environment with this package in it: sh tools/venv.sh DIRECTORY [PIP-OPTION...]
#
# The interpreter is $PYTHON, or the first Python from 3.11 on that is found. Debian keeps the
# module that makes environments in a package of its own, which root gets installed here.
# Nothing is done when the environment is there and neither pyproject.toml nor, unless the
# installation is editable, the package has changed since.
set -eu
cd "$(dirname "$0")/.."
directory=$1
shift
exec </dev/null

is_new_enough() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

find_python() {
    for candidate in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11}; do
        if is_new_enough "$candidate"; then
            command -v "$candidate"
            return
        fi
    done
    echo "no Python from 3.11 on: ${PYTHON:-install one, or name it with PYTHON=...}" >&2
    exit 1
}

install_venv_module() {
    package=$("$1" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        echo "$1 cannot make virtual environments: install $package" >&2
        exit 1
    fi
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "$package"
}

is_current() {
    stamp=$directory/installed-pyproject.toml
    "$directory/bin/python" -c pass 2>/dev/null && cmp -s pyproject.toml "$stamp" || return 1
    case " $* " in
    *" -e "*) return 0 ;;
    esac
    [ -z "$(find supervisor -newer "$stamp" -type f ! -name '*.pyc' | head -n 1)" ]
}

python=$(find_python)
if is_current "$@"; then
    exit 0
fi
"$python" -c 'import ensurepip' 2>/dev/null || install_venv_module "$python"
"$python" -m venv --clear "$directory"
"$directory/bin/python" -m pip --disable-pip-version-check install --quiet "$@"
cp pyproject.toml "$directory/installed-pyproject.toml"
