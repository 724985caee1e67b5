#!/usr/bin/env bash
# The tests on the oldest packages that pyproject.toml allows (about 15 minutes):
#   tests/benchmarks/floors.sh [FOLDER [PYTHON]]
# With RESOLUTION=highest: on the newest; with another PYTHON, on that.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
folder=${1:-$(mktemp -d)} python=${2:-3.11}

python3 -m venv "$folder/uv"
"$folder/uv/bin/pip" install --quiet uv
uv=$folder/uv/bin/uv
"$uv" pip compile --quiet --python-version "$python" --resolution "${RESOLUTION:-lowest-direct}" \
  --extra test --output-file "$folder/packages.txt" "$root/pyproject.toml"
"$uv" venv --quiet --allow-existing --python "$python" "$folder/venv"
export VIRTUAL_ENV=$folder/venv
"$uv" pip sync --quiet "$folder/packages.txt"
"$uv" pip install --quiet --no-deps --editable "$root"

cd "$root"
exec "$folder/venv/bin/python" -m pytest -n 2 -q -p no:cacheprovider
