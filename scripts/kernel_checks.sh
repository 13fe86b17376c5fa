#!/usr/bin/env bash
# The kernels' tests under AddressSanitizer, on every instruction set that this processor has, and the lines of the kernels that
# no test reaches, for each instruction set by itself.
#
#     scripts/kernel_checks.sh [FOLDER]        (some 2 GB for what is built; kept, if a folder is named)
#
# AddressSanitizer is not stable in Rust, so a stable compiler is told to allow it. Lines are counted where the llvm-tools of
# the compiler are installed (rustup component add llvm-tools).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
folder=${1:-$(mktemp -d)}
[ $# = 1 ] || trap 'rm -rf "$folder"' EXIT
mkdir -p "$folder/profiles"
tests=(--lib --test guard_pages --test conformance --test bands --test sizes --test precision)

export RUSTC_BOOTSTRAP=1 CARGO_INCREMENTAL=0 LLVM_PROFILE_FILE="$folder/profiles/%p-%m.profraw"
export RUSTFLAGS="-Zsanitizer=address -Cinstrument-coverage"
# One test ends in a fault on purpose, and looks at how.
export ASAN_OPTIONS=handle_segv=0
# The target is named so that build scripts go without the sanitiser.
host=$(rustc -vV | sed -n 's/host: //p')
run=(cargo test --locked --target "$host" --target-dir "$folder/target" -p impasto-vgg "${tests[@]}")
"${run[@]}"

tools=$(rustc --print sysroot)/lib/rustlib/$host/bin
if [ ! -x "$tools/llvm-cov" ]; then
    echo "skipped: llvm-tools are not installed, so no lines are counted"
    exit
fi
"$tools/llvm-profdata" merge -sparse "$folder"/profiles/*.profraw -o "$folder/all.profdata"
programs=$("${run[@]}" --no-run 2>&1 | sed -n 's/^ *Executable .*(\(.*\))$/--object=\1/p')
for file in buffer direct direct/backward distance injection maps moments taps winograd winograd/gradient winograd/input winograd/output \
    winograd/products winograd/weights amx panels x86; do
    printf '\n== cpu/%s.rs: lines that no test reaches, then lines that one instruction set does not\n' "$file"
    # shellcheck disable=SC2086
    "$tools/llvm-cov" show $programs -instr-profile="$folder/all.profdata" --show-instantiations=false \
        "crates/impasto-vgg/src/cpu/$file.rs" | grep -E '^ +[0-9]+\| +0\|' || echo "none"
    # shellcheck disable=SC2086
    "$tools/llvm-cov" show $programs -instr-profile="$folder/all.profdata" --show-instantiations \
        "crates/impasto-vgg/src/cpu/$file.rs" |
        awk '/_R[A-Za-z0-9_]+:$/ { name = ""
                 if (/Avx512Kh2/) name = "amx"; else if (/Avx512Kh1/) name = "avx512 bf16"; else if (/Avx512/) name = "avx512"
                 else if (/Avx2/) name = "avx2"; else if (/Portable/) name = "portable"
                 next }
             name != "" && $0 ~ /^ *\|? *[0-9]+\| +0\|/ { lines[name ":" $0]++ }
             END { for (line in lines) print lines[line], line }' | sort -k2 | cut -c1-120
done
