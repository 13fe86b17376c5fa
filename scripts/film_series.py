#!/usr/bin/env python3
"""Renders three clips whose movement is known, paints them as films and frame by frame, and measures both.

  film_series.py --program target/release/impasto --out DIR [--judge PATH/judge.py --weights FILE] [--size 192] [--frames 10]
                 [--clips pan,figures,cut] [-- options of `impasto video`]

The clips are made of assets/: a camera's pan over a photo, two figures that cross before a ground, and a cut between two pans.
DIR/figures.csv has for each clip and each way of painting: the warping error (mean over frames of the mean squared difference of
each pixel from where it truly was in the frame before, over pixels that are seen in both, 0..255 squared), the judge's mean style
distance, and seconds a frame after a shot's first. DIR/CLIP/film-sheet.png has frames and enlarged crops side by side: source, film,
frame by frame. DIR/CLIP/film-differences.png has every tenth frame (every third of a short clip), and below it how each pixel differs from
where it truly was in the frame before: grey for not at all, four times enlarged; what was not seen before is black. What is painted
already is not painted again; with --film-alone nothing is painted frame by frame. Needs Pillow and numpy; the judge needs torch."""

import argparse
import csv
import json
import math
import pathlib
import subprocess
import sys
import time

import numpy
from PIL import Image

ASSETS = pathlib.Path(__file__).resolve().parent.parent / "assets"
STYLES = {"pan": "whirls.jpg", "figures": "glass.jpg", "cut": "waves.jpg"}


class Layer:
    """A picture with a mask, that each frame shows through an affine map from the frame's pixels to the picture's."""

    def __init__(self, picture, mask, places):
        self.picture, self.mask, self.places = picture, mask, places


def turned(scale, angle, centre, at):
    """The map from a frame to a picture: the picture's `centre` lies at the frame's `at`, `scale` frame pixels a picture's pixel."""
    c, s = math.cos(angle) / scale, math.sin(angle) / scale
    return numpy.array([[c, s, centre[0] - c * at[0] - s * at[1]], [-s, c, centre[1] + s * at[0] - c * at[1]]])


def photo(name):
    return Image.open(ASSETS / name).convert("RGB")


def clip(name, width, height, frames):
    """The layers of a clip, the ground first, and the frames that begin a shot."""
    middle = (width / 2, height / 2)
    if name == "pan":
        picture = photo("coffee.png")
        fit = 1.35 * width / picture.width
        step = 2.3 / fit
        places = [turned(fit * 1.006**t, 0.004 * t, (250 + step * t, 190 + 0.4 * step * t), middle) for t in range(frames)]
        return [Layer(picture, None, places)], [0]
    if name == "figures":
        ground, cup, cat = photo("rocket.jpg"), photo("coffee.png"), photo("chelsea.png")
        cup_mask = Image.open(ASSETS / "coffee-cup.png").convert("L").resize(cup.size)
        y, x = numpy.mgrid[0 : cat.height, 0 : cat.width]
        oval = (((x - 225) / 150.0) ** 2 + ((y - 150) / 120.0) ** 2 < 1).astype(numpy.uint8) * 255
        fit = 1.15 * width / ground.width
        cup_at = [(width * 0.25 + 3.1 * t, height * 0.62 + 0.5 * t) for t in range(frames)]
        cat_at = [(width * 0.78 - 2.6 * t, height * 0.35 + 0.8 * t) for t in range(frames)]
        return [
            Layer(ground, None, [turned(fit, 0.0, (320 - 0.8 * t, 213), middle) for t in range(frames)]),
            Layer(cat, Image.fromarray(oval), [turned(width / 1100, 0.01 * t, (225, 150), cat_at[t]) for t in range(frames)]),
            Layer(cup, cup_mask, [turned(width / 1000, 0.0, (300, 200), cup_at[t]) for t in range(frames)]),
        ], [0]
    first = frames // 2
    astronaut, cat = photo("astronaut.png"), photo("chelsea.png")
    one = [turned(1.3 * width / 512, 0.0, (230 + 1.5 * t, 180 + 0.9 * t), middle) for t in range(frames)]
    two = [turned(1.2 * width / 451, 0.0, (215 + 1.2 * t, 150), middle) for t in range(frames)]
    nowhere = Image.new("L", cat.size, 0)
    seen = Layer(cat, [nowhere if t < first else Image.new("L", cat.size, 255) for t in range(frames)], two)
    return [Layer(astronaut, None, one), seen], [0, first]


