#!/usr/bin/env bash
# Runs every fuzz target (or the named ones) for a while, seeded with the files that the real libraries wrote.
#
#     scripts/fuzz.sh SECONDS [TARGET ...]
#
# It needs a C++ compiler and cargo-fuzz (cargo install --locked cargo-fuzz). What libFuzzer adds is not stable in Rust,
# so a stable compiler is told to allow it. Corpora are kept in fuzz/corpus and go on growing from run to run; what a
# target finds lies in fuzz/artifacts: make it smaller (cargo fuzz tmin), keep it as a test, mend it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
seconds=${1:?how many seconds a target}
shift
export RUSTC_BOOTSTRAP=1
tests=crates/impasto-vgg/tests/data/weights

# Puts copies of files into a target's corpus.
seed() {
    local target=$1 file
    shift
    mkdir -p "fuzz/corpus/$target"
    for file in "$@"; do
        [ ! -e "$file" ] || cp -n "$file" "fuzz/corpus/$target/$(basename "$file")"
    done
}

seed weights_safetensors $tests/*.safetensors
seed weights_mat $tests/*.mat
seed weights_pth $tests/{zip,channels_last_in_checkpoint,parameters_bf16,one_storage_f16}.pth
seed weights_pth_legacy $tests/legacy*.pth
seed weights_hdf5 $tests/*.h5
seed image fuzz/seeds/image/* assets/*.jpg
seed recipe fuzz/seeds/image/*
seed profile fuzz/seeds/profile/*
seed checkpoint fuzz/seeds/checkpoint/*

if [ $# = 0 ]; then
    set -- weights_safetensors weights_mat weights_pth weights_pth_legacy weights_hdf5 checkpoint recipe image profile task
fi
for target in "$@"; do
    printf '\n== %s\n' "$target"
    # A file takes at most 64 MiB beside its tensors, the fuzzer itself some 300.
    cargo fuzz run "$target" -- -max_total_time="$seconds" -rss_limit_mb=640 -timeout=20 -max_len=65536 \
        -print_final_stats=1 2>&1 | grep -E '^(==|INFO: seed|SUMMARY|#.*DONE|Done|stat::|Test unit|artifact)|panicked|ERROR' || true
    if compgen -G "fuzz/artifacts/$target/*" >/dev/null; then
        printf 'finds: %s\n' "$(ls fuzz/artifacts/"$target" | wc -l)"
    fi
done
