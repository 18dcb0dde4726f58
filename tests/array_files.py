"""Files of arrays as other programs write them: idx as MNIST's page describes it, and CIFAR's binary version."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path
from typing import Any

import numpy as np

TYPES = {"u1": 0x08, "i1": 0x09, "i2": 0x0B, "i4": 0x0C, "f4": 0x0D, "f8": 0x0E}


def idx(values: Any) -> bytes:
    """The bytes of an idx file."""
    values = np.asarray(values)
    head = struct.pack(f">HBB{values.ndim}I", 0, TYPES[values.dtype.str[1:]], values.ndim, *values.shape)
    return head + values.astype(values.dtype.newbyteorder(">")).tobytes()


def images(labels: Any, *axes: int) -> Any:
    """(N, ...) whole numbers from 0 to 255."""
    return np.random.default_rng(0).integers(0, 256, (len(labels), *axes), np.uint8)


def write_idx(
    folder: Path, labels: Any, before: str = "", test: str = "t10k", packed: bool = False, last: int = 2
) -> Any:
    """A data set of the labels in four files, the last rows in the test; the images come back."""
    folder.mkdir(exist_ok=True)
    pictures = images(labels, 28, 28)
    for part, rows in (("train", slice(None, -last)), (test, slice(-last, None))):
        for name, values in (("images-idx3-ubyte", pictures), ("labels-idx1-ubyte", np.asarray(labels, np.uint8))):
            content = idx(values[rows])
            file = folder / (f"{before}{part}-{name}" + (".gz" if packed else ""))
            file.write_bytes(gzip.compress(content) if packed else content)
    return pictures


def write_cifar(folder: Path, labels: Any, coarse: Any = None) -> Any:
    """CIFAR-10 of the labels, or CIFAR-100 with coarse labels, the last two rows in the test; the images come back."""
    folder.mkdir(exist_ok=True)
    pictures = images(labels, 3, 32, 32)
    columns = [values for values in (coarse, labels) if values is not None]
    rows = [bytes([*map(int, heads), *picture.reshape(-1)]) for *heads, picture in zip(*columns, pictures, strict=True)]
    train = ["train.bin"] if coarse is not None else [f"data_batch_{number}.bin" for number in range(1, 6)]
    for index, name in enumerate(train):
        last = len(rows) - 2 if index == len(train) - 1 else index + 1
        (folder / name).write_bytes(b"".join(rows[index:last]))
    (folder / ("test.bin" if coarse is not None else "test_batch.bin")).write_bytes(b"".join(rows[-2:]))
    return pictures
