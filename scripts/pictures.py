#!/usr/bin/env python3
"""Paints pairs with recipes, judges them, and lays them out: curves and a contact sheet.

  pictures.py SERIES.json --program target/release/impasto --judge PATH/judge.py --out DIR

SERIES.json names pairs and recipes; paths in it are relative to its own folder:

  {"size": 384,
   "pairs":   [{"name": "town", "content": "town.jpg", "style": "night.jpg"}],
   "recipes": [{"name": "default", "options": ["--preset", "default"], "style_weights": [25, 75, 225]}]}

Writes DIR/pictures/PAIR-RECIPE-WEIGHT.png (what stands there already is not painted again), DIR/figures.csv, DIR/curves.svg
(style distance against content distance, a panel a pair, a colour a recipe; and seconds against style) and DIR/sheet.jpg.
Needs Pillow for the sheet, and torch for the judge: run it with a Python that has both. Without --judge it paints and
lays out only."""

import argparse
import csv
import json
import pathlib
import subprocess
import sys
import time

COLOURS = ["#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#ff7f0e", "#17becf", "#8c564b", "#7f7f7f"]
FIGURES = ["style", "content", "fine", "checker", "clipped"]


def paint(program, picture, pair, recipe, weight, size):
    """Paints one picture; gives its seconds, from its last line of JSON, kept beside it."""
    note = picture.with_suffix(".json")
    if picture.exists() and note.exists():
        return json.loads(note.read_text())["seconds"]
    options = recipe["options"] + ([] if weight is None else ["--style-weight", str(weight)])
    command = [program, "paint", pair["content"], pair["style"], "-o", picture, "--size", size, "--json", *options]
    started = time.monotonic()
    painted = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, text=True)
    if painted.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))} ended with status {painted.returncode}")
    last = json.loads(painted.stdout.strip().splitlines()[-1])
    last["wall_seconds"] = time.monotonic() - started
    note.write_text(json.dumps(last))
    return last["seconds"]


def judge(arguments, pair, pictures):
    """The figures of a pair's pictures, in their order, and the painting's own fine energy and clipped share."""
    command = [sys.executable, arguments.judge, "--weights", arguments.weights, pair["content"], pair["style"], *pictures]
    lines = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()
    head = lines[0].split("style image:")[1].rstrip(")").split()
    rows = [dict(zip(FIGURES, map(float, line.split()[-5:]))) for line in lines[1:]]
    return rows, {"fine": float(head[1]), "clipped": float(head[5])}


