#!/usr/bin/env python3
"""Reads impasto's event files back with TensorBoard's own EventAccumulator and compares them with `--json`.

    python3 -m venv venv && venv/bin/pip install --no-deps tensorboard protobuf numpy absl-py packaging
    venv/bin/python scripts/check_event_files.py target/debug/impasto

Three runs of a small picture: L-BFGS over two sizes, read once while it still paints; the same again into the same
folder, whose file replaces the first one's steps; Adam. Then a run that is killed and gone on with. Ends with status 1 and a sentence at the first difference.
"""

import json
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

ASSETS = Path(__file__).resolve().parent.parent / "assets"
STYLE = {"conv1_1": 0.5, "conv2_1": 2.0}
RUN = {
    "--preset": "default", "--size": "96", "--levels": "2", "--coarse-iterations": "14", "--iterations": "13",
    "--balance": "plain", "--style-layers": ",".join(f"{layer}={weight}" for layer, weight in STYLE.items()), "--content-layers": "conv2_2",
}  # fmt: skip
PICTURE_EVERY = 20


def demand(holds, sentence):
    if not holds:
        sys.exit(f"check_event_files: {sentence}")


def load(folder):
    every = {"scalars": 0, "images": 0}
    accumulator = EventAccumulator(str(folder), size_guidance=every)
    accumulator.Reload()
    return accumulator


def single(value):
    """The nearest 32-bit number, as which TensorBoard stores scalars."""
    return struct.unpack("<f", struct.pack("<f", value))[0]


def png_size(png):
    demand(png[:8] == b"\x89PNG\r\n\x1a\n" and png[12:16] == b"IHDR", "a picture is no PNG")
    return struct.unpack(">II", png[16:24])


def png_pixels(png):
    """The compressed pixels: all IDAT chunks."""
    place, pixels = 8, b""
    while place < len(png):
        length, kind = struct.unpack(">I4s", png[place : place + 8])
        pixels += png[place + 8 : place + 8 + length] if kind == b"IDAT" else b""
        place += 12 + length
    return pixels


def paint(impasto, folder, output, more, look=None):
    """The JSON lines of a run; `look` is called with the first few while it goes on."""
    command = [impasto, "paint", ASSETS / "coffee.png", ASSETS / "waves.jpg", "-o", output, "--log-dir", folder, "--json"]
    options = [word for option in {**RUN, **more}.items() for word in option]
    process = subprocess.Popen([*command, *options], stdout=subprocess.PIPE, text=True)
    lines = []
    for line in process.stdout:
        lines.append(json.loads(line))
        if look and len(lines) == 6:
            look(lines)
    demand(process.wait() == 0, f"{command} ended with status {process.returncode}")
    return [line for line in lines if line["event"] == "iteration"], lines[-1]


def look_on(folder):
    def look(lines):
        # A line is printed just before the same evaluation goes into the file.
        seen = [event.value for event in load(folder).Scalars("loss/total")]
        expected = [single(line["loss"]) for line in lines[:-1]]
        demand(seen[: len(expected)] == expected, f"while it paints {seen} is there, not {expected}")

    return look


