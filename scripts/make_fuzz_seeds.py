#!/usr/bin/env python3
"""Writes the small pictures and profiles that the fuzz targets of images start from (needs pillow, and libjpeg-turbo's
cjpeg for kinds of JPEG that pillow does not write), and where the program is given, checkpoints of tiny runs by it.

    python3 scripts/make_fuzz_seeds.py fuzz/seeds [target/release/impasto]
"""

import io
import random
import signal
import struct
import subprocess
import sys
import tempfile
import zlib
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


def unusual_jpegs(folder):
    """Samplings, scans and codes that few programs write."""
    ppm = io.BytesIO()
    picture("RGB", 19).save(ppm, "PPM")
    scans = folder / "scans"
    scans.write_text("2;\n0;\n1;\n")
    for name, options in {
        "scan_each": f"-sample 2x2 -scans {scans} -restart 2B",
        "three_to_one": "-sample 3x1",
        "finer_colours": "-sample 1x1,2x2,2x2",
        "arithmetic": "-arithmetic -sample 2x1",
        "arithmetic_progressive": "-arithmetic -progressive -restart 2B",
    }.items():
        made = subprocess.run(["cjpeg", *options.split()], input=ppm.getvalue(), stdout=subprocess.PIPE, check=True)
        (folder / f"{name}.jpg").write_bytes(made.stdout)
    scans.unlink()
    # Without the marker of its end.
    (folder / "endless.jpg").write_bytes((folder / "scan_each.jpg").read_bytes()[:-2])


def png_with(chunk, body):
    """A picture with a chunk of that name behind its header."""
    out = io.BytesIO()
    picture("RGB").save(out, "PNG")
    data = out.getvalue()
    made = struct.pack(">I", len(body)) + chunk + body + struct.pack(">I", zlib.crc32(chunk + body))
    return data[:33] + made + data[33:]


def tiff_with_pages(folder):
    """A small page first, and a picture inside of a page: tag 330 is made of one that means nothing (700)."""
    pages = [picture("RGB", 5), picture("RGB", 9)]
    pages[0].save(folder / "pages.tif", save_all=True, append_images=pages[1:])
    data = (folder / "pages.tif").read_bytes()
    first = struct.unpack("<I", data[4:8])[0]
    count = struct.unpack("<H", data[first : first + 2])[0]
    second = struct.unpack("<I", data[first + 2 + 12 * count :][:4])[0]
    # The last entry of the first page names the second, which is no page of its own any more.
    entry = first + 2 + 12 * (count - 1)
    inside = struct.pack("<HHII", 330, 4, 1, second) + bytes(4)
    (folder / "page_inside.tif").write_bytes(data[:entry] + inside + data[entry + 16 :])


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
    two = [picture("RGB"), picture("RGB", 9).rotate(180)]
    for name in ("moves.png", "moves.webp"):
        two[0].save(images / name, save_all=True, append_images=two[1:], duration=9)
    (images / "gamma.png").write_bytes(png_with(b"gAMA", struct.pack(">I", 100_000)))
    (images / "colours.png").write_bytes(png_with(b"cHRM", struct.pack(">8I", 31270, 32900, 64000, 33000, 21000, 71000, 15000, 6000)))
    (images / "code.png").write_bytes(png_with(b"cICP", bytes([12, 13, 0, 1])))
    unusual_jpegs(images)
    tiff_with_pages(images)
    for mode in ("RGB", "P", "1"):
        picture(mode).save(images / f"{mode}.bmp")
    # The target's first byte chooses: a profile (even) or an EXIF block (odd).
    (profiles / "srgb").write_bytes(b"\0" + srgb)
    (profiles / "lab").write_bytes(b"\0" + lab)
    (profiles / "exif").write_bytes(b"\1" + exif.tobytes())


if __name__ == "__main__":
    main()