def curves(rows, pairs, recipes):
    """An SVG: a panel a pair, style against content; and one of seconds against style, in means over pairs."""
    side, gap, legend = 260, 60, 24 * len(recipes) + 30
    columns = min(3, len(pairs) + 1)
    panels = [(pair["name"], "content", [row for row in rows if row["pair"] == pair["name"]]) for pair in pairs]
    means = []
    for recipe in recipes:
        for weight in recipe.get("style_weights", [None]):
            some = [row for row in rows if (row["recipe"], row["weight"]) == (recipe["name"], weight)]
            if some:
                mean = {key: sum(row[key] for row in some) / len(some) for key in ("style", "seconds")}
                means.append({**mean, "recipe": recipe["name"], "weight": weight})
    panels.append(("means over pairs", "seconds", means))
    height = legend + -(-len(panels) // columns) * (side + gap) + 20
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{columns * (side + gap) + 20}" height="{height}" font-family="sans-serif" font-size="12">']
    out.append('<rect width="100%" height="100%" fill="white"/>')
    colour = {recipe["name"]: COLOURS[place % len(COLOURS)] for place, recipe in enumerate(recipes)}
    for place, (name, shade) in enumerate(colour.items()):
        out.append(f'<rect x="20" y="{12 + 24 * place}" width="14" height="14" fill="{shade}"/><text x="42" y="{24 + 24 * place}">{name}</text>')
    for place, (title, across, points) in enumerate(panels):
        left, top = 50 + place % columns * (side + gap), legend + place // columns * (side + gap)
        largest = [max([point[key] for point in points], default=1) * 1.08 or 1 for key in (across, "style")]
        spot = lambda point: (left + side * point[across] / largest[0], top + side * (1 - point["style"] / largest[1]))
        out.append(f'<rect x="{left}" y="{top}" width="{side}" height="{side}" fill="none" stroke="#888"/>')
        out.append(f'<text x="{left}" y="{top - 6}">{title}</text><text x="{left + side}" y="{top + side + 16}" text-anchor="end">{across} to {largest[0]:.2f}</text>')
        out.append(f'<text x="{left - 6}" y="{top + side}" transform="rotate(-90 {left - 6} {top + side})">style to {largest[1]:.3f}</text>')
        for name, shade in colour.items():
            own = [spot(point) for point in points if point["recipe"] == name]
            out.append(f'<polyline fill="none" stroke="{shade}" points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in own)}"/>')
            out += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{shade}"/>' for x, y in own]
    return "\n".join(out + ["</svg>", ""])


def sheet(rows, pairs, target, cell=256):
    """A contact sheet: a row a pair, content and style first, then each picture with its recipe and weight."""
    from PIL import Image, ImageDraw

    lines = []
    for pair in pairs:
        own = [(row["path"], f'{row["recipe"]} {row["weight"] or ""}') for row in rows if row["pair"] == pair["name"]]
        lines.append([(pair["content"], pair["name"]), (pair["style"], "")] + own)
    page = Image.new("RGB", (cell * max(map(len, lines)), (cell + 18) * len(lines)), "white")
    draw = ImageDraw.Draw(page)
    for down, line in enumerate(lines):
        for across, (path, label) in enumerate(line):
            image = Image.open(path).convert("RGB")
            image.thumbnail((cell - 4, cell), Image.LANCZOS)
            page.paste(image, (across * cell, down * (cell + 18) + 16))
            draw.text((across * cell + 2, down * (cell + 18) + 2), label, fill="black")
    page.save(target, quality=90)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("series", type=pathlib.Path)
    parser.add_argument("--program", default="target/release/impasto")
    parser.add_argument("--judge", type=pathlib.Path, help="judge.py; without it nothing is judged")
    parser.add_argument("--weights", default="../shared/vgg19/vgg19-conv-8bit.safetensors", help="the judge's network")
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--size", help="instead of the series' own")
    arguments = parser.parse_args()
    series = json.loads(arguments.series.read_text())
    folder, size = arguments.series.parent, arguments.size or series["size"]
    pairs = [{**pair, "content": folder / pair["content"], "style": folder / pair["style"]} for pair in series["pairs"]]
    (arguments.out / "pictures").mkdir(parents=True, exist_ok=True)
    rows = []
    for pair in pairs:
        own = []
        for recipe in series["recipes"]:
            for weight in recipe.get("style_weights", [None]):
                name = "-".join(str(part) for part in (pair["name"], recipe["name"], weight) if part is not None)
                picture = arguments.out / "pictures" / f"{name}.png"
                seconds = paint(arguments.program, picture, pair, recipe, weight, size)
                own.append({"pair": pair["name"], "recipe": recipe["name"], "weight": weight, "seconds": seconds, "path": picture})
        if arguments.judge:
            judged, painting = judge(arguments, pair, [row["path"] for row in own])
            for row, figures in zip(own, judged):
                row.update(figures, painting_fine=painting["fine"], painting_clipped=painting["clipped"])
                print(f'{row["path"].stem:40s} {row["seconds"]:6.1f} s ' + " ".join(f"{key} {row[key]:.4f}" for key in FIGURES), flush=True)
        rows += own
    with open(arguments.out / "figures.csv", "w", newline="") as file:
        names = [name for name in rows[0] if name != "path"]
        writer = csv.DictWriter(file, names, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    if arguments.judge:
        (arguments.out / "curves.svg").write_text(curves(rows, pairs, series["recipes"]))
    sheet(rows, pairs, arguments.out / "sheet.jpg")


if __name__ == "__main__":
    main()
