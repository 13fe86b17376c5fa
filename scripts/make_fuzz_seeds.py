#!/usr/bin/env python3
"""Writes the small pictures and profiles that the fuzz targets of images start from (needs pillow), and where the program
is given, checkpoints of tiny runs by it.

    python3 scripts/make_fuzz_seeds.py fuzz/seeds [target/release/impasto]
"""

import io
import random
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image, ImageCms, PngImagePlugin


def picture(mode, side=9):
    chance = random.Random(side)
    image = Image.new("RGB", (side, side - 2))
    image.putdata([tuple(chance.randrange(256) for _ in range(3)) for _ in range(side * (side - 2))])
    return image.convert(mode)


def checkpoints(program, folder):
    """Checkpoints of both optimisers, without the sum at their end: the target puts it right."""
    folder.mkdir(parents=True, exist_ok=True)
    tiny = "--size 8 --levels 1 --history 3 --iterations 100000000 --style-layers conv1_1 --content-layers conv1_1".split()
    for optimizer in ("lbfgs", "adam"):
        with tempfile.TemporaryDirectory() as place:
            for name, side in (("photo.png", 12), ("painting.png", 14)):
                picture("RGB", side).save(Path(place) / name)
            words = ["paint", "photo.png", "painting.png", "--run-dir", "run", "--optimizer", optimizer, "--json", *tiny]
            with subprocess.Popen([program, *words], cwd=place, stdout=subprocess.PIPE) as run:
                for _ in range(10):
                    run.stdout.readline()
                run.send_signal(signal.SIGINT)
                run.stdout.read()
            (folder / optimizer).write_bytes((Path(place) / "run/checkpoint-a").read_bytes()[:-4])


def main():
    folder = Path(sys.argv[1])
    if len(sys.argv) > 2:
        checkpoints(Path(sys.argv[2]).resolve(), folder / "checkpoint")
    images, profiles = folder / "image", folder / "profile"
    for made in (images, profiles):
        made.mkdir(parents=True, exist_ok=True)
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    exif = Image.Exif()
    exif[0x0112] = 6
    text = PngImagePlugin.PngInfo()
    text.add_itxt("impasto", '{"size":16}')
    text.add_text("Comment", "packed", zip=True)
    for mode in ("RGB", "RGBA", "L", "LA", "P", "1", "I;16"):
        picture("L").convert("I;16").save(images / "I16.png") if mode == "I;16" else picture(mode).save(images / f"{mode}.png")
    picture("RGB").save(images / "profile.png", icc_profile=srgb, exif=exif, pnginfo=text)
    for mode in ("RGB", "L", "CMYK"):
        picture(mode).save(images / f"{mode}.jpg", quality=80)
    picture("RGB").save(images / "progressive.jpg", progressive=True, subsampling=2, exif=exif, icc_profile=srgb)
    picture("RGB").save(images / "lossy.webp", quality=50)
    picture("RGBA").save(images / "lossless.webp", lossless=True, exif=exif)
    picture("RGBA").save(images / "alpha.webp", quality=50)
    for compression in ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits"):
        picture("RGB").save(images / f"{compression}.tif", compression=compression)
    picture("1").save(images / "bits.tif")
    picture("CMYK").save(images / "CMYK.tif")
    picture("P").save(images / "P.gif")
    picture("P").save(images / "two_frames.gif", save_all=True, append_images=[picture("P", 7)])
    for mode in ("RGB", "P", "1"):
        picture(mode).save(images / f"{mode}.bmp")
    # The target's first byte chooses: a profile (even) or an EXIF block (odd).
    (profiles / "srgb").write_bytes(b"\0" + srgb)
    (profiles / "lab").write_bytes(b"\0" + lab)
    (profiles / "exif").write_bytes(b"\1" + exif.tobytes())


if __name__ == "__main__":
    main()
