#!/usr/bin/env python3
"""Gathers the photographs that impasto's built-in scales are computed from, out of packages that bring them.

    pip download --no-deps -d WHEELS scikit-image scikit-learn matplotlib mahotas
    pip download --no-deps -d WHEELS --python-version 3.11 --only-binary :all: scipy==1.9.3
    python3 scripts/calibration_images.py FOLDER WHEELS         (needs pillow)
    cargo run --release -p impasto --example calibrate -- FOLDER crates/impasto-vgg/data/vgg19-mean-activations.safetensors

The files are read out of the wheels, so nothing of this is installed. (scipy 1.9 is the last that brings its raccoon.)
"""

import bz2
import io
import sys
import zipfile
from pathlib import Path

from PIL import Image

# Package, path in its wheel, name here; docs/weights.md has the credits.
PHOTOGRAPHS = [
    ("mahotas", "mahotas/demos/data/DepartmentStore.jpg", "department_store"),
    ("matplotlib", "matplotlib/mpl-data/sample_data/grace_hopper.jpg", "grace_hopper"),
    ("scikit_image", "skimage/data/astronaut.png", "astronaut"),
    ("scikit_image", "skimage/data/brick.png", "brick"),
    ("scikit_image", "skimage/data/camera.png", "camera"),
    ("scikit_image", "skimage/data/chelsea.png", "chelsea"),
    ("scikit_image", "skimage/data/coffee.png", "coffee"),
    ("scikit_image", "skimage/data/grass.png", "grass"),
    ("scikit_image", "skimage/data/gravel.png", "gravel"),
    ("scikit_image", "skimage/data/hubble_deep_field.jpg", "hubble_deep_field"),
    ("scikit_image", "skimage/data/moon.png", "moon"),
    ("scikit_image", "skimage/data/motorcycle_left.png", "motorcycle_left"),
    ("scikit_image", "skimage/data/rocket.jpg", "rocket"),
    ("scikit_learn", "sklearn/datasets/images/china.jpg", "china"),
    ("scikit_learn", "sklearn/datasets/images/flower.jpg", "flower"),
    ("scipy", "scipy/misc/face.dat", "raccoon"),
]


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    target, wheels = Path(sys.argv[1]), Path(sys.argv[2])
    target.mkdir(parents=True, exist_ok=True)
    for package, path, name in PHOTOGRAPHS:
        for wheel in sorted(wheels.glob(f"{package}-*.whl")):
            with zipfile.ZipFile(wheel) as archive:
                data = archive.read(path)
            if path.endswith("face.dat"):
                image = Image.frombytes("RGB", (1024, 768), bz2.decompress(data))
            else:
                image = Image.open(io.BytesIO(data)).convert("RGB")
            image.save(target / f"{name}.png")
            break
        else:
            sys.exit(f"no wheel of {package} in {wheels}: pip download --no-deps -d {wheels} {package}")


if __name__ == "__main__":
    main()
