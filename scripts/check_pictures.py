#!/usr/bin/env python3
"""Runs scripts/pictures.py once, at 64 pixels: two pairs, a recipe with two style weights and one without, a judge that only measures
pixels. Checks the table, the curves and the sheet, and that nothing is painted twice. Needs Pillow.

  check_pictures.py target/debug/impasto"""

import csv
import json
import pathlib
import subprocess
import sys
import tempfile
import xml.etree.ElementTree

ROOT = pathlib.Path(__file__).resolve().parent.parent
ASSETS = ROOT / "assets"
QUICK = ["--iterations", "2", "--levels", "1", "--style-layers", "conv1_1,conv2_1", "--content-layers", "conv2_2"]
JUDGE = '''
import sys
from PIL import Image, ImageStat
content, style, *results = sys.argv[3:]
print("style  content  hi-freq  checker  clipped   (style image: hi-freq 0.1000 checker 1.0e-03 clipped 0.0100)")
mean = lambda path: ImageStat.Stat(Image.open(path).convert("L")).mean[0]
for result in results:
    print(result, abs(mean(result) - mean(style)), abs(mean(result) - mean(content)), 0.1, 1e-3, 0.02)
'''


def demand(holds, sentence):
    if not holds:
        sys.exit(f"check_pictures: {sentence}")


def main():
    from PIL import Image

    program = pathlib.Path(sys.argv[1]).resolve()
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        pairs = [("cup", "coffee.png", "waves.jpg"), ("cat", "chelsea.png", "glass.jpg")]
        series = {
            "size": 64,
            "pairs": [{"name": name, "content": str(ASSETS / content), "style": str(ASSETS / style)} for name, content, style in pairs],
            "recipes": [{"name": "default", "options": QUICK, "style_weights": [5, 50]}, {"name": "quick", "options": ["--preset", "quick", *QUICK]}],
        }
        (folder / "series.json").write_text(json.dumps(series))
        (folder / "judge.py").write_text(JUDGE)
        command = [sys.executable, ROOT / "scripts/pictures.py", folder / "series.json", "--program", program]
        command += ["--judge", folder / "judge.py", "--out", folder / "out"]
        run = lambda: subprocess.run([str(word) for word in command], check=True, stdout=subprocess.PIPE)
        run()
        with open(folder / "out/figures.csv", newline="") as file:
            rows = list(csv.DictReader(file))
        demand([(row["pair"], row["recipe"], row["weight"]) for row in rows] == [(pair[0], recipe, weight) for pair in pairs for recipe, weight in (("default", "5"), ("default", "50"), ("quick", ""))], f"the table is {rows}")
        demand(all(float(row["seconds"]) > 0 and float(row["painting_fine"]) == 0.1 for row in rows), "a figure is missing")
        pictures = sorted((folder / "out/pictures").glob("*.png"))
        demand(len(pictures) == 6 and len({picture.read_bytes() for picture in pictures}) == 6, f"the pictures are {pictures}")
        demand(all(max(Image.open(picture).size) == 64 for picture in pictures), "a picture has another size")
        drawing = xml.etree.ElementTree.parse(folder / "out/curves.svg").getroot()
        circles = drawing.findall("{http://www.w3.org/2000/svg}circle")
        demand(len(circles) == 6 + 3, f"{len(circles)} points are drawn, for six pictures and three means")
        demand(Image.open(folder / "out/sheet.jpg").size == (5 * 256, 2 * 274), "the sheet is not five pictures wide and two high")
        before = {picture: picture.stat().st_mtime_ns for picture in pictures}
        run()
        demand(before == {picture: picture.stat().st_mtime_ns for picture in pictures}, "a picture was painted twice")
    print("pictures: painted, judged, drawn and laid out, each once")


if __name__ == "__main__":
    main()
