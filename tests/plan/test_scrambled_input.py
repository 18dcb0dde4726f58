from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dlrun.checks.check import check
from dlrun.errors import SpecError

SPEC = """\
data: {source: {npz: a.npz}, features: x, target: y}
model: {layers: [flatten, linear: $classes]}
loss: cross_entropy
optimizer: adam
"""


def checked(folder: Path, row: tuple[int, ...], shape: list[int]) -> None:
    np.savez(folder / "a.npz", x=np.ones((20, *row), np.float32), y=np.arange(20) % 2)
    (folder / "s.yaml").write_text(SPEC)
    check(folder / "s.yaml", [f"model.input={shape}"])


@pytest.mark.parametrize(
    ("row", "shape"),
    [
        ((8, 6, 3), [3, 8, 6]),
        ((8, 8, 3), [3, 8, 8]),
        ((5, 3), [3, 5]),
        ((8, 6, 3), [3, 48]),
        ((3, 8, 6), [48, 3]),
        ((2, 3, 4, 5), [5, 2, 3, 4]),
    ],
)
def test_an_input_with_the_axes_in_another_order_is_an_error_with_the_layer_to_write(
    row: tuple[int, ...], shape: list[int], tmp_path: Path
):
    with pytest.raises(SpecError) as caught:
        checked(tmp_path, row, shape)
    hint = caught.value.problems[0].hint
    order = [int(axis) for axis in hint[hint.index("[") + 1 : hint.index("]")].split(",")]
    permuted = tuple(row[axis] for axis in order)
    assert permuted == tuple(shape) or np.prod(permuted[: 1 if shape[0] == permuted[0] else 2]) == shape[0]


@pytest.mark.parametrize(
    ("row", "shape"),
    [
        ((48,), [3, 4, 4]),
        ((48,), [1, 6, 8]),
        ((8, 8), [1, 8, 8]),
        ((8, 8, 1), [1, 8, 8]),
        ((3, 4, 4), [48]),
        ((3, 4, 4), [3, 16]),
        ((8, 6, 3), [48, 3]),
        ((8, 6), [4, 12]),
    ],
)
def test_an_input_that_keeps_the_order_is_taken(row: tuple[int, ...], shape: list[int], tmp_path: Path):
    checked(tmp_path, row, shape)
