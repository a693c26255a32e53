#!/usr/bin/env bash
# Reproduce the paper's numbers: install, test, train every seed that counts, evaluate, report.
#
# What has a record in results/ is not trained again: to repeat all of it, delete results/ first.
set -euo pipefail
cd "$(dirname "$0")"

if [ -z "${VIRTUAL_ENV:-}${CONDA_PREFIX:-}" ]; then
    python3 -m venv .venv
    source .venv/bin/activate
fi
pip install --quiet --editable . --constraint constraints.txt
pytest --quiet

python report.py --missing | while read -r command; do
    echo "\$ $command"
    $command </dev/null
done
runs=$(python report.py --runs)
failed=0
for run in $runs; do
    python evaluate.py run="$run" || failed=1
done
python report.py
exit "$failed" # with 1 where an evaluation is not what its record says
