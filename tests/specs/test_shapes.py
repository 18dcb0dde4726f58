"""The drawn shapes that shapes_images.yaml trains on, and the script that draws them."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image
from places import SPECS
from watching import run_silently

from dlrun.checks.check import check

DATA = SPECS / "data"


def test_the_script_draws_the_shipped_images(tmp_path: Path) -> None:
    subprocess.run([sys.executable, DATA / "make_shapes.py", tmp_path], check=True, timeout=60)
    shipped = sorted(file.relative_to(DATA / "shapes") for file in (DATA / "shapes").rglob("*.png"))
    assert len(shipped) == 120 and shipped == sorted(file.relative_to(tmp_path) for file in tmp_path.rglob("*.png"))
    for file in shipped:  # the bytes differ between versions of zlib
        with Image.open(DATA / "shapes" / file) as one, Image.open(tmp_path / file) as other:
            assert np.array_equal(np.asarray(one), np.asarray(other))


def test_a_run_keeps_what_new_images_need(tmp_path: Path) -> None:
    changes = [
        "tracking=off",
        "train.epochs=1",
        "data.source={images: {path: data/shapes, size: [12, 14], resize: fit}}",
    ]
    folder = run_silently(check(SPECS / "shapes_images.yaml", changes, training=True), tmp_path).folder
    taken = json.loads((folder / "columns.json").read_text())["inputs"]["input"]
    assert taken["fields"] == {"image": "image"}
    assert taken["recipes"] == {"image": {"size": [12, 14], "resize": "fit", "channels": 3, "bits": 8}}
    assert json.loads((folder / "labels.json").read_text()) == ["circle", "square", "triangle"]