def drawn(layer, t, width, height, samples=3):
    """A layer in a frame: its colours and its mask, each pixel the mean of samples x samples."""
    big = (width * samples, height * samples)
    m = layer.places[t]
    # From a sample of the larger frame to the picture.
    shift = 0.5 / samples - 0.5
    data = [m[0, 0] / samples, m[0, 1] / samples, m[0, 2] + shift * (m[0, 0] + m[0, 1])]
    data += [m[1, 0] / samples, m[1, 1] / samples, m[1, 2] + shift * (m[1, 0] + m[1, 1])]
    # PIL samples at centres, half a pixel in.
    data[2] += 0.5 - 0.5 * (data[0] + data[1])
    data[5] += 0.5 - 0.5 * (data[3] + data[4])
    colours = layer.picture.transform(big, Image.AFFINE, data, Image.BICUBIC)
    mask = layer.mask[t] if isinstance(layer.mask, list) else layer.mask
    inside = Image.new("L", layer.picture.size, 255) if mask is None else mask
    inside = inside.transform(big, Image.AFFINE, data, Image.BILINEAR, fillcolor=0)
    mean = lambda image: numpy.asarray(image, float).reshape(height, samples, width, samples, -1).mean((1, 3))
    return mean(colours), mean(inside)[:, :, 0] / 255


def render(layers, width, height, frames):
    """The frames; for each but the first where each of its pixels was in the one before, and whether it was seen there."""
    pictures, tops = [], []
    for t in range(frames):
        picture, top = numpy.zeros((height, width, 3)), numpy.zeros((height, width), int)
        for number, layer in enumerate(layers):
            colours, inside = drawn(layer, t, width, height)
            picture = picture * (1 - inside[:, :, None]) + colours * inside[:, :, None]
            top[inside > 0.5] = number
            top[(inside > 0.02) & (inside < 0.98)] = -1
        pictures.append(picture)
        tops.append(top)
    truths = [None]
    y, x = numpy.mgrid[0:height, 0:width].astype(float)
    for t in range(1, frames):
        was = numpy.zeros((height, width, 2))
        seen = numpy.zeros((height, width), bool)
        for number, layer in enumerate(layers):
            here, before = layer.places[t], layer.places[t - 1]
            px = here[0, 0] * x + here[0, 1] * y + here[0, 2]
            py = here[1, 0] * x + here[1, 1] * y + here[1, 2]
            back = numpy.linalg.inv(before[:, :2])
            bx = back[0, 0] * (px - before[0, 2]) + back[0, 1] * (py - before[1, 2])
            by = back[1, 0] * (px - before[0, 2]) + back[1, 1] * (py - before[1, 2])
            inside = (bx >= 0) & (bx <= width - 1) & (by >= 0) & (by <= height - 1)
            nx, ny = bx.round().clip(0, width - 1).astype(int), by.round().clip(0, height - 1).astype(int)
            own = (tops[t] == number) & inside & (tops[t - 1][ny, nx] == number)
            was[own] = numpy.stack([bx, by], -1)[own]
            seen |= own
        truths.append((was, seen))
    return pictures, truths


def sampled(picture, was):
    x, y = was[..., 0], was[..., 1]
    x0, y0 = numpy.floor(x).astype(int), numpy.floor(y).astype(int)
    x1, y1 = (x0 + 1).clip(max=picture.shape[1] - 1), (y0 + 1).clip(max=picture.shape[0] - 1)
    fx, fy = (x - x0)[..., None], (y - y0)[..., None]
    upper = picture[y0, x0] * (1 - fx) + picture[y0, x1] * fx
    lower = picture[y1, x0] * (1 - fx) + picture[y1, x1] * fx
    return upper * (1 - fy) + lower * fy


def warping_error(paths, truths, firsts):
    """Mean over frames of the mean squared difference from the frame before, where the truth says."""
    errors = []
    pictures = [numpy.asarray(Image.open(path).convert("RGB"), float) for path in paths]
    for t in range(1, len(pictures)):
        if t not in firsts:
            was, seen = truths[t]
            difference = pictures[t] - sampled(pictures[t - 1], was)
            errors.append((difference[seen] ** 2).mean())
    return float(numpy.mean(errors))


def differences(rows, truths, firsts, picks):
    """Frames, and below them their differences from the frame before."""
    width, height = Image.open(rows[0][0]).size
    page = Image.new("RGB", ((width + 4) * len(picks), (2 * height + 8) * len(rows)), "white")
    for row, paths in enumerate(rows):
        for column, t in enumerate(picks):
            at = (column * (width + 4), row * (2 * height + 8))
            picture = Image.open(paths[t]).convert("RGB")
            page.paste(picture, at)
            if t == 0 or t in firsts:
                continue
            was, seen = truths[t]
            before = numpy.asarray(Image.open(paths[t - 1]).convert("RGB"), float)
            difference = 128 + 4 * (numpy.asarray(picture, float) - sampled(before, was))
            shown = numpy.where(seen[..., None], difference.clip(0, 255), 0).astype(numpy.uint8)
            page.paste(Image.fromarray(shown), (at[0], at[1] + height))
    return page


def judged(arguments, content, style, paths):
    if not arguments.judge:
        return float("nan")
    command = [sys.executable, arguments.judge, "--weights", arguments.weights, content, style, *paths]
    lines = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=True).stdout.splitlines()[1:]
    return float(numpy.mean([float(line.split()[-5]) for line in lines]))


def run(command):
    done = subprocess.run(list(map(str, command)), stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))} ended with status {done.returncode}")
    return [json.loads(line) for line in done.stdout.splitlines()]


