#!/usr/bin/env bash
# What impasto has promised, as text: the pixels of some fifty pictures as digests, the recipes that pictures carry, JSON
# lines, sentences, exit statuses, folders of runs, help. A change that may not change any of it is made between two runs:
#
#     scripts/promises.sh OLD/impasto old
#     scripts/promises.sh NEW/impasto new
#     diff -r old new                           (empty)
#     diff -r -I '"format": ' old new           (where recipes may gain that field and nothing else)
#
# Both on one machine, for bytes depend on the instruction set, and with the same copy of this repository, whose images and
# kept runs it reads. Two runs of one program give the same texts: what a clock or the memory says is left out. It takes
# some four minutes of processor time, and needs Python's standard library. What the processor has not (bfloat16, AMX) is not
# looked at.
set -euo pipefail

if [ $# != 2 ]; then
    echo "usage: scripts/promises.sh PROGRAM OUT_DIR" >&2
    exit 2
fi
repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
program=$(realpath "$1")
if [ ! -f "$program" ] || [ ! -x "$program" ]; then
    echo "promises.sh: $1 is not a program" >&2
    exit 2
fi
mkdir -p "$2"
out=$(realpath "$2")
if [ -n "$(ls -A "$out")" ]; then
    echo "promises.sh: $2 has something in it already; give a new folder" >&2
    exit 2
fi
kept=$(find "$repository/crates" -type d -path '*/before-formats/half-done-runs' -print -quit)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp "$repository"/assets/*.png "$repository"/assets/*.jpg "$work"
cd "$work"
mkdir "$out"/{recipes,lines,said,help,runs}

# Nothing of this machine or shell but its processor.
unset IMPASTO_ISA RUST_BACKTRACE COLUMNS CLICOLOR_FORCE
export IMPASTO_CACHE="$work/cache" LC_ALL=C NO_COLOR=1
export VK_DRIVER_FILES=/nonexistent/driver.json VK_ICD_FILENAMES=/nonexistent/driver.json
failures=0

text() {
    python3 "$repository/scripts/promises_text.py" "$@"
}

# Paths, and what a clock says, out of sentences. Progress comes by the clock, and is left out whole.
plain() {
    sed -E -e "s|$program|impasto|g; s|$work|FOLDER|g" -e '/^[0-9]+\/[0-9]+ .*loss/d' \
        -e 's/^(impasto: about [0-9.]+ [MG]iB).*/\1, SOME TIME/' -e 's/ in [0-9.]+ (ms|s|min|h)( [0-9]+ s)?/ in SOME TIME/'
}

# run NAME WORDS...: runs the program; its lines go to lines/, what it says and its exit status to said/.
run() {
    local name=$1 status=0
    shift
    "$program" "$@" >"$work/stdout" 2>"$work/stderr" || status=$?
    {
        printf '$ impasto %s\nstatus %s\n' "$*" "$status"
        plain <"$work/stderr"
    } >"$out/said/$name.txt"
    case " $* " in
        *" --json "*) text lines <"$work/stdout" >"$out/lines/$name.jsonl" ;;
        *) plain <"$work/stdout" >>"$out/said/$name.txt" ;;
    esac
    if [ "$status" != 0 ]; then
        failures=$((failures + 1))
        echo "promises.sh: status $status of $name: $(head -c 300 "$work/stderr")" >&2
    fi
}

# look NAME PICTURE.png: the picture's pixels and its recipe.
look() {
    [ -e "$2" ] || return 0
    text pixels "$2" | sed "s|  [^ ]*\$|  $1|" >>"$out/pixels.txt"
    "$program" recipe "$2" >"$out/recipes/$1.json" 2>&1 || true
}

# paint NAME WORDS...: paints, on the processor; WORDS begin with the command.
paint() {
    local name=$1
    shift
    run "$name" "$@" --device cpu --json -o "$name.png"
    look "$name" "$name.png"
}

small=(--size 96 --iterations 5)
pair=(paint chelsea.png waves.jpg "${small[@]}")
two_sizes=(--size 128 --levels 2 --coarse-iterations 5 --iterations 4)

# --- Pictures ---------------------------------------------------------------------------------------------------------

paint preset-default paint astronaut.png whirls.jpg "${two_sizes[@]}"
for preset in authors johnson paper photoreal texture reconstruction; do
    paint "preset-$preset" "${pair[@]}" --preset "$preset"
