#!/usr/bin/env bash
# Unpacks Debian's prometheus package (prometheus, promtool) into .tools.
#
# Unpacked, not installed: installing would start a daemon. Where the package cannot be
# had, the tests that need it are skipped and say so, unless
# SERVEWATCH_REQUIRE_COMPONENTS=1.
set -euo pipefail
cd "$(dirname "$0")/.."
tools=$PWD/.tools

give_up() {
    echo "No real Prometheus: $1; tests that need it are skipped."
    exit 0
}

if [ -x "$tools/usr/bin/promtool" ] || command -v promtool >/dev/null; then
    exit 0
fi
if ! command -v apt-get >/dev/null || ! command -v dpkg >/dev/null; then
    give_up "this is no Debian"
fi

echo "Fetching Debian's prometheus (20 MB) into .tools ..."
download=$(mktemp -d)
trap 'rm -rf "$download"' EXIT
# Only root may bring the lists up to date; anybody may use those that are there.
if [ "$(id -u)" = 0 ]; then
    apt-get update -qq || echo "apt-get update failed; going on with the lists here"
fi
# The sandbox user may not write into a private folder.
(cd "$download" && apt-get -qq -o APT::Sandbox::User=root download prometheus) ||
    give_up "apt-get download failed"
mkdir -p "$tools"
dpkg -x "$download"/prometheus_*.deb "$tools"