def film(arguments, source, style, folder):
    """Paints a clip; gives the seconds of each frame but the shots' first."""
    note = folder.with_suffix(".json")
    if not note.exists():
        lines = run([arguments.program, "video", source, style, "-o", folder, "--size", arguments.size, "--json", *arguments.options])
        firsts = next(line["first_frames"] for line in lines if line["event"] == "shots")
        painted = [line for line in lines if line["event"] == "painted"]
        before, seconds = 0.0, []
        for line in painted:
            if line["frame"] not in firsts:
                seconds.append(line["seconds"] - before)
            before = line["seconds"]
        evaluations = [line["evaluations"] for line in lines if line["event"] == "frame"]
        note.write_text(json.dumps({"firsts": firsts, "seconds": seconds, "evaluations": evaluations}))
    return json.loads(note.read_text())


def frame_by_frame(arguments, sources, style, folder):
    folder.mkdir(exist_ok=True)
    seconds = []
    for source in sources:
        picture, note = folder / source.name, folder / (source.stem + ".json")
        if not note.exists():
            lines = run([arguments.program, "paint", source, style, "-o", picture, "--size", arguments.size, "--json"])
            note.write_text(json.dumps(lines[-1]))
        seconds.append(json.loads(note.read_text())["seconds"])
    return seconds


def sheet(rows, picks, crops, width, height):
    """Rows of frames, and below each of its pictures an enlarged crop."""
    cell, gap = 2, 4
    crop_size = (width, int(width * 0.75))
    page = Image.new("RGB", ((width * cell + gap) * len(picks), (height + crop_size[1] + gap) * cell * len(rows)), "white")
    for row, paths in enumerate(rows):
        for column, (pick, (cx, cy)) in enumerate(zip(picks, crops)):
            picture = Image.open(paths[pick]).convert("RGB")
            at = (column * (width * cell + gap), row * (height + crop_size[1] + gap) * cell)
            page.paste(picture.resize((width * cell, height * cell), Image.NEAREST), at)
            w, h = width // 3, width // 4
            left, top = min(max(int(cx - w / 2), 0), width - w), min(max(int(cy - h / 2), 0), height - h)
            crop = picture.crop((left, top, left + w, top + h)).resize((crop_size[0] * cell, crop_size[1] * cell), Image.NEAREST)
            page.paste(crop, (at[0], at[1] + height * cell + gap))
    return page


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--judge")
    parser.add_argument("--weights")
    parser.add_argument("--size", type=int, default=192)
    parser.add_argument("--frames", type=int, default=10)
    parser.add_argument("--clips", default="pan,figures,cut")
    parser.add_argument("--name", default="film", help="of this way of painting films, for several in one folder")
    parser.add_argument("--film-alone", action="store_true", help="paint the films, and nothing frame by frame")
    known, rest = parser.parse_known_args()
    known.options = [word for word in rest if word != "--"]
    width, height = known.size, known.size * 3 // 4
    rows = []
    for name in known.clips.split(","):
        folder = known.out / name
        (folder / "source").mkdir(parents=True, exist_ok=True)
        layers, firsts = clip(name, width, height, known.frames)
        pictures, truths = render(layers, width, height, known.frames)
        sources = [folder / "source" / f"{t + 1:03}.png" for t in range(known.frames)]
        for path, picture in zip(sources, pictures):
            if not path.exists():
                Image.fromarray((picture + 0.5).clip(0, 255).astype(numpy.uint8)).save(path)
        style = ASSETS / STYLES[name]
        painted = folder / known.name
        of_film = film(known, folder / "source", style, painted)
        ways = {known.name: of_film["seconds"]}
        if not known.film_alone:
            ways["alone"] = frame_by_frame(known, sources, style, folder / "alone")
        paths = {way: [folder / way / source.name for source in sources] for way in ways}
        for way, seconds in ways.items():
            error = warping_error(paths[way], truths, firsts)
            distance = judged(known, sources[0], style, paths[way])
            rows.append([name, way, f"{error:.1f}", f"{distance:.4f}", f"{numpy.median(seconds):.2f}"])
            print(*rows[-1], of_film["evaluations"] if way == known.name else "", "shots", of_film["firsts"], flush=True)
        source_error = warping_error(sources, truths, firsts)
        print(name, "source", f"{source_error:.1f}")
        picks = [0, known.frames // 3, 2 * known.frames // 3, known.frames - 1]
        centres = [(width * 0.5, height * 0.5)] * 4
        if name == "figures":
            centres = [(width * 0.25 + 3.1 * t - width * 0.1, height * 0.6) for t in picks]
        sheet([sources, *paths.values()], picks, centres, width, height).save(folder / f"{known.name}-sheet.png")
        every = range(0, known.frames, 10 if known.frames > 20 else 3)
        differences(list(paths.values()), truths, firsts, every).save(folder / f"{known.name}-differences.png")
    with open(known.out / f"{known.name}-figures.csv", "w", newline="") as file:
        csv.writer(file).writerows([["clip", "way", "warping_error", "style_distance", "seconds_a_frame"], *rows])


main()