done
paint preset-tutorial paint coffee.png glass.jpg --preset tutorial --size 120x90 --iterations 6
paint noise-seed-1 "${pair[@]}" --init noise --seed 1
paint noise-seed-2 "${pair[@]}" --init noise --seed 2
paint blend "${pair[@]}" --init blend --noise-ratio 0.3 --seed 7
paint init-style "${pair[@]}" --init style
paint init-picture "${pair[@]}" --init rocket.jpg
paint two-styles paint rocket.jpg dots.jpg marbled.jpg "${small[@]}" --style-blend 2,1
paint two-styles-even paint rocket.jpg dots.jpg marbled.jpg "${small[@]}"
paint original-colors "${pair[@]}" --original-colors
paint style-scale "${pair[@]}" --style-scale 0.5
paint pool-and-border "${pair[@]}" --pool max --border zero
paint layers "${pair[@]}" --content-layers conv3_2=0.5,conv4_2 --style-layers conv1_2,conv3_3=2
paint denoise "${pair[@]}" --denoise=2
paint clamped "${pair[@]}" --clamp --range-weight 0 --tv-weight 1
paint lbfgs-plain paint chelsea.png waves.jpg --size 96 --coarse-emphasis 0 --history 2 --iterations 10
paint adam paint coffee.png dots.jpg "${two_sizes[@]}" --optimizer adam --learning-rate 5
for precision in f32 bf16 f16 auto; do
    paint "precision-$precision" paint chelsea.png glass.jpg "${two_sizes[@]}" --precision "$precision"
done
paint one-thread paint astronaut.png whirls.jpg "${two_sizes[@]}" --threads 1
paint three-levels paint astronaut.png marbled.jpg --size 160x144 --levels 3 --coarse-iterations 4 --iterations 3
paint depth-16 "${pair[@]}" --depth 16
paint recipe-of-a-picture paint rocket.jpg glass.jpg --recipe preset-tutorial.png
paint recipe-with-its-images paint --recipe two-styles.png --seed 3
paint texture texture glass.jpg "${small[@]}"
paint reconstruct reconstruct astronaut.png "${small[@]}" --layer conv3_2
for isa in portable avx2 avx512 amx neon; do
    # Where the processor has it not, that is said, and the saying is compared.
    export IMPASTO_ISA=$isa
    before=$failures
    paint "isa-$isa" paint chelsea.png waves.jpg "${two_sizes[@]}" 2>"$work/not-here" || true
    failures=$before
    unset IMPASTO_ISA
done

for name in jpeg.jpg webp.webp tiff.tif; do
    run "format-${name%.*}" "${pair[@]}" --device cpu --json --quality 80 -o "$name"
    sha256sum "$name" >>"$out/files.txt"
    cp "$name.recipe.json" "$out/recipes/$name.sidecar.json"
    "$program" recipe "$name" >"$out/recipes/$name.json"
done
run format-tiff-16 "${pair[@]}" --device cpu --json --depth 16 -o deep.tif
sha256sum deep.tif >>"$out/files.txt"

run sweep sweep chelsea.png waves.jpg -o sheet.png --vary ratio=1e-3,1e-1 --vary init=content,noise:4 \
    --size 64 --iterations 3 --device cpu --json
look sweep sheet.png
for picture in sheet-pictures/*.png; do
    name=${picture##*/}
    look "sweep,${name%.png}" "$picture"
done
run texture-all texture dots.jpg -o textures.png --all-layers --size 64 --iterations 3 --device cpu --json
for picture in textures?*.png; do
    look "all-layers,${picture%.png}" "$picture"
done

# What people read, without --json.
run for-people paint chelsea.png waves.jpg --size 64 --iterations 3 --levels 1 --device cpu -o people.png
look for-people people.png

# --- Runs in a folder -------------------------------------------------------------------------------------------------

