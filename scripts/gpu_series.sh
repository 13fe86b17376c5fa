#!/usr/bin/env bash
# Every case of the GPU's tests, of which .ci/run tries a part on software Vulkan (there a case takes seconds). With the name of a
# test, that one alone.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
IMPASTO_GPU_SERIES=1 IMPASTO_REQUIRE_GPU=1 cargo test --workspace --locked --test gpu -- "$@"
