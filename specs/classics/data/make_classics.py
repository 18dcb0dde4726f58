"""Write the data of specs/classics: rare.csv, sine.csv and adding.npz. The same seed writes the same numbers.

python specs/classics/data/make_classics.py [FOLDER]
"""

from __future__ import annotations

import csv
import math
import random
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

SEED = 11
COMMON, RARE = 3800, 200
"""How many points of each class rare.csv has."""
POINTS = 400
"""How many points of the sine sine.csv has."""
ROWS, STEPS = 3000, 40
"""How many sequences adding.npz has, and how long they are."""
GRID = 64
"""The numbers of a sequence are multiples of 1/GRID, which float16 keeps exactly."""


def rare(draw: random.Random) -> Iterable[Sequence[str]]:
    """Points of two normal distributions that overlap, of which one has few points."""
    for name, count, middle in (("common", COMMON, 0.0), ("rare", RARE, 1.3)):
        for _ in range(count):
            yield f"{draw.gauss(middle, 1):.3f}", f"{draw.gauss(middle, 1):.3f}", name


def sine() -> Iterable[Sequence[str]]:
    """Points of the sine on [-pi, pi], at equal distances."""
    for point in range(POINTS):
        x = -math.pi + 2 * math.pi * point / (POINTS - 1)
        yield f"{x:.6f}", f"{math.sin(x):.6f}"


def adding(draw: random.Random) -> dict[str, np.ndarray]:
    """Sequences of a number from 0 to 1 and a mark at each step; the target is the sum of the two numbers with a mark.

    The first mark is in the first half, the second one in the second half.
    """
    import numpy as np

    steps, sums = np.zeros((ROWS, STEPS, 2), np.float16), np.zeros(ROWS, np.float16)
    for row in range(ROWS):
        numbers = [draw.randrange(GRID) for _ in range(STEPS)]
        marked = draw.randrange(STEPS // 2), draw.randrange(STEPS // 2, STEPS)
        steps[row, :, 0] = np.array(numbers) / GRID
        steps[row, marked, 1] = 1
        sums[row] = sum(numbers[step] for step in marked) / GRID
    return {"steps": steps, "sum": sums}


def write(file: Path, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Write a csv."""
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def main(folder: Path) -> None:
    """Write the files."""
    import numpy as np

    write(folder / "rare.csv", ("x", "y", "class"), rare(random.Random(SEED)))
    write(folder / "sine.csv", ("x", "y"), sine())
    np.savez_compressed(folder / "adding.npz", **adding(random.Random(SEED)))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