# keep NAME FOLDER: the folder's files, its record and lines, its picture.
keep() {
    (cd "$2" && find . -type f | sort) >"$out/runs/$1.files.txt"
    text record <"$2/run.json" | plain >"$out/runs/$1.run.json"
    text lines <"$2/metrics.jsonl" >"$out/runs/$1.metrics.jsonl"
    look "run-$1" "$2/result.png"
    for frame in "$2"/frames/*.png; do
        [ ! -e "$frame" ] || text pixels "$frame" >>"$out/runs/$1.frames.txt"
    done
}

kept_run=(paint coffee.png dots.jpg --size 96 --levels 1 --device cpu --json --save-every 4)
run run-whole "${kept_run[@]}" --run-dir whole --iterations 20 -o beside.jpg
keep whole whole
sha256sum beside.jpg >>"$out/files.txt"
run run-tutorial paint coffee.png dots.jpg --preset tutorial --size 80x60 --iterations 21 --device cpu --json --run-dir tutorial
keep tutorial tutorial
run run-finished-again resume whole --device cpu --json
run run-listed runs whole --json

# killed NAME LINES WORDS...: kills a run after so many lines. The pipe lets it run ahead, so many must be left.
killed() {
    local name=$1 lines=$2 line process
    shift 2
    rm -f pipe
    mkfifo pipe
    "$program" "${kept_run[@]}" --run-dir "$name" --checkpoint-every 0 "$@" >pipe 2>/dev/null &
    process=$!
    {
        for ((line = 0; line < lines; line++)); do
            read -r || true
        done
        kill -KILL "$process" || true
    } <pipe
    wait "$process" 2>/dev/null || true
    if [ -e "$name/result.png" ]; then
        echo "promises.sh: $name was finished before it was killed; give it more evaluations" >&2
        failures=$((failures + 1))
        return
    fi
    (cd "$name" && find . -maxdepth 1 -type f ! -name '.impasto-*' | sort) >"$out/runs/$name.left.txt"
}

killed killed-lbfgs 6 --iterations 40
run killed-lbfgs-resumed resume killed-lbfgs --device cpu --quiet
keep killed-lbfgs killed-lbfgs
killed killed-adam 6 --iterations 40 --optimizer adam
text checkpoint killed-adam/checkpoint-a >"$out/runs/killed-adam.checkpoint.txt"
run killed-adam-resumed resume killed-adam --device cpu --quiet
keep killed-adam killed-adam
run never-killed-lbfgs "${kept_run[@]}" --iterations 40 -o never-killed-lbfgs.png --run-dir never-killed
keep never-killed-lbfgs never-killed
cmp never-killed/result.png killed-lbfgs/result.png >"$out/runs/killed-and-never-killed.txt" 2>&1 || true

# Runs that an earlier program left half-done.
if [ -n "$kept" ]; then
    export IMPASTO_ISA=portable
    for name in lbfgs adam; do
        cp -R "$kept/$name" "left-$name"
        text checkpoint "left-$name/checkpoint-a" >"$out/runs/left-$name.checkpoint.txt"
        run "left-$name-listed" runs "left-$name" --json
        run "left-$name-report" report "left-$name" -o "left-$name.html"
        text page <"left-$name.html" >"$out/runs/left-$name.html"
        run "left-$name-resumed" resume "left-$name" --device cpu --json
        keep "left-$name" "left-$name"
    done
    unset IMPASTO_ISA
fi

# --- Other commands ---------------------------------------------------------------------------------------------------

run plan plan chelsea.png waves.jpg --size 128 --device cpu --json
run plan-recipe plan --recipe two-styles.png --device cpu --json
run bench bench --size 48 --iterations 1 --device cpu --json
run selftest selftest --device cpu --json
run devices devices --json
run weights-list weights list --json
run weights-verify weights verify embedded --json
run weights-verify-normalised weights verify normalised --json
run weights-convert weights convert normalised converted.safetensors --as f16
sha256sum converted.safetensors >>"$out/files.txt"
paint weights-from-a-file "${pair[@]}" --weights converted.safetensors
run log-dir "${pair[@]}" --device cpu --json -o logged.png --log-dir logs
find logs -type f | wc -l >>"$out/said/log-dir.txt"

for preset in default authors tutorial johnson paper photoreal texture reconstruction; do
    "$program" recipe --preset "$preset" >"$out/recipes/of-preset-$preset.json"
done

"$program" man >"$out/help/man.txt"
for shell in bash zsh fish powershell elvish; do
    "$program" completions "$shell" >"$out/help/completions.$shell.txt"
done
"$program" --version >"$out/help/version.txt"
"$program" --help >"$out/help/impasto.txt"
"$program" -h >"$out/help/impasto.short.txt"
for command in paint texture reconstruct sweep resume runs plan report recipe weights 'weights list' 'weights fetch' \
    'weights convert' 'weights normalise' 'weights verify' selftest devices bench completions man; do
    # shellcheck disable=SC2086
    "$program" $command --help >"$out/help/${command// /-}.txt"
    # shellcheck disable=SC2086
    "$program" $command -h >"$out/help/${command// /-}.short.txt"
done

# --- What is refused --------------------------------------------------------------------------------------------------

printf 'a text, and no picture' >words.jpg
head -c 100000 waves.jpg >cut.jpg
head -c 100000 astronaut.png >cut.png
: >empty.png
mkdir folder.png other
touch other/thing
printf '{"sise": "512"}' >field.json
printf '{"version": "9.9.9", "brush": 3}' >later.json
printf '{"iterations": "many"}' >type.json
printf '{"iterations": 3' >broken.json
printf '[1, 2]' >list.json
printf '{"style_layers": {"conv9_1": 1}}' >layer.json
printf '{"content": "../chelsea.png"}' >away.json
printf '{"preset": "authors"}' >no-images.json
mkdir torn
printf '{"layout": 1' >torn/run.json
mkdir later
printf '{"layout": 2}' >later/run.json
if [ -n "$kept" ]; then
    cp -R "$kept/adam" damaged
    printf 'x' | dd of=damaged/checkpoint-a bs=1 seek=3000 conv=notrunc 2>/dev/null
    printf 'x' | dd of=damaged/checkpoint-b bs=1 seek=3000 conv=notrunc 2>/dev/null
fi

# refuse WORDS...: what is said, and the exit status. What is not refused would paint for minutes.
refuse() {
    local status=0
    timeout 20 "$program" "$@" >"$work/stdout" 2>"$work/stderr" </dev/null || status=$?
    {
        printf '$ impasto %s\nstatus %s\n' "$*" "$status"
        plain <"$work/stderr"
        sed 's/^/stdout: /' "$work/stdout" | plain
        echo
    } >>"$out/refusals.txt"
    case $status in
        1 | 2) ;;
        *)
            failures=$((failures + 1))
            echo "promises.sh: status $status of impasto $*, which should be refused" >&2
            ;;
    esac
}

photo=(paint chelsea.png waves.jpg --device cpu)
refuse
refuse pant chelsea.png
refuse paint -o out.png
refuse paint chelsea.png -o out.png
for output in out.gif out chelsea.png ./waves.jpg nowhere/out.png chelsea.png/out.png folder.png; do
    refuse "${photo[@]}" -o "$output"
done
refuse "${photo[@]}" -o out.jpg --depth 16
refuse "${photo[@]}" -o out.jpg --quality 0
for words in '--style-layers conv9_1' '--style-layers conv1_1,conv1_1' '--style-layers conv1_1=NaN' '--size 0' '--size 65536' \
    '--size big' '--size 0x300' '--iterations 0' '--levels 0' '--levels 17' '--history 0' '--seed -1' '--threads 0' \
    '--optimizer sgd' '--pool median' '--border gold' '--precision f8' '--preset van-gogh' '--weights vgg19' \
    '--weights nowhere.safetensors' '--weights chelsea.png' '--style-blend 1,2' '--style-blend 0' \
    '--style-weight 0 --content-weight 0' '--style-weight NaN' '--tv-weight=-1' '--content-weight inf' '--learning-rate 0' \
    '--noise-ratio 1.5' '--style-scale 1000' '--denoise=NaN' '--coarse-emphasis 9' '--memory-limit much' \
    '--memory-limit 1MiB' '--json --preview' '--save-every 2' '--checkpoint-every 3' \
    '--init nowhere.png' '--max-megapixels 0' '--sise 3' '--tv-weight 1 --denoise'; do
    read -ra split <<<"$words"
    refuse "${photo[@]}" -o out.png "${split[@]}"
done
for image in missing.png empty.png words.jpg cut.jpg cut.png folder.png; do
    refuse paint "$image" waves.jpg -o out.png --device cpu
    refuse plan chelsea.png "$image" --device cpu
done
for recipe in field.json later.json type.json broken.json list.json layer.json missing.json chelsea.png; do
    refuse "${photo[@]}" --recipe "$recipe" -o out.png
done
refuse paint --recipe away.json -o out.png
refuse paint --recipe no-images.json -o out.png
refuse recipe chelsea.png
refuse recipe missing.png
refuse recipe --preset van-gogh
refuse "${photo[@]}" --run-dir other
refuse "${photo[@]}" --run-dir whole
refuse "${photo[@]}" --run-dir chelsea.png
refuse resume other
refuse resume missing
refuse resume torn
refuse resume later
if [ -n "$kept" ]; then
    refuse resume damaged --device cpu
fi
refuse report other
refuse runs missing
refuse sweep chelsea.png waves.jpg -o sheet.png --vary colour=1,2
refuse sweep chelsea.png waves.jpg -o sheet.png --vary ratio=a,b
refuse reconstruct chelsea.png -o out.png --layer conv9_9
refuse weights verify words.jpg
refuse weights convert embedded out.mat
refuse bench --size 0
refuse selftest missing.safetensors
refuse completions elvish2
refuse paint chelsea.png waves.jpg -o out.png --device gpu
refuse paint chelsea.png waves.jpg -o out.png --device tpu
IMPASTO_ISA=sse9 refuse "${photo[@]}" -o out.png

sort -k 2 -o "$out/files.txt" "$out/files.txt"
echo "promises.sh: $(wc -l <"$out/pixels.txt") pictures, $(grep -c '^status' "$out/refusals.txt") refusals," \
    "$failures commands that failed and should not have; the texts are in $2"
[ "$failures" = 0 ]
