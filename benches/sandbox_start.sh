#!/bin/sh
# What the sandbox costs over a plain start: medians of 30 with a mount and an overlay, at `strict` and at
# `best-effort` where user namespaces are refused. Run by root it measures an ordinary user as well, and asks
# for real-time priority, because a busy machine doubles the figures.
set -eu
cd "$(dirname "$0")/.."
cargo build --quiet --release --locked --example confine
python=/usr/bin/python3
folder=$(mktemp -d)
trap 'rm -r "$folder"' EXIT
mkdir "$folder/project"
cp target/release/examples/confine tests/attack/deny.py "$folder"
chmod -R a+rX "$folder"

measure() {
    user=$1 level=$2
    shift 2
    set -- "$folder/confine" --isolation "$level" --repeat 30 \
        --read /usr/share --overlay "$folder/project:/nb" "$@"
    [ "$level" = strict ] || set -- "$python" "$folder/deny.py" unshare=EPERM "$@"
    [ "$user" != user ] || set -- setpriv --reuid 54321 --regid 54321 --clear-groups "$@"
    if [ "$(id -u)" = 0 ] && command -v chrt >/dev/null; then set -- chrt -f 20 "$@"; fi
    "$@" | tail -n 1
}
users=self
[ "$(id -u)" != 0 ] || users='root user'
for user in $users; do
    for level in strict best-effort; do
        printf '%s, %s, true: ' "$user" "$level"
        measure "$user" "$level" /usr/bin/true
        printf '%s, %s, python: ' "$user" "$level"
        measure "$user" "$level" "$python" -I -c pass
    done
done
