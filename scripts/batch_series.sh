#!/usr/bin/env bash
# Batches in a long series: killed at random moments until KILLS programs were killed, on 200 pairs of 64 pixels, and by shares; then
# the time of a batch of 20 at 256 pixels beside 20 single commands, and its memory over 100 tasks. The figures stand in
# docs/reliability.md and docs/records/.
#
#     scripts/batch_series.sh [KILLS] [SEED]        with target/release/impasto built (cargo build --release), or IMPASTO_PROGRAM
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

kills=${1:-40} seed=${2:-1}
program=$(realpath "${IMPASTO_PROGRAM:-target/release/impasto}")
if ((kills > 0)); then
    IMPASTO_BATCH_PAINTINGS=100 IMPASTO_BATCH_KILLS=$kills IMPASTO_SEED=$seed \
        cargo test --quiet --workspace --test command -- --nocapture batch::kills::wherever | grep 'same bytes'
fi

assets=$PWD/assets
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
photos=("$assets"/{astronaut.png,chelsea.png,coffee.png,rocket.jpg})
paintings=("$assets"/{glass.jpg,marbled.jpg,waves.jpg,whirls.jpg})
seconds() { date +%s.%N; }

# 20 pairs: four photos, five paintings, of which the last is a photo.
paintings20=("${paintings[@]}" "$assets/rocket.jpg")
options=(--size 256 --iterations 10 --levels 1 --device cpu)
"$program" batch plan "${photos[@]}" --styles "${paintings20[@]}" --out twenty "${options[@]}" >/dev/null
begun=$(seconds)
"$program" batch run twenty --device cpu --quiet
batch=$(awk "BEGIN {print $(seconds) - $begun}")
begun=$(seconds)
for photo in "${photos[@]}"; do
    for painting in "${paintings20[@]}"; do
        name=$(basename "${photo%.*}")-$(basename "${painting%.*}").png
        "$program" paint "$photo" "$painting" -o "$name" "${options[@]}" --quiet
        cmp "$name" "twenty/pictures/$name"
    done
done
single=$(awk "BEGIN {print $(seconds) - $begun}")
printf 'a batch of 20 at 256: %.1f s; 20 single commands: %.1f s; the same bytes\n' "$batch" "$single"

# 100 tasks: 25 names of each photo. Memory as the system tells it, after 20 tasks and at the end.
mkdir many
for number in {01..25}; do
    for photo in "${photos[@]}"; do ln -s "$photo" "many/$number-$(basename "$photo")"; done
done
"$program" batch plan many --styles "${paintings[0]}" --out hundred --size 128 --iterations 5 --device cpu >/dev/null
"$program" batch run hundred --device cpu --json >lines 2>/dev/null &
pid=$!
after20=0 most=0
while kill -0 $pid 2>/dev/null; do
    now=$(awk '/^VmHWM/ {print $2}' /proc/$pid/status 2>/dev/null || true)
    [[ -n $now ]] && most=$now
    if [[ $after20 == 0 && $(grep -c '"painted"' lines) -ge 20 ]]; then after20=$most; fi
    sleep 0.05
done
wait $pid
printf 'memory of 100 tasks at 128: %d KiB at most after 20, %d KiB at the end\n' "$after20" "$most"
(((most - after20) < 16 * 1024))
