#!/bin/sh
# Speed on one GPU in less than nine minutes, from a checkout: benchmarks/gpu.sh [--reference DIR] [--out FILE]
# Needs Python with PyTorch 2.11 or later. Wheels in a folder `wheels` beside the checkout's files are installed
# first, if there are any; nothing of them is required.
set -e
cd "$(dirname "$0")/.."
python="${PYTHON:-python3}"
if [ -d wheels ]; then
    "$python" -m pip install --quiet --no-index --find-links wheels wheels/*.whl || echo "wheels not installed; going on without" >&2
fi
exec "$python" -m benchmarks.gpu "$@"
