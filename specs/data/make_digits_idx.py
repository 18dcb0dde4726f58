"""Write scikit-learn's digits as MNIST's files are written: 1,500 images for training, 297 for the test.

python specs/data/make_digits_idx.py [FOLDER]

The points, 0 to 16, become 0 to 255.
"""

from __future__ import annotations

import gzip
import struct
import sys
from pathlib import Path

TRAIN = 1500


def main(folder: Path) -> None:
    from sklearn.datasets import load_digits

    digits = load_digits()
    images, labels = (digits.images * 255 / 16).round().astype("uint8"), digits.target.astype("uint8")
    folder.mkdir(exist_ok=True)
    for part, rows in (("train", slice(TRAIN)), ("t10k", slice(TRAIN, None))):
        for name, values in (("images-idx3-ubyte", images[rows]), ("labels-idx1-ubyte", labels[rows])):
            header = struct.pack(f">HBB{values.ndim}I", 0, 0x08, values.ndim, *values.shape)
            (folder / f"{part}-{name}.gz").write_bytes(gzip.compress(header + values.tobytes(), mtime=0))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "digits-idx")
