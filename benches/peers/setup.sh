#!/usr/bin/env bash
# Makes the environments of the other systems under target/peers: one for each list of requirements, as MXNet needs an old
# numpy. About 6 GB on disk; running it again changes nothing.
#
#     benches/peers/setup.sh            # python3.11, or PYTHON=/path/to/python
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
python=${PYTHON:-python3.11}

"$python" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || {
    echo "error: $python is not Python 3.11, the newest for which MXNet 1.9.1 and its numpy are packaged" >&2
    exit 1
}
free=$(df --output=avail -BG "$root" | tail -n 1 | tr -dc 0-9)
if [ "$free" -lt 15 ]; then
    echo "error: the environments need about 6 GB and their downloads as much again, and $free GB are free" >&2
    exit 1
fi
for list in "$here"/requirements-*.txt; do
    name=$(basename "$list" .txt)
    venv="$root/target/peers/${name#requirements-}"
    [ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
    "$venv/bin/python" -m pip install --quiet --no-cache-dir --requirement "$list"
    echo "$venv"
done
