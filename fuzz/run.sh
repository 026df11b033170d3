#!/usr/bin/env bash
# Fuzzes one target with libFuzzer, on stable Rust: `fuzz/run.sh TARGET [SECONDS] [libFuzzer flags…]`.
# What cargo-fuzz does with `--sanitizer none`; no sanitizer is needed where there is no `unsafe`.
# New inputs go to `target/fuzz/corpus`; a crash is written to `target/fuzz/TARGET-…`.
set -euo pipefail
cd "$(dirname "$0")"
target="$1"
seconds="${2:-600}"
shift $(($# < 2 ? $# : 2))
out="$(cd .. && pwd)/target/fuzz"
host="$(rustc -vV | sed -n 's/^host: //p')"
export RUSTFLAGS="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
-Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
-Cllvm-args=-sanitizer-coverage-trace-compares --cfg fuzzing -Ccodegen-units=1"
# A target of its own, so that build scripts and macros are not instrumented.
cargo build --release --quiet --target "$host" --target-dir "$out/build" --bin "$target"
mkdir -p "$out/corpus/$target"
seeds=("corpus/$target")
# Every construct is in the notebooks that marimo is compared on.
case "$target" in
  parse_marimo) seeds=(../tests/differential/notebooks) ;;
  parse_markdown) seeds+=(../tests/differential/notebooks) ;;
  states) seeds+=(../tests/states) ;;
esac
exec "$out/build/$host/release/$target" "$out/corpus/$target" "${seeds[@]}" \
  -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -max_len=16384 \
  -artifact_prefix="$out/$target-" "$@"
