#!/usr/bin/env python3
"""The steps of `--preset tutorial` done in PyTorch, beside impasto's, or alone as a file for its tests.

    cargo run --release -p impasto --example trace -- CONTENT STYLE RECIPE.json TRACE.safetensors
        with {"preset": "tutorial", "iterations": 21} in RECIPE.json
    compare_tutorial.py follow TRACE.safetensors [--float32]      the losses of both, step by step; status 1 beyond 1%
    compare_tutorial.py write CONTENT STYLE OUT.safetensors [--size 64x48] [--steps 20]

It needs torch and numpy, for `write` also pillow. The network's weights are impasto's own, from the files of its data
crates. `follow` starts from the very numbers that impasto started from; `write` crops and mixes for itself, and nothing
in its file comes from impasto.

What is computed, in float64 unless float32 is asked for (F, P, A the features of picture, content and style; N channels, M positions, G = F F^T):

    content   sum (F - P)^2 / (4 N M) x 0.001                              conv4_2
    style     sum w_l sum (G_l - A_l)^2 / (2 N M)^2                        w = 0.5, 1, 1.5, 3, 4 at conv1_1 .. conv5_1
    start     mean + 0.6 uniform(-20, 20) + 0.4 content
    Adam      as TensorFlow 1 has it: rate_t = 2 sqrt(1 - 0.999^t) / (1 - 0.9^t), x -= rate_t m / (sqrt(v) + 1e-8)
"""

import argparse
import json
import struct
import sys
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

CRATES = Path(__file__).resolve().parent.parent / "crates"
MEAN = np.array([123.68, 116.779, 103.939])
LAYERS = [f"conv{block}_{place}" for block, count in enumerate([2, 2, 4, 4, 4], 1) for place in range(1, count + 1)]
POOLED = {"conv1_2", "conv2_2", "conv3_4", "conv4_4"}
STYLE = {"conv1_1": 0.5, "conv2_1": 1.0, "conv3_1": 1.5, "conv4_1": 3.0, "conv5_1": 4.0}
CONTENT = "conv4_2"
CONTENT_WEIGHT = 0.001
RATE, BETA_1, BETA_2, EPSILON = 2.0, 0.9, 0.999, 1e-8
NOISE_RATIO, NOISE = 0.6, 20.0
TYPES = {"F32": np.float32, "F64": np.float64, "U8": np.uint8}
ALLOWED = 0.01


def read_safetensors(path):
    raw = Path(path).read_bytes()
    (length,) = struct.unpack("<Q", raw[:8])
    header, data = json.loads(raw[8 : 8 + length]), raw[8 + length :]
    header.pop("__metadata__", None)
    return {
        name: np.frombuffer(data[slice(*entry["data_offsets"])], TYPES[entry["dtype"]]).reshape(entry["shape"])
        for name, entry in header.items()
    }


def write_safetensors(path, tensors):
    names = {np.dtype(kind): name for name, kind in TYPES.items()}
    header, data = {}, b""
    # Wide types first, so that each begins at a multiple of its size.
    for name, tensor in sorted(tensors.items(), key=lambda item: (-item[1].itemsize, item[0])):
        end = len(data) + tensor.nbytes
        header[name] = {"dtype": names[tensor.dtype], "shape": tensor.shape, "data_offsets": [len(data), end]}
        data += np.ascontiguousarray(tensor).tobytes()
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    Path(path).write_bytes(struct.pack("<Q", len(text)) + text + data)


def network(kind):
    """Kernel and bias of each layer."""
    tensors = {}
    for path in sorted(CRATES.glob("impasto-weights-*/data/*.safetensors")):
        tensors.update(read_safetensors(path))
    return {
        name: (
            torch.from_numpy(tensors[f"{name}.codebook"][tensors[f"{name}.weight_index"]]).to(kind),
            torch.from_numpy(tensors[f"{name}.bias"].copy()).to(kind),
        )
        for name in LAYERS
    }


def features(weights, picture):
    """Feature maps after their ReLU, [channels, positions]."""
    maps, x = {}, picture - torch.from_numpy(MEAN).to(picture.dtype).view(1, 3, 1, 1)
    for name in LAYERS:
        x = F.relu(F.conv2d(x, *weights[name], padding=1))
        if name in STYLE or name == CONTENT:
            maps[name] = x[0].flatten(1)
        if name == "conv5_1":
            return maps
        if name in POOLED:
            # TensorFlow's SAME: an odd last row or column is pooled over what is in bounds.
            x = F.avg_pool2d(x, 2, ceil_mode=True, count_include_pad=False)


def batch(picture, kind):
    return torch.from_numpy(np.asarray(picture, np.float32).copy())[None].to(kind)


