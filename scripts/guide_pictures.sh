#!/usr/bin/env bash
# Paints the pictures of docs/guide.md, from the images in assets/ alone.
#
#     cargo build --release
#     scripts/guide_pictures.sh target/release/impasto docs/guide [NAME ...]
#
# The first argument is the program, the second the folder that the pictures go to. Names after them (first, scale-2)
# paint those pictures only. Nothing else is needed, but Pillow for one: the guide lays the pictures side by side. All of them take some ten
# minutes on two cores. Run it anew when the default preset changes, and look at every picture: it has to show what its
# step says.
set -euo pipefail
impasto=$(realpath "${1:?the impasto program}")
output=${2:?the folder for the pictures}
shift 2
only=" $* "
mkdir -p "$output"
output=$(realpath "$output")
cd "$(dirname "${BASH_SOURCE[0]}")/../assets"

# paint NAME PHOTO PAINTING... [OPTION...]: a small picture, NAME.jpg. texture and sheet do the same with those commands.
paint() {
    run paint "$@"
}
texture() {
    run texture "$@"
}
sheet() {
    run sweep "$@"
    rm -rf "$output/$1-pictures"
}

# run COMMAND NAME ARGUMENT...
run() {
    local command=$1 name=$2
    shift 2
    if [[ $only != "  " && $only != *" $name "* ]]; then
        return
    fi
    echo "$name" >&2
    "$impasto" "$command" "$@" -o "$output/$name.jpg" --quality 80 --quiet
    # The recipe lies in a file beside a JPEG. The guide gives each command, so it is not kept.
    rm -f "$output/$name.jpg.recipe.json"
}

# nine NAME OTHER: three by three of NAME.jpg, as OTHER.jpg. It takes Python's Pillow.
nine() {
    if [[ $only == "  " || $only == *" $2 "* ]]; then
        python3 -c 'import sys; from PIL import Image
tile = Image.open(sys.argv[1]); width, height = tile.size; sheet = Image.new("RGB", (3 * width, 3 * height))
[sheet.paste(tile, (x * width, y * height)) for x in range(3) for y in range(3)]
sheet.resize((width * 2, height * 2)).save(sys.argv[2], quality=80)' "$output/$1.jpg" "$output/$2.jpg"
    fi
}

# times FACTOR: the default preset's style weight, so many times. The guide's commands have the numbers.
times() {
    "$impasto" recipe --preset default | awk -v factor="$1" '/"style_weight"/ { print $2 * factor }'
}

# 1. The first picture.
paint first astronaut.png whirls.jpg --size 224

# 2. The painting.
for style in whirls glass waves marbled dots; do
    paint "painting-$style" chelsea.png "$style.jpg" --size 224
done
paint painting-two chelsea.png glass.jpg waves.jpg --size 224 --style-blend 2,1

sheet painting-blend chelsea.png glass.jpg waves.jpg --preset default --size 160 --vary blend=0,0.25,0.5,0.75,1 --columns 5

# 3. The weights.
paint weight-tenth coffee.png waves.jpg --size 256 --style-weight "$(times 0.1)"
paint weight-one coffee.png waves.jpg --size 256
paint weight-ten coffee.png waves.jpg --size 256 --style-weight "$(times 10)"

# 4. The brush.
paint scale-half rocket.jpg whirls.jpg --size 256 --style-scale 0.5
paint scale-one rocket.jpg whirls.jpg --size 256
paint scale-two rocket.jpg whirls.jpg --size 256 --style-scale 2

# 5. The size.
paint size-small rocket.jpg whirls.jpg --size 128
paint size-large rocket.jpg whirls.jpg --size 288

# 6. The colours.
paint colour-painting coffee.png glass.jpg --size 256
paint colour-photo coffee.png glass.jpg --size 256 --colours photo
paint colour-match coffee.png glass.jpg --size 256 --colours match
paint colour-before coffee.png glass.jpg --size 256 --colours photo-before

# 7. Parts of the picture.
paint region-two coffee.png waves.jpg glass.jpg --size 288 --region name=cup,mask=coffee-cup.png,painting=2
paint region-rest coffee.png glass.jpg --size 288 --region name=cup,mask=coffee-cup.png --rest photo
paint emphasis-none astronaut.png whirls.jpg --size 288
paint emphasis-face astronaut.png whirls.jpg --size 288 --emphasis astronaut-face.png --content-weight 3

# 8. Tiles.
texture tile marbled.jpg --size 192 --seamless both
nine tile tile-nine

# 9. The noise.
paint noise-none coffee.png waves.jpg --size 224 --init noise --tv-weight 0
paint noise-preset coffee.png waves.jpg --size 224 --init noise
paint noise-more coffee.png waves.jpg --size 224 --init noise --denoise=5

# 10. When it looks wrong.
paint wrong-early astronaut.png glass.jpg --size 224 --levels 1 --iterations 8
paint wrong-one astronaut.png glass.jpg --size 224
paint wrong-authors astronaut.png glass.jpg --size 224 --preset authors --iterations 200
