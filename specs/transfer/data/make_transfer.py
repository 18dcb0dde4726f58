"""Write digits_0_to_4.npz and digits_5_to_9.npz: scikit-learn's digits at random places of an image with other strokes.

python specs/transfer/data/make_transfer.py [FOLDER]

Each digit of 0 to 4 is in several images, whose number in `original` says which digit it is; each digit of 5 to 9 is in
one. The same seed writes the same numbers.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

SIZE, DIGIT, SEED = 20, 8, 11
"""The width of an image and that of a digit, in pixels."""
WHITE = 16
"""The largest number in scikit-learn's digits."""
STROKES, LENGTH = 8, 5
"""How many strokes an image has besides the digit, and how long each is, in pixels."""
DIRECTIONS = ((0, 1), (1, 0), (1, 1), (1, -1))
TIMES = {"digits_0_to_4": 4, "digits_5_to_9": 1}
"""In how many images each digit of a file is."""


def image_with(digit: np.ndarray, draw: random.Random) -> np.ndarray:
    """An image with strokes at random places, and the digit over them."""
    import numpy as np

    image = np.zeros((SIZE, SIZE), np.uint8)
    for _ in range(STROKES):
        down, right = draw.choice(DIRECTIONS)
        row, column = (draw.randrange(SIZE) for _ in range(2))
        for step in range(LENGTH):
            y, x = row + step * down, column + step * right
            if 0 <= y < SIZE and 0 <= x < SIZE:
                image[y, x] = WHITE
                image[y, max(x - 1, 0)] = max(image[y, max(x - 1, 0)], WHITE // 2)
    top, left = (draw.randrange(SIZE - DIGIT + 1) for _ in range(2))
    image[top : top + DIGIT, left : left + DIGIT] = digit
    return image


def main(folder: Path) -> None:
    """Write the files."""
    import numpy as np
    from sklearn.datasets import load_digits

    digits, labels = load_digits(return_X_y=True)
    draw = random.Random(SEED)
    for number, (name, times) in enumerate(TIMES.items()):
        originals = np.flatnonzero(labels // 5 == number).repeat(times)
        images = [image_with(digits[original].reshape(DIGIT, DIGIT), draw) for original in originals]
        arrays = {"image": np.array(images)[:, None], "digit": labels[originals], "original": originals}
        np.savez_compressed(folder / f"{name}.npz", **arrays)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
