#!/usr/bin/env bash
# Types, lints, format and unit tests of the Python that nbc ships into the sandbox: the runner, and src/environment.
#
#     bash runner/check.sh [PYTHON]    an interpreter with tests/requirements.txt; default: that of tests/run.sh
set -euo pipefail
cd "$(dirname "$0")"
python="${1:-${NBC_TEST_PYTHON:-../target/test-tools/bin/python}}"
export PYTHONDONTWRITEBYTECODE=1

"$python" -m ruff format --check --quiet . ../src/environment
"$python" -m ruff check --quiet . ../src/environment
"$python" -m mypy --no-error-summary .
for program in ../src/environment/*.py ../src/environment/source/*.py; do
  # Programs, not modules: each is checked by itself.
  "$python" -m mypy --no-error-summary "$program"
done
"$python" -m unittest discover --start-directory tests --top-level-directory .
