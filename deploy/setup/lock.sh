#!/bin/sh
# Writes requirements/*.lock from requirements/*.in: names, versions and hashes, no address.
# uv comes into a throw-away environment, so that set-up itself needs nothing but pip.
# Pass --upgrade to take newer releases; without it only what the .in files force changes.
set -eu
cd "$(dirname "$0")/../.."
python="${PYTHON:-python3}"
scratch="$(mktemp -d)"
trap 'rm -rf "$scratch"' EXIT INT TERM
"$python" -m venv "$scratch/venv"
"$scratch/venv/bin/pip" install --quiet --disable-pip-version-check uv
for name in runtime dev quantize; do
    # dev.in and quantize.in constrain themselves to runtime.lock, so the order matters.
    (cd requirements && "$scratch/venv/bin/uv" pip compile --quiet \
        --python-version 3.11 --python-platform x86_64-manylinux_2_28 \
        --generate-hashes --no-emit-index-url --no-header --no-annotate \
        --overrides excluded.txt --output-file "$name.lock" "$@" "$name.in")
done
if grep -nE '://' requirements/*.lock; then
    echo "make lock: an address got into a lock file (above); look at your uv settings." >&2
    exit 1
fi
