"""Times as ISO 8601 writes them."""

from __future__ import annotations

import numpy as np
import pytest

from dlrun.language.times import read_time


@pytest.mark.parametrize("text", ["2026-03-01", "1969-12-31", "2026-03-01 14:30", "2026-03-01T14:30:05.250"])
def test_a_time_without_offset_is_utc_as_numpy_reads_it(text: str) -> None:
    assert read_time(text) == np.datetime64(text, "us").astype("int64") / 1e6


def test_an_offset_counts() -> None:
    assert read_time("2026-03-01T14:30:00+02:00") == read_time("2026-03-01T12:30:00Z")


@pytest.mark.parametrize("text", ["", "20260301", "2026-13-01", "2026-02-30", "1.3.2026", "12:30", "2026-3-1", "2026"])
def test_other_texts_are_no_times(text: str) -> None:
    assert read_time(text) is None
