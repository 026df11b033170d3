#!/usr/bin/env bash
# Passes every test on a fresh Debian machine that has Rust and the package registries. It installs the rest itself:
# a C compiler, Python, Chromium and fonts from Debian's packages, Python packages from PyPI into `target/`.
#
# Tests mostly wait (for processes, timers, servers, a browser), and compilers mostly compute. So steps run in lanes,
# one beside the other. A lane writes into a log, which is printed when it ended; a lane that failed fails the run.
set -euo pipefail
cd "$(dirname "$0")/.."

logs="$PWD/target/test-logs"
out="$PWD/target/test-site"
nbc="$PWD/target/debug/nbc"
tools="$PWD/target/test-tools"
rm -rf "$logs" "$out"
mkdir -p "$logs" "$out"
# Nothing of a clean clone is compiled a second time: what the compiler keeps for that is not worth its time.
export CARGO_INCREMENTAL=0
# A panic names its line without debug information.
export CARGO_PROFILE_DEV_DEBUG=false
export NBC_TEST_PYTHON="$tools/bin/python"
# Tests must not read a developer's cache, and should fill one only once.
export NBC_CACHE_DIR="${NBC_TEST_CACHE_DIR:-$PWD/target/test-cache}"
# Environments stay from one day to the next; runs are to be runs.
export NBC_NO_CACHE=1
export RUST_TEST_THREADS="${RUST_TEST_THREADS:-4}"

# Runs a function and notes its time for the table at the end. Use: step TITLE FUNCTION
step() {
  local began=$SECONDS
  printf '\n== %s (%ss)\n' "$1" "$began"
  "$2"
  printf '%s\t%s\t%s\n' "$began" "$((SECONDS - began))" "$1" >>"$logs/steps"
}

declare -A lanes=()

# Runs a function beside the rest, in a process group of its own. Use: lane NAME FUNCTION
lane() {
  set -m
  { set +m && "$2"; } >"$logs/$1.log" 2>&1 </dev/null &
  set +m
  lanes[$1]=$!
}

# Waits for lanes, prints their logs, and ends the run if one failed.
finish() {
  local name code
  for name in "$@"; do
    code=0
    wait "${lanes[$name]}" || code=$?
    unset "lanes[$name]"
    cat "$logs/$name.log"
    if [ "$code" != 0 ]; then
      echo "failed: the steps of lane \`$name\` above, with exit code $code" >&2
      exit 1
    fi
  done
}

# Nothing goes on after the run, however it ends.
stop_lanes() {
  local leader
  for leader in "${lanes[@]}"; do kill -- "-$leader" 2>/dev/null || true; done
}
trap stop_lanes EXIT

# --- Tools ---

# Installs Debian's packages, with `sudo` if need be.
install() {
  local root=''
  [ "$(id -u)" = 0 ] || root=sudo
  $root apt-get update -qq
  $root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

rust_tools() {
  command -v cc >/dev/null || install gcc libc6-dev
  cargo fmt --version >/dev/null 2>&1 || rustup component add rustfmt
  cargo clippy --version >/dev/null 2>&1 || rustup component add clippy
  cargo fetch --locked --quiet
}

browser_and_python() {
  local missing=()
  python3 -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3 python3-venv)
  command -v chromium >/dev/null || missing+=(chromium fonts-dejavu-core)
  [ "${#missing[@]}" = 0 ] || install "${missing[@]}"
}

install_python() {
  local wanted
  wanted="$(sha256sum tests/requirements.txt | cut -d' ' -f1)"
  [ "$(cat "$tools/installed" 2>/dev/null || true)" != "$wanted" ] || return 0
  rm -rf "$tools"
  python3 -m venv "$tools"
  "$tools/bin/python" -m pip install --quiet --disable-pip-version-check -r tests/requirements.txt
  echo "$wanted" >"$tools/installed"
}

runner_checks() { bash runner/check.sh "$NBC_TEST_PYTHON"; }

