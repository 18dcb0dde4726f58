"""baselines.json: what is written is read, and damage is noticed."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from dlrun.errors import RunError
from dlrun.runs.baselines import NAME, BaselineResult, Comparison, has_unfinished, read_comparison, write_comparison

RESULT = BaselineResult("mean", {"rows": "3"}, 5, 6, {"test/loss": 0.1, "test/r2": math.inf}, "", "a remark")
COMPARISON = Comparison("test", 3, {"loss": 1.5}, (RESULT,), "Not shown", complete=True)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    assert read_comparison(tmp_path) is None
    write_comparison(tmp_path, COMPARISON)
    assert read_comparison(tmp_path) == COMPARISON
    write_comparison(tmp_path, Comparison("test", 3, {"loss": math.nan}))
    found = read_comparison(tmp_path)
    assert found is not None and math.isnan(found.network["loss"])


def test_every_damaged_byte_is_noticed(tmp_path: Path) -> None:
    write_comparison(tmp_path, COMPARISON)
    whole = (tmp_path / NAME).read_bytes()
    for place in range(len(whole)):
        (tmp_path / NAME).write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(RunError, match=f"{NAME} is damaged"):
            read_comparison(tmp_path)
    (tmp_path / NAME).write_bytes(whole[:-9])
    assert has_unfinished(tmp_path)  # it is computed again


def test_only_a_comparison_that_was_begun_is_unfinished(tmp_path: Path) -> None:
    assert not has_unfinished(tmp_path)
    write_comparison(tmp_path, Comparison("test", 3, {}))
    assert has_unfinished(tmp_path)
    write_comparison(tmp_path, COMPARISON)
    assert not has_unfinished(tmp_path)