def steps(weights, content, style, start, count):
    """The losses at the start and after each step; pictures are [3, height, width]."""
    kind = weights[CONTENT][0].dtype
    with torch.no_grad():
        wanted = features(weights, batch(content, kind))[CONTENT]
        grams = {name: of @ of.T for name, of in features(weights, batch(style, kind)).items() if name in STYLE}
    x = batch(start, kind)
    m, v = torch.zeros_like(x), torch.zeros_like(x)
    for t in range(1, count + 2):
        x.requires_grad_(True)
        maps = features(weights, x)
        content_loss = ((maps[CONTENT] - wanted) ** 2).sum() / (4 * wanted.numel())
        layers = {name: ((maps[name] @ maps[name].T - grams[name]) ** 2).sum() / (2 * maps[name].numel()) ** 2 for name in STYLE}
        style_loss = sum(weight * layers[name] for name, weight in STYLE.items())
        total = CONTENT_WEIGHT * content_loss + style_loss
        (gradient,) = torch.autograd.grad(total, x)
        yield total.item(), content_loss.item(), style_loss.item(), {name: loss.item() for name, loss in layers.items()}
        x = x.detach()
        m = BETA_1 * m + (1 - BETA_1) * gradient
        v = BETA_2 * v + (1 - BETA_2) * gradient**2
        rate = RATE * (1 - BETA_2**t) ** 0.5 / (1 - BETA_1**t)
        x = x - rate * m / (v.sqrt() + EPSILON)


def follow(arguments):
    trace = read_safetensors(arguments.trace)
    # impasto's content loss is the mean, the port's a quarter of it.
    content = trace["content_loss"] / 4
    worst = 0.0
    kind = torch.float32 if arguments.float32 else torch.float64
    print(f"torch {torch.__version__}, {kind}, {trace['start'].shape[2]}x{trace['start'].shape[1]}\n")
    print("| after steps | PyTorch: content | style | total | impasto: content | style | total | largest difference |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    of_torch = steps(network(kind), trace["content"], trace["style"], trace["start"], len(trace["total"]) - 1)
    for step, (total, content_loss, style_loss, layers) in enumerate(of_torch):
        pairs = [(content[step], content_loss), (trace["style_loss"][step], style_loss), (trace["total"][step], total)]
        pairs_of_layers = [(trace[f"style_loss.{name}"][step], loss) for name, loss in layers.items()]
        difference = max(abs(ours - theirs) / abs(theirs) for ours, theirs in pairs + pairs_of_layers)
        worst = max(worst, difference)
        cells = [f"{value:.6g}" for value in (content_loss, style_loss, total, *(ours for ours, _ in pairs))]
        print(f"| {step} | {' | '.join(cells)} | {difference:.1e} |", flush=True)
    print(f"\nlargest difference of any loss, layers included: {worst:.1e}")
    sys.exit(0 if worst <= ALLOWED else f"compare_tutorial: beyond {ALLOWED}")


def cropped(path, width, height):
    """[height, width, 3] bytes: scaled to cover, then the middle."""
    from PIL import Image, ImageOps

    return np.asarray(ImageOps.fit(Image.open(path).convert("RGB"), (width, height), Image.LANCZOS))


def write(arguments):
    width, height = map(int, arguments.size.split("x"))
    content, style = (cropped(path, width, height).transpose(2, 0, 1) for path in (arguments.content, arguments.style))
    noise = np.random.default_rng(0).uniform(-NOISE, NOISE, content.shape)
    start = (MEAN[:, None, None] + NOISE_RATIO * noise + (1 - NOISE_RATIO) * content).astype(np.float32)
    losses = list(steps(network(torch.float64), content, style, start, arguments.steps))
    tensors = {"content": content, "style": style, "start": start}
    for place, name in enumerate(["total", "content_loss", "style_loss"]):
        tensors[name] = np.array([of_step[place] for of_step in losses])
    for name in STYLE:
        tensors[f"style_loss.{name}"] = np.array([of_step[3][name] for of_step in losses])
    write_safetensors(arguments.output, tensors)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    modes = parser.add_subparsers(required=True)
    mode = modes.add_parser("follow")
    mode.add_argument("trace")
    mode.add_argument("--float32", action="store_true")
    mode.set_defaults(run=follow)
    mode = modes.add_parser("write")
    for name in ["content", "style", "output"]:
        mode.add_argument(name)
    mode.add_argument("--size", default="64x48")
    mode.add_argument("--steps", type=int, default=20)
    mode.set_defaults(run=write)
    arguments = parser.parse_args()
    arguments.run(arguments)


main()
