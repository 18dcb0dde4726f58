"""Write the arrays of the works, which all contenders use: python arrays.py FOLDER [ROWS]

With ROWS, only the arrays of the tabular work, with this number of rows.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from works import WORKS


def tabular(rows: int, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Two classes by a nonlinear rule, with a tenth of the labels wrong."""
    x = random.standard_normal((rows, 20), dtype=np.float32)
    y = x[:, 0] * x[:, 1] + x[:, 2] + 0.5 * x[:, 3] > 0
    return x, (y ^ (random.random(rows) < 0.1)).astype(np.int64)


def prototypes(own: np.ndarray, rows: int, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """One class for each sample in `own`; the samples of a class are this sample with noise added."""
    y = random.integers(0, len(own), rows)
    x = own[y] + random.standard_normal((rows, *own.shape[1:]), dtype=np.float32)
    return x.astype(np.float32), y.astype(np.int64)


def chain(rows: int, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Characters of a Markov chain: each of the 80 characters can be followed by four of them."""
    following = np.stack([random.permutation(80) for _ in range(4)], axis=1)
    text = np.empty((rows, 41), dtype=np.int64)
    text[:, 0] = random.integers(0, 80, rows)
    for step in range(40):
        text[:, step + 1] = following[text[:, step], random.integers(0, 4, rows)]
    return text[:, :40], text[:, 40].copy()


def main() -> None:
    folder = Path(sys.argv[1])
    if len(sys.argv) > 2:
        x, y = tabular(int(sys.argv[2]), np.random.default_rng(1))
        np.savez(folder / "tabular.npz", x=x, y=y)
        return
    for name, work in WORKS.items():
        random, rows = np.random.default_rng(1), work.rows + work.validation
        if name == "tabular":
            x, y = tabular(rows, random)
        elif name == "charlm":
            x, y = chain(rows, random)
            x[0, 0] = 79  # so that every character has a vector
        else:
            own = 0.08 * random.standard_normal((10, 784))
            if name == "cnn":  # coarse patches, which survive pooling
                own = 0.3 * random.standard_normal((10, 3, 4, 4)).repeat(8, axis=2).repeat(8, axis=3)
            x, y = prototypes(own, rows, random)
        np.savez(folder / f"{name}.npz", x=np.ascontiguousarray(x), y=y)


if __name__ == "__main__":
    main()
