#!/usr/bin/env python3
"""Neighbours of the images that users met, made of `photo.png`, and what other decoders make of all of them: libjpeg-turbo,
libtiff and libpng by way of Pillow. Needs pillow, numpy, tifffile, and libjpeg-turbo's cjpeg.

    python3 scripts/make_found_images.py crates/impasto/tests/data/found

`values.json` there holds for each image its upright size and the means of a grid of 4 x 3 fields, in sRGB, 0..255.
"""

import io
import json
import struct
import subprocess
import sys
from pathlib import Path

import numpy
import tifffile
from PIL import Image, ImageFile

# libjpeg reads files without a marker at their end; Pillow would refuse them.
ImageFile.LOAD_TRUNCATED_IMAGES = True
folder = Path(sys.argv[1])
photo = Image.open(folder / "photo.png").convert("RGB")
turned = photo.transpose(Image.Transpose.ROTATE_90)


def jpeg(image, **options):
    out = io.BytesIO()
    image.save(out, "JPEG", quality=90, **options)
    return out.getvalue()


def cjpeg(*options):
    ppm = io.BytesIO()
    photo.save(ppm, "PPM")
    return subprocess.run(["cjpeg", "-quality", "90", *options], input=ppm.getvalue(), stdout=subprocess.PIPE, check=True).stdout


def segment(marker, body):
    return bytes([0xFF, marker]) + struct.pack(">H", len(body) + 2) + body


def without(data, wanted):
    """A JPEG file without the segments of one marker."""
    out, place = data[:2], 2
    while data[place + 1] != 0xDA:
        end = place + 2 + struct.unpack(">H", data[place + 2 : place + 4])[0]
        out += b"" if data[place + 1] == wanted else data[place:end]
        place = end
    return out + data[place:]


def scan_in_another_order():
    """Three scans' components interleaved as blue, red, green in a frame of red, green, blue."""
    red, green, blue = photo.split()
    ppm = io.BytesIO()
    Image.merge("RGB", (blue, red, green)).save(ppm, "PPM")
    made = ["cjpeg", "-quality", "90", "-rgb", "-sample", "1x1"]
    data = bytearray(subprocess.run(made, input=ppm.getvalue(), stdout=subprocess.PIPE, check=True).stdout)
    # The scan's header: its length, three components of a number and tables each.
    start = data.index(b"\xff\xda") + 5
    data[start : start + 6 : 2] = b"BRG"
    return bytes(data)


def exif(kind, order, value):
    """An EXIF block of one entry, the orientation, as a value of that type."""
    mark = b"II*\0" if order == "<" else b"MM\0*"
    return b"Exif\0\0" + mark + struct.pack(order + "IHHHI", 8, 1, 0x112, kind, 1) + value + bytes(4)


