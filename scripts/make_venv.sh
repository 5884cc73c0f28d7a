#!/usr/bin/env bash
# Usage: make_venv.sh PYTHON VENV. Safe to run again: it completes what is there.
set -euo pipefail
python=$1
venv=$2

if ! "$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))'; then
    echo "ServeWatch needs Python 3.11 to 3.13, found '$python';" \
        "name one: make dev PYTHON=python3.11" >&2
    exit 2
fi

# Debian ships Python without what a venv needs to hold pip.
if [ ! -x "$venv/bin/python" ] && ! "$python" -c 'import ensurepip' 2>/dev/null; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        echo "Installing python3-venv ..."
        apt-get update -qq
        apt-get install -qq --no-install-recommends python3-venv >/dev/null
    else
        echo "'$python' cannot make virtual environments;" \
            "apt-get install python3-venv, then run this again" >&2
        exit 2
    fi
fi

[ -x "$venv/bin/python" ] || {
    echo "Making $venv with $("$python" --version) ..."
    "$python" -m venv "$venv"
}
echo "Installing ServeWatch and what it is developed with (a minute the first time) ..."
"$venv/bin/python" -m pip install --disable-pip-version-check --progress-bar off \
    --editable '.[dev]' | sed -u -n 's/^Collecting \([^ ]*\).*/  \1/p'
echo "Ready: $venv"
