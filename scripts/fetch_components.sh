#!/usr/bin/env bash
# Usage: fetch_components.sh [COMPONENT ...]. Unpacks Debian's packages into .tools:
# prometheus (with promtool) and pushgateway, or wrk, which only benchmarks need.
#
# Unpacked, not installed: installing would start a daemon. Where a package cannot be
# had, the tests that need it are skipped and say so, unless
# SERVEWATCH_REQUIRE_COMPONENTS=1.
set -euo pipefail
cd "$(dirname "$0")/.."
tools=$PWD/.tools

if [ $# = 0 ]; then
    set -- prometheus pushgateway
fi
packages=()
for component in "$@"; do
    case $component in
        prometheus) program=promtool needs=(prometheus) ;;
        pushgateway) program=prometheus-pushgateway needs=(prometheus-pushgateway) ;;
        wrk) program=wrk needs=(wrk libluajit-5.1-2) ;;
        *)
            echo "no component '$component'; there are prometheus, pushgateway, wrk" >&2
            exit 2
            ;;
    esac
    if ! [ -x "$tools/usr/bin/$program" ] && ! command -v "$program" >/dev/null; then
        packages+=("${needs[@]}")
    fi
done

give_up() {
    echo "No ${packages[*]}: $1; what needs it is skipped."
    exit 0
}

if [ ${#packages[@]} = 0 ]; then
    exit 0
fi
if ! command -v apt-get >/dev/null || ! command -v dpkg >/dev/null; then
    give_up "this is no Debian"
fi

echo "Fetching Debian's ${packages[*]} into .tools ..."
download=$(mktemp -d)
trap 'rm -rf "$download"' EXIT
# Only root may bring the lists up to date; anybody may use those that are there.
if [ "$(id -u)" = 0 ]; then
    apt-get update -qq || echo "apt-get update failed; going on with the lists here"
fi
# The sandbox user may not write into a private folder.
(cd "$download" && apt-get -qq -o APT::Sandbox::User=root download "${packages[@]}") ||
    give_up "apt-get download failed"
mkdir -p "$tools"
for package in "$download"/*.deb; do
    dpkg -x "$package" "$tools"
done