def compare(folder, lines, done, output, step_tag, started):
    accumulator = load(folder)
    tags = accumulator.Tags()
    of_run = ["loss/total", "loss/content", "loss/style", "loss/total_variation", "loss/range", step_tag, "time/seconds"]
    layers = ["content/conv2_2"] + [f"style/{layer}" for layer in STYLE]
    demand(sorted(tags["scalars"]) == sorted(of_run + layers), f"the scalars are {sorted(tags['scalars'])}")
    demand(tags["images"] == ["picture"], f"the images are {tags['images']}")

    values = {}
    for tag in of_run + layers:
        events = accumulator.Scalars(tag)
        steps = [event.step for event in events]
        demand(steps == [line["iteration"] for line in lines], f"{tag} has the steps {steps}")
        times = [event.wall_time for event in events]
        demand(times == sorted(times) and started <= times[0] and times[-1] <= time.time(), f"{tag} has odd times")
        values[tag] = [event.value for event in events]
    for tag, name in [("loss/total", "loss"), ("loss/content", "content"), ("loss/style", "style"), ("time/seconds", "seconds")]:
        expected = [single(line[name]) for line in lines]
        demand(values[tag] == expected, f"{tag} is {values[tag]}, not {expected}")
    for index, line in enumerate(lines):
        style = sum(weight * values[f"style/{layer}"][index] for layer, weight in STYLE.items())
        demand(abs(style - line["style"]) <= 1e-6 * style, f"the layers' style losses sum to {style}, not {line['style']}")
        demand(values["content/conv2_2"][index] == single(line["content"]), "the layer's content loss is not the whole")
    demand(all(length > 0 for length in values[step_tag]), f"{step_tag} is {values[step_tag]}")

    sizes = {line["iteration"]: (line["width"], line["height"]) for line in lines}
    firsts = [step for step in sizes if sizes[step] != sizes.get(step - 1)]
    expected = sorted({*firsts, *(step for step in sizes if step % PICTURE_EVERY == 0), done["iterations"]})
    images = accumulator.Images("picture")
    demand([image.step for image in images] == expected, f"pictures are at {[i.step for i in images]}, not {expected}")
    for image in images:
        found = (image.width, image.height)
        demand(found == sizes[image.step], f"picture {image.step} has {found} pixels, not {sizes[image.step]}")
        demand(png_size(image.encoded_image_string) == found, f"picture {image.step} is not of its size")
    last = png_pixels(images[-1].encoded_image_string)
    demand(last == png_pixels(output.read_bytes()), "the last picture is not the one that was written")
    return values


def check_resumed(impasto, folder):
    """A run that is killed and gone on with is one curve: each step once, the later file's from its checkpoint on."""
    run, curves = folder / "run", folder / "resumed"
    options = [word for option in {**RUN, "--checkpoint-every": "0", "--run-dir": run}.items() for word in option]
    command = [impasto, "paint", ASSETS / "coffee.png", ASSETS / "waves.jpg", "--log-dir", curves, "--json", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        for _ in range(9):
            process.stdout.readline()
        process.kill()
    command = [impasto, "resume", run, "--log-dir", curves, "--json"]
    lines = [json.loads(line) for line in subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout.splitlines()]
    *lines, done = [line for line in lines if line["event"] in ("iteration", "done")]
    demand(1 < lines[0]["iteration"] <= 10, f"the run went on at iteration {lines[0]['iteration']}")
    events = load(curves).Scalars("loss/total")
    steps = [event.step for event in events]
    demand(steps == list(range(1, done["iterations"] + 1)), f"the steps of a resumed run are {steps}")
    expected = [single(line["loss"]) for line in lines]
    demand([event.value for event in events][-len(expected) :] == expected, "the losses of a resumed run are not its own")


def main():
    impasto = Path(sys.argv[1]).resolve()
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        curves, output, started = folder / "curves", folder / "out.png", time.time()
        lines, done = paint(impasto, curves, output, {}, look_on(curves))
        compare(curves, lines, done, output, "optimiser/step_length", started)

        lines, done = paint(impasto, curves, output, {"--iterations": "3", "--style-weight": "5"})
        demand(len(list(curves.iterdir())) == 2, "the second start has no file of its own")
        compare(curves, lines, done, output, "optimiser/step_length", started)

        adam = {"--optimizer": "adam", "--learning-rate": "3"}
        lines, done = paint(impasto, folder / "adam", output, adam)
        values = compare(folder / "adam", lines, done, output, "optimiser/learning_rate", started)
        demand(set(values["optimiser/learning_rate"]) == {3.0}, "the learning rate is not the one asked for")
        check_resumed(impasto, folder)
    print("event files: tags, steps, values and pictures are those of --json, as TensorBoard reads them")


main()
