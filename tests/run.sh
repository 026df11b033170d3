#!/usr/bin/env bash
# Passes every test on a fresh machine that has Rust, Python 3.11 and the package registries.
# Installs what it needs: Chromium from Debian's packages, Python packages from PyPI into `target/`.
set -euo pipefail
cd "$(dirname "$0")/.."

# Each step with the second in which it began, for the table at the end.
steps=()
step() {
  steps+=("$SECONDS $1")
  printf '\n== %s (%ss)\n' "$1" "$SECONDS"
}

step 'test tools'
if ! command -v chromium >/dev/null; then
  root=''
  [ "$(id -u)" = 0 ] || root=sudo
  $root apt-get update -qq
  DEBIAN_FRONTEND=noninteractive $root apt-get install -y -qq --no-install-recommends \
    chromium fonts-dejavu-core >/dev/null
fi
tools="$PWD/target/test-tools"
wanted="$(sha256sum tests/requirements.txt | cut -d' ' -f1)"
if [ "$(cat "$tools/installed" 2>/dev/null || true)" != "$wanted" ]; then
  rm -rf "$tools"
  python3 -m venv "$tools"
  "$tools/bin/python" -m pip install --quiet --disable-pip-version-check -r tests/requirements.txt
  echo "$wanted" >"$tools/installed"
fi
export NBC_TEST_PYTHON="$tools/bin/python"
# Tests must not read a developer's cache, and should fill one only once.
export NBC_CACHE_DIR="${NBC_TEST_CACHE_DIR:-$PWD/target/test-cache}"
# Environments stay from one day to the next; runs are to be runs.
export NBC_NO_CACHE=1

step 'format and lints'
cargo fmt --all --check
cargo clippy --locked --workspace --all-targets --quiet -- -D warnings

step 'unit and integration tests'
log="$PWD/target/test-run.log"
# Most tests wait for processes, timers and servers.
export RUST_TEST_THREADS="${RUST_TEST_THREADS:-4}"
cargo test --locked --workspace --quiet | tee "$log"

step 'documentation'
RUSTDOCFLAGS='-D warnings' cargo doc --locked --workspace --no-deps --document-private-items --quiet

step 'examples, as the README builds them'
cargo build --locked --release --quiet
nbc="$PWD/target/release/nbc"
out="$PWD/target/test-site"
rm -rf "$out"
mkdir -p "$out"
"$nbc" build examples --output "$out/site" --timings
"$nbc" verify "$out/site"

step 'single files, and the examples that fail and attack'
"$nbc" build examples --output "$out/single" --layout single
"$nbc" verify "$out/single"
"$nbc" build examples/hostile/attack.py --code hidden --output "$out/hostile"
"$nbc" build examples/hostile/attack.py --code hidden --output "$out/hostile-site" --layout site
if "$nbc" build examples/failing/failing.py --output "$out/failing"; then
  echo 'the failing example was built' >&2
  exit 1
fi
[ ! -e "$out/failing" ]
"$nbc" build examples/failing/failing.py --output "$out/failing" --allow-errors
"$nbc" verify "$out/failing"

step 'outputs with scripts of their own'
"$nbc" build tests/browser/islands.ipynb --layout site --allow-island html --allow-island anywidget --output "$out/islands"
"$nbc" verify "$out/islands" --allow-island

step 'same inputs, same bytes'
mkdir -p "$out/home"
(
  cd / && export TZ=Asia/Tokyo LANG=tr_TR.UTF-8 HOME="$out/home" && umask 077
  "$nbc" build "$OLDPWD/examples" --output "$out/again" --jobs 1 --no-warm
)
diff -r "$out/site" "$out/again"
for name in first second third; do
  # A first run that is kept, then its record for another folder; then nothing has changed.
  NBC_NO_CACHE='' "$nbc" build examples --output "$out/${name/third/second}" --timings
  diff -r "$out/site" "$out/${name/third/second}"
done
"$nbc" cache verify

step 'every page in Chromium'
"$NBC_TEST_PYTHON" tests/browser/run.py "$out"
"$NBC_TEST_PYTHON" tests/browser/islands.py "$out/islands"
"$NBC_TEST_PYTHON" tests/browser/states.py

step 'tables in Chromium'
"$NBC_TEST_PYTHON" tests/browser/tables.py "$nbc"

step 'charts with inputs in Chromium'
"$NBC_TEST_PYTHON" tests/browser/live_charts.py "$nbc"

step 'ipywidgets in Chromium'
"$NBC_TEST_PYTHON" tests/browser/widgets.py "$nbc"

step 'every state of the apps in Chromium, beside a fresh kernel of marimo'
for layout in single site; do
  "$nbc" build tests/apps --python "$NBC_TEST_PYTHON" --layout "$layout" --output "$out/apps/$layout"
  "$nbc" verify "$out/apps/$layout"
done
"$NBC_TEST_PYTHON" tests/browser/apps.py "$out/apps"

step 'hostile notebooks in Chromium'
"$NBC_TEST_PYTHON" tests/browser/hostile.py "$nbc"

step 'done'
for at in "${!steps[@]}"; do
  next="${steps[at + 1]:-}"
  [ -z "$next" ] || printf '%6ss  %s\n' "$((${next%% *} - ${steps[at]%% *}))" "${steps[at]#* }"
done
passed="$(awk '/^test result: ok/ { all += $4 } END { print all + 0 }' "$log")"
echo "every test passed: $passed of cargo, the attack suite, and $((${#steps[@]} - 5)) steps with the built program, in ${SECONDS}s"
