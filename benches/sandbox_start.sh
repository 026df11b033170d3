#!/bin/sh
# What the sandbox costs over a plain start: medians of 30, with and without Python, a mount and an overlay.
# A busy machine doubles the figures; as root the script asks for real-time priority.
set -eu
cd "$(dirname "$0")/.."
cargo build --quiet --release --example confine
first=""
if [ "$(id -u)" = 0 ] && command -v chrt >/dev/null; then first="chrt -f 20"; fi
python=$(python3 -c 'import sys; print(sys.executable)')
prefix=$(python3 -c 'import sys; print(sys.base_prefix)')
folder=$(mktemp -d)
trap 'rmdir "$folder"' EXIT

measure() {
    printf '%s: ' "$1"
    shift
    $first target/release/examples/confine --repeat 30 "$@" | tail -n 1
}
measure "true" /usr/bin/true
measure "true, a mount and an overlay" --read "$prefix" --overlay "$folder:/nb" /usr/bin/true
measure "python, a mount and an overlay" --read "$prefix" --overlay "$folder:/nb" "$python" -I -c pass