def make():
    soi = b"\xff\xd8"
    flat = jpeg(turned, subsampling=0)
    # Orientation 6, "row 0 right, column 0 top": turned back by a quarter to the right.
    for name, kind, order, value in (
        ("orient6_byte", 1, "<", b"\x06\0\0\0"),
        ("orient6_long_big", 4, ">", b"\0\0\0\x06"),
        ("orient6_slong", 9, "<", b"\x06\0\0\0"),
        ("orient6_short_big", 3, ">", b"\0\x06\0\0"),
    ):
        (folder / f"{name}.jpg").write_bytes(soi + segment(0xE1, exif(kind, order, value)) + flat[2:])
    # The components' numbers are the letters R, G and B, and nothing else says so.
    numbered = without(cjpeg("-rgb"), 0xEE)
    (folder / "rgb_numbers.jpg").write_bytes(numbered)
    # With JFIF's segment they are brightness and colours, whatever their numbers.
    jfif = segment(0xE0, b"JFIF\0\1\1\0\0\1\0\1\0\0")
    (folder / "jfif_and_numbers.jpg").write_bytes(soi + jfif + numbered[2:])
    # JFIF says brightness and colours, Adobe's segment says RGB: libjpeg takes JFIF's word.
    adobe = segment(0xEE, b"Adobe" + bytes([0, 100, 0, 0, 0, 0, 0]))
    data = jpeg(photo)
    end = 4 + struct.unpack(">H", data[4:6])[0]
    (folder / "jfif_and_adobe.jpg").write_bytes(data[:end] + adobe + data[end:])
    # What a film's pictures leave out, and an order that the standard does not have, but files do.
    (folder / "no_codes.jpg").write_bytes(without(data, 0xC4))
    (folder / "scan_order.jpg").write_bytes(scan_in_another_order())
    (folder / "inks.jpg").write_bytes(jpeg(photo.convert("CMYK")))
    photo.save(folder / "two_pictures.mpo.jpg", "MPO", save_all=True, append_images=[turned], quality=90)
    (folder / "motion.jpg").write_bytes(jpeg(photo) + b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom" + bytes(range(256)) * 4)
    (folder / "cut.jpg").write_bytes(jpeg(photo)[:1500])
    palette = [image.quantize(64) for image in (photo, photo.transpose(Image.Transpose.FLIP_LEFT_RIGHT))]
    palette[0].save(folder / "moves.gif", save_all=True, append_images=palette[1:], duration=100)
    two = [photo, photo.transpose(Image.Transpose.FLIP_LEFT_RIGHT)]
    two[0].save(folder / "moves.webp", save_all=True, append_images=two[1:], lossless=True, duration=100)
    two[0].save(folder / "moves.png", save_all=True, append_images=two[1:], duration=100)
    pixels, small = numpy.asarray(photo), numpy.asarray(photo.resize((48, 36)))
    with tifffile.TiffWriter(folder / "pages_alike.tif") as tif:
        tif.write(pixels, photometric="rgb", compression="zlib", metadata=None)
        tif.write(pixels[::-1].copy(), photometric="rgb", compression="zlib", metadata=None)
    with tifffile.TiffWriter(folder / "page_inside.tif") as tif:
        tif.write(small, photometric="rgb", compression="zlib", subifds=1, subfiletype=1, metadata=None)
        tif.write(pixels, photometric="rgb", compression="zlib", metadata=None)
    with tifffile.TiffWriter(folder / "pyramid_big.tif", bigtiff=True, byteorder=">") as tif:
        tif.write(pixels, photometric="rgb", compression="zlib", subifds=1, metadata=None)
        tif.write(small, photometric="rgb", compression="zlib", subfiletype=1, metadata=None)
    # What a sensor saw, inside of a small picture's page, as NEF has it; and a page that says it is DNG.
    with tifffile.TiffWriter(folder / "sensor_inside.nef") as tif:
        tif.write(small[::4, ::4].copy(), photometric="rgb", subifds=1, subfiletype=1, metadata=None)
        tif.write(pixels[::2, ::2, 1].copy(), photometric=32803, metadata=None,
                  extratags=[(33421, 3, 2, (2, 2), True), (33422, 1, 4, bytes([0, 1, 1, 2]), True)])
    with tifffile.TiffWriter(folder / "small.dng") as tif:
        tif.write(small[::4, ::4].copy(), photometric="rgb", metadata=None, extratags=[(50706, 1, 4, bytes([1, 4, 0, 0]), True)])
    photo.save(folder / "jpeg_inside.tif", compression="jpeg", quality=90)


# Pictures that are not what a decoder gives at once: the right one, turned or from another page.
OTHERS = {name: "orientation" for name in ("orient6_long", "orient6_byte", "orient6_long_big", "orient6_slong", "orient6_short_big")}
LOSSLESS = {"photo", "bmp24_reserved", "pages_small_first", "gama_linear16", "moves", "pages_alike", "page_inside", "pyramid_big"}
REFUSED = {"iphone_cgbi", "sensor_inside", "small", "cut"}


def right(path):
    name = path.stem
    if name in ("gama_linear16", "bmp24_reserved", "page_inside", "pyramid_big", "scan_order"):
        # The picture that they hold by their specifications, which Pillow does not read of them.
        return photo
    image = Image.open(path)
    if name in OTHERS:
        return image.convert("RGB").transpose(Image.Transpose.ROTATE_270)
    if name == "pages_small_first":
        image.seek(1)
    return image.convert("RGB")


def values():
    found = {}
    for path in sorted(folder.iterdir()):
        if path.suffix == ".json" or path.stem in REFUSED:
            continue
        image = right(path)
        pixels = numpy.asarray(image, dtype=float)
        rows = [numpy.array_split(band, 4, axis=1) for band in numpy.array_split(pixels, 3, axis=0)]
        means = [[round(float(m), 2) for m in field.mean(axis=(0, 1))] for row in rows for field in row]
        tolerance = 0.6 if path.stem in LOSSLESS else 2.5
        found[path.name] = {"width": image.width, "height": image.height, "tolerance": tolerance, "fields": means}
    lines = ",\n".join(f"  {json.dumps(name)}: {json.dumps(value)}" for name, value in found.items())
    (folder / "values.json").write_text("{\n" + lines + "\n}\n")


make()
values()
