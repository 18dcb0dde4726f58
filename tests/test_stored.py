"""Arrays that stay in their files."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from dlrun.errors import RunError
from dlrun.stored import StoredArray

HEADER = 24


def stored(folder: Path, values: np.ndarray) -> StoredArray:
    file = folder / "x.bin"
    file.write_bytes(b"h" * HEADER + values.tobytes())
    return StoredArray(file, HEADER, values.shape, values.dtype)


@pytest.fixture
def values() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(100, 2, 3)).astype("f4")


@pytest.mark.parametrize("rows", [[], [0], [99], [3, 4, 5, 9, 8, 7], [5, 5, 5, 6], [99, 0, 50, 51], [2, 3, 7, 40, 98]])
def test_rows_by_their_numbers_are_those_of_the_array(tmp_path: Path, values: np.ndarray, rows: list[int]) -> None:
    chosen = np.array(rows, np.int64)
    assert (stored(tmp_path, values)[chosen] == values[chosen]).all()
    assert stored(tmp_path, values)[chosen].shape == (len(rows), 2, 3)


def test_columns_are_those_of_the_array_and_rows_that_rise_are_read_together(tmp_path: Path) -> None:
    values = np.arange(600.0).reshape(100, 6)
    whole = stored(tmp_path, values)
    some = whole.of((4, 1))
    assert some.shape == (100, 2) and some.nbytes == 1600 and some.size == 200
    assert (some[3:9] == values[3:9][:, [4, 1]]).all() and (np.asarray(some) == values[:, [4, 1]]).all()
    calls: list[int] = []
    read = whole._read
    whole._read = lambda view, starts, size: (calls.append(len(starts)), read(view, starts, size))[1]  # type: ignore[method-assign]
    for rows in ([1, 5, 9, 80], [80, 9, 5, 1]):
        assert (whole[np.array(rows)] == values[rows]).all()
    assert calls == [1, 4]


@pytest.mark.parametrize("rows", [slice(None), slice(3, 9), slice(90, 200), slice(5, 5), slice(9, 3), slice(-2, None)])
def test_a_slice_is_that_of_the_array(tmp_path: Path, values: np.ndarray, rows: slice) -> None:
    found = stored(tmp_path, values)[rows]
    assert found.shape == values[rows].shape and (found == values[rows]).all()


def test_it_has_the_shape_and_the_bytes_of_the_array(tmp_path: Path, values: np.ndarray) -> None:
    found = stored(tmp_path, values)
    assert (len(found), found.shape, found.size, found.nbytes) == (100, (100, 2, 3), values.size, values.nbytes)
    assert (np.asarray(found) == values).all()
    assert (found.reshaped((6,))[:] == values.reshape(100, 6)).all()


def test_rows_are_a_new_array(tmp_path: Path, values: np.ndarray) -> None:
    found = stored(tmp_path, values)
    found[:][:] = 0
    assert (found[:] == values).all()


@pytest.mark.parametrize("change", ["longer", "shorter", "touched"])
def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path: Path, values: np.ndarray, change: str) -> None:
    found = stored(tmp_path, values)
    if change == "longer":
        with found.file.open("ab") as stream:
            stream.write(b"x")
    elif change == "shorter":
        os.truncate(found.file, HEADER + 30)
    else:
        os.utime(found.file, ns=(1, 1))
    with pytest.raises(RunError, match=r"x\.bin was changed while it was read"):
        found[50:60]


def test_a_file_in_its_place_changes_nothing(tmp_path: Path, values: np.ndarray) -> None:
    found = stored(tmp_path, values)
    other = tmp_path / "other"
    other.write_bytes(b"")
    other.replace(found.file)
    assert (found[:] == values).all()


def test_the_file_is_closed_with_the_array(tmp_path: Path, values: np.ndarray) -> None:
    before = sum(1 for _ in Path("/proc/self/fd").iterdir())
    found = stored(tmp_path, values)
    found[:]
    del found
    assert sum(1 for _ in Path("/proc/self/fd").iterdir()) == before
