#!/usr/bin/env python3
"""What total variation takes from a picture's noise and what it costs: docs/paper.md, "Low-level noise".

    measure_denoise.py IMPASTO CONTENT STYLE [WORD ...] --try ['' '--denoise' '--tv-weight 24' ...]

Paints once for each that is tried, with the words that follow the images (`--preset default --size 384 --seed 1`), and prints
a line of its picture as written, in 8 bits: the high-frequency energy (the mean squared difference of a value to the mean of its
four neighbours) and the losses, which are those of a run's first evaluation that starts from the picture. The first that is
tried is what the others are compared with. It needs numpy and pillow.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image


def high_frequency_energy(path):
    picture = np.asarray(Image.open(path).convert("RGB"), dtype=np.float64)
    around = picture[:-2, 1:-1] + picture[2:, 1:-1] + picture[1:-1, :-2] + picture[1:-1, 2:]
    return ((picture[1:-1, 1:-1] - around / 4) ** 2).mean()


def lines_of(command):
    told = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()
    return [json.loads(line) for line in told]


def measured(impasto, images, words, tried, folder):
    picture = folder / "picture.png"
    paint = [impasto, "paint", *images, *words, *tried, "--json"]
    seconds = lines_of([*paint, "-o", picture])[-1]["seconds"]
    seen = ["--init", picture, "--levels", "1", "--iterations", "1", "--precision", "f32", "-o", folder / "seen.png"]
    # Its own --levels and --iterations would be given twice.
    kept, place = [], 0
    while place < len(words):
        if words[place] in ("--levels", "--iterations", "--coarse-iterations", "--init", "--seed", "--precision"):
            place += 2
        else:
            kept.append(words[place])
            place += 1
    losses = lines_of([impasto, "paint", *images, *kept, *tried, "--json", *seen])[0]
    return high_frequency_energy(picture), losses["style"], losses["content"], seconds


def main():
    if "--try" not in sys.argv or len(sys.argv) < 5:
        sys.exit(__doc__)
    split = sys.argv.index("--try")
    impasto, content, style, *words = sys.argv[1:split]
    images, first = [content, style], None
    print("| tried | high-frequency energy | style loss | content loss | seconds |\n| --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as folder:
        for tried in sys.argv[split + 1 :]:
            energy, style_loss, content_loss, seconds = measured(impasto, images, words, tried.split(), Path(folder))
            first = first or (energy, style_loss)
            of_first = [f"{100 * (value / was - 1):+.1f}%" for value, was in zip((energy, style_loss), first)]
            print(
                f"| `{tried}` | {energy:.1f} ({of_first[0]}) | {style_loss:.5g} ({of_first[1]}) | {content_loss:.5g} | {seconds:.0f} |",
                flush=True,
            )


main()