# Node is one of the Python packages; the linter comes from npm.
page_scripts() {
  local lints="$tools/page-scripts" wanted
  wanted="$(sha256sum assets/package-lock.json | cut -d' ' -f1)"
  if [ "$(cat "$lints/installed" 2>/dev/null || true)" != "$wanted" ]; then
    rm -rf "$lints"
    mkdir -p "$lints"
    cp assets/package.json assets/package-lock.json "$lints"
    PATH="$tools/bin:$PATH" npm ci --prefix "$lints" --ignore-scripts --no-audit --no-fund --silent
    echo "$wanted" >"$lints/installed"
  fi
  "$tools/bin/node" "$lints/node_modules/eslint/bin/eslint.js" --config assets/eslint.config.js assets tests/scripts
  "$tools/bin/node" --test --test-reporter tap tests/scripts/*.test.mjs
}

tools_lane() {
  step 'Chromium and Python' browser_and_python
  step 'Python packages of the tests' install_python
  step 'runner: types, lints and unit tests' runner_checks
  step 'page scripts: lints and unit tests' page_scripts
}

# --- Compilation and cargo's tests ---

format_and_lints() {
  cargo fmt --all --check
  cargo clippy --locked --workspace --all-targets --quiet -- -D warnings
}

# After the lints, whose metadata of the dependencies it uses.
documentation() {
  RUSTDOCFLAGS='-D warnings' cargo doc --locked --workspace --no-deps --document-private-items --quiet
}

compile_tests() {
  cargo test --locked --workspace --no-run --quiet
}

cargo_tests() {
  cargo test --locked --workspace --quiet | tee "$logs/cargo-tests.log"
}

# --- Steps with the built program, which is the tests' own: dependencies are compiled once ---

examples() {
  "$nbc" build examples --output "$out/site" --timings
  "$nbc" verify "$out/site"
}

failing_and_attacking() {
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
}

islands() {
  "$nbc" build tests/browser/islands.ipynb --layout site --allow-island html --allow-island anywidget --output "$out/islands"
  "$nbc" verify "$out/islands" --allow-island
}

same_bytes() {
  local name
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
}

every_page() {
  "$NBC_TEST_PYTHON" tests/browser/run.py "$out"
  "$NBC_TEST_PYTHON" tests/browser/islands.py "$out/islands"
  "$NBC_TEST_PYTHON" tests/browser/states.py "$out/site"
}

tables() { "$NBC_TEST_PYTHON" tests/browser/tables.py "$nbc"; }
live_charts() { "$NBC_TEST_PYTHON" tests/browser/live_charts.py "$nbc"; }
widgets() { "$NBC_TEST_PYTHON" tests/browser/widgets.py "$nbc"; }
hostile() { "$NBC_TEST_PYTHON" tests/browser/hostile.py "$nbc"; }

apps() {
  local layout
  for layout in single site; do
    "$nbc" build tests/apps --python "$NBC_TEST_PYTHON" --layout "$layout" --output "$out/apps/$layout"
    "$nbc" verify "$out/apps/$layout"
  done
  "$NBC_TEST_PYTHON" tests/browser/apps.py "$out/apps"
}

cache_is_whole() { "$nbc" cache verify; }

apps_lane() {
  step 'every state of the apps in Chromium, beside a fresh kernel of marimo' apps
}

pages_lane() {
  step 'single files, and the examples that fail and attack' failing_and_attacking
  step 'outputs with scripts of their own' islands
  step 'every page in Chromium' every_page
  step 'tables in Chromium' tables
  step 'charts with inputs in Chromium' live_charts
  step 'ipywidgets in Chromium' widgets
  step 'hostile notebooks in Chromium' hostile
  step 'same inputs, same bytes' same_bytes
}

# Sums the number in each match of a pattern. Use: count PATTERN LOG…
count() {
  local pattern="$1"
  shift
  { grep -hoE "$pattern" "$@" || true; } | { grep -oE '[0-9]+' || true; } | awk '{ all += $1 } END { print all + 0 }'
}

step 'tools of Rust' rust_tools
lane tools tools_lane
step 'format and lints' format_and_lints
step 'documentation' documentation
step 'tests, compiled' compile_tests
finish tools
# The examples go first: later lanes use their environments.
step 'examples, as the README builds them' examples
lane apps apps_lane
lane pages pages_lane
step 'unit and integration tests' cargo_tests
finish pages apps
step 'the cache is whole' cache_is_whole

printf '\n== done\n%8s %8s  %s\n' start took step
sort -n "$logs/steps" | awk -F '\t' '{ printf "%7ss %7ss  %s\n", $1, $2, $3 }'
cargo_tests="$(count '^test result: ok\. [0-9]+ passed' "$logs/cargo-tests.log")"
probes="$(count '^[0-9]+ probes in' "$logs/cargo-tests.log")"
kills="$(count '^[0-9]+ kills in' "$logs/cargo-tests.log")"
runner="$(count '^Ran [0-9]+ tests' "$logs/tools.log")"
checks="$(count '^[0-9]+ passed, 0 failed' "$logs/pages.log" "$logs/apps.log")"
scripts="$(count '^# pass [0-9]+' "$logs/tools.log")"
echo "every test passed: $cargo_tests of cargo, $runner of the runner, $scripts of page scripts," \
  "$probes probes and $kills kills of the attack suite," \
  "$checks checks in Chromium; in ${SECONDS}s"
