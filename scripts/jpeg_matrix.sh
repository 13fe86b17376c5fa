#!/usr/bin/env bash
# JPEG files of every kind, made by libjpeg-turbo's cjpeg, and what its djpeg makes of them, against what impasto reads.
#
#     scripts/jpeg_matrix.sh quick|full [FOLDER]     # seconds; a minute
#     scripts/jpeg_matrix.sh files FOLDER            # the quick ones, for tests that are run with IMPASTO_JPEG_MATRIX=FOLDER
#
# Samplings (colour as fine as brightness, coarser, finer), sequential and progressive, scan scripts, restarts, arithmetic
# coding, odd sizes. Needs libjpeg-turbo-progs; what cjpeg or djpeg refuses themselves is left out. The files stay in the folder
# where one is named.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
extent=${1:-quick}
folder=${2:-}
if [[ -z $folder ]]; then
    folder=$(mktemp -d)
    trap 'rm -rf "$folder"' EXIT
fi
mkdir -p "$folder"

# Cuts of a photograph that this repository ships.
cut() {
    jpegtran -crop "$1+256+160" assets/rocket.jpg | djpeg -ppm -outfile "$folder/$1.ppm"
}

# NAME SIZE OPTIONS...: one file and what djpeg makes of it.
make() {
    local file="$folder/$1.$2"
    if cjpeg -quality 90 "${@:3}" -outfile "$file.jpg" "$folder/$2.ppm" 2>/dev/null; then
        djpeg -ppm -outfile "$file.ppm" "$file.jpg" 2>/dev/null || rm -f "$file.jpg" "$file.ppm"
    else
        rm -f "$file.jpg"
    fi
}

scans() {
    printf '%s\n' "${@:2}" >"$folder/$1.scans"
}
scans each '0;' '1;' '2;'
scans turned '2;' '0;' '1;'
scans last_two '0;' '1 2;'
scans first_two '0 1;' '2;'
scans bands '0: 0-0, 0, 0;' '2: 0-0, 0, 0;' '1: 0-0, 0, 0;' '1: 1-63, 0, 0;' '0: 1-20, 0, 0;' '2: 1-63, 0, 0;' '0: 21-63, 0, 0;'
scans bits '0 1 2: 0-0, 0, 1;' '0: 1-5, 0, 2;' '2: 1-63, 0, 1;' '1: 1-63, 0, 1;' '0: 6-63, 0, 2;' '0: 1-63, 2, 1;' \
    '0 1 2: 0-0, 1, 0;' '2: 1-63, 1, 0;' '1: 1-63, 1, 0;' '0: 1-63, 1, 0;'

samplings="1x1,1x1,1x1 2x1,1x1,1x1 1x2,1x1,1x1 2x2,1x1,1x1 4x1,1x1,1x1 4x2,2x1,2x1 3x1,1x1,1x1 2x2,2x1,2x1 1x1,2x2,2x2 2x1,4x1,1x1"
sizes="101x67"
small="1x1 33x1 1x35 17x9"
if [[ $extent == full ]]; then
    samplings+=" 1x4,1x1,1x1 4x2,1x1,1x1 2x4,1x1,1x1 1x3,1x1,1x1 3x2,1x1,1x1 2x3,1x1,1x1 2x2,1x2,1x2 2x1,2x1,1x1 2x2,2x2,1x1"
    samplings+=" 4x1,2x1,2x1 1x1,2x1,2x1 1x1,1x2,1x2 2x1,1x2,1x2 1x2,2x1,2x1 1x1,2x1,1x1 2x2,1x1,2x2 4x4,1x1,1x1 1x4,1x2,1x1 4x4,2x2,1x1"
    samplings+=" 3x3,1x1,1x1"
    sizes+=" 96x72 64x67"
    small+=" 8x8 9x9 3x50"
fi
for size in $sizes; do
    cut "$size"
    for sampling in $samplings; do
        name=${sampling//,/_}
        options=(-sample "$sampling")
        make "sequential_$name" "$size" "${options[@]}"
        make "progressive_$name" "$size" "${options[@]}" -progressive
        make "restarts_$name" "$size" "${options[@]}" -restart 3B
        make "progressive_restarts_$name" "$size" "${options[@]}" -progressive -restart 1
        for script in "$folder"/*.scans; do
            script_name=$(basename "$script" .scans)
            make "${script_name}_$name" "$size" "${options[@]}" -scans "$script"
            make "${script_name}_restarts_$name" "$size" "${options[@]}" -scans "$script" -restart 2B
        done
        make "arithmetic_$name" "$size" "${options[@]}" -arithmetic
        make "arithmetic_progressive_$name" "$size" "${options[@]}" -arithmetic -progressive
        make "arithmetic_restarts_$name" "$size" "${options[@]}" -arithmetic -restart 2B
        make "arithmetic_each_$name" "$size" "${options[@]}" -arithmetic -scans "$folder/each.scans"
        make "arithmetic_bits_$name" "$size" "${options[@]}" -arithmetic -scans "$folder/bits.scans" -restart 3B
    done
    make rgb "$size" -rgb -sample 1x1
    make rgb_progressive "$size" -rgb -sample 1x1 -progressive
    make rgb_each "$size" -rgb -sample 1x1 -scans "$folder/each.scans"
    for sampling in 1x1 2x1 2x2; do
        make "grey_$sampling" "$size" -grayscale -sample "$sampling"
        make "grey_progressive_$sampling" "$size" -grayscale -sample "$sampling" -progressive
        make "grey_restarts_$sampling" "$size" -grayscale -sample "$sampling" -restart 1B
    done
    make faint "$size" -quality 5 -sample 2x2
    make exact "$size" -quality 100 -optimize -sample 2x1
done
for size in $small; do
    cut "$size"
    for sampling in 1x1,1x1,1x1 2x1,1x1,1x1 2x2,1x1,1x1 1x2,1x1,1x1 4x2,1x1,1x1; do
        name=${sampling//,/_}
        make "sequential_$name" "$size" -sample "$sampling"
        make "progressive_$name" "$size" -sample "$sampling" -progressive
        make "each_$name" "$size" -sample "$sampling" -scans "$folder/each.scans"
        make "restarts_$name" "$size" -sample "$sampling" -restart 1B
    done
done
[[ $extent == files ]] && exit
IMPASTO_JPEG_MATRIX=$folder cargo test -p impasto --test jpeg_matrix --locked -- --nocapture
