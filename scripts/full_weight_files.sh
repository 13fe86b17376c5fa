#!/usr/bin/env bash
# All of VGG-19 in files that scipy, h5py, safetensors and (with `torch`) PyTorch of today write, 3 GB for a minute, read back with
# difference 0. .ci/run reads small ones of the same libraries.
#
#     scripts/full_weight_files.sh [torch]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet numpy scipy h5py safetensors "$@"
"$folder/venv/bin/python" scripts/make_weight_files.py full "$folder/full"
IMPASTO_WEIGHT_FILES="$folder/full" cargo test -p impasto-vgg --test formats full_size -- --nocapture
