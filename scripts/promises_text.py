"""The texts of scripts/promises.sh: pixels as digests, JSON without times, the headers of checkpoints.

    python3 scripts/promises_text.py pixels PICTURE.png...   a line each: SHA-256 of the pixels, size, bits, name
    python3 scripts/promises_text.py lines < LINES           JSON lines, times and the memory that was measured taken out
    python3 scripts/promises_text.py record < RUN/run.json   the same, indented, without the machine
    python3 scripts/promises_text.py checkpoint FILE         what stands in a checkpoint before its numbers
    python3 scripts/promises_text.py page < report.html      the page, each picture in it as a digest

It needs Python's standard library and nothing else.
"""

import hashlib
import json
import re
import struct
import sys
import zlib

# Fields that differ from one run of the same program to the next.
TIMES = {"seconds", "peak_mib", "median_s", "min_s", "started", "finished", "machine"}


def chunks(data):
    """The chunks of a PNG: their names and bytes."""
    if data[:8] != b"\x89PNG\r\n\x1a\n":
        raise ValueError("it is not a PNG")
    place = 8
    while place < len(data):
        length, name = struct.unpack_from(">I4s", data, place)
        yield name, data[place + 8 : place + 8 + length]
        place += 12 + length


def unfiltered(raw, height, stride, step):
    """The rows of a PNG without their filters; `step` is the bytes of a pixel."""
    above = bytearray(stride)
    for row in range(height):
        start = row * (stride + 1)
        kind, line = raw[start], bytearray(raw[start + 1 : start + 1 + stride])
        for place in range(stride):
            left = line[place - step] if place >= step else 0
            up = above[place]
            corner = above[place - step] if place >= step else 0
            if kind == 0:
                guess = 0
            elif kind == 1:
                guess = left
            elif kind == 2:
                guess = up
            elif kind == 3:
                guess = (left + up) // 2
            elif kind == 4:
                first = left + up - corner
                distances = [abs(first - value) for value in (left, up, corner)]
                guess = (left, up, corner)[distances.index(min(distances))]
            else:
                raise ValueError(f"filter {kind} is none of PNG's")
            line[place] = (line[place] + guess) & 255
        yield bytes(line)
        above = line


def pixels(path):
    with open(path, "rb") as file:
        parts = list(chunks(file.read()))
    width, height, bits, colours, _, _, interlaced = struct.unpack(">IIBBBBB", dict(parts)[b"IHDR"])
    channels = {0: 1, 2: 3, 4: 2, 6: 4}[colours]
    if interlaced or bits not in (8, 16):
        raise ValueError("it is not a PNG as impasto writes them")
    step = channels * bits // 8
    raw = zlib.decompress(b"".join(data for name, data in parts if name == b"IDAT"))
    digest = hashlib.sha256()
    for line in unfiltered(raw, height, width * step, step):
        digest.update(line)
    return f"{digest.hexdigest()}  {width}x{height}x{channels}, {bits} bits  {path}"


def timeless(value):
    if isinstance(value, dict):
        return {name: timeless(inner) for name, inner in value.items() if name not in TIMES}
    if isinstance(value, list):
        return [timeless(inner) for inner in value]
    return value


def checkpoint(path):
    with open(path, "rb") as file:
        data = file.read()
    layout, length = struct.unpack_from("<QQ", data, 16)
    header = json.loads(data[32 : 32 + length])
    print(data[:16].decode("ascii"), "layout", layout)
    print(len(data) - 32 - length, "bytes after the header")
    # How far it has come is chance where a clock or a signal says when it is written.
    for by_chance in ("place", "losses"):
        header[by_chance] = sorted(header[by_chance])
    print(json.dumps(header, indent=2))


def page(text):
    digest = lambda found: found[1] + hashlib.sha256(found[2].encode()).hexdigest()
    print(re.sub(r"(data:image/[a-z]+;base64,)([A-Za-z0-9+/=]+)", digest, text))


def main():
    task, *paths = sys.argv[1:]
    if task == "pixels":
        for path in paths:
            print(pixels(path))
    elif task == "lines":
        for line in sys.stdin:
            print(json.dumps(timeless(json.loads(line))))
    elif task == "record":
        print(json.dumps(timeless(json.load(sys.stdin)), indent=2))
    elif task == "checkpoint":
        checkpoint(*paths)
    elif task == "page":
        page(sys.stdin.read())
    else:
        raise SystemExit(__doc__)


main()
