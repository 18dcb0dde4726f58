"""Counts and bytes as people read them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlrun.shapes import readable, readable_bytes


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0"),
        (7, "7"),
        (999, "999"),
        (1000, "1 k"),
        (51840, "51.8 k"),
        (999_499, "999 k"),
        (999_500, "1 M"),
        (1_234_567, "1.23 M"),
        (999_999_999, "1 G"),
        (2 * 10**12, "2 T"),
        (10**15, "1 P"),
    ],
)
def test_a_count_has_three_digits(count, text):
    assert readable(count) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1 KiB"),
        (1536, "1.5 KiB"),
        (1024 * 1000, "1000 KiB"),
        (1024 * 1023 + 511, "1023 KiB"),
        (1024 * 1024 - 1, "1 MiB"),
        (1000 * 2**40, "1000 TiB"),
        (2**50, "1 PiB"),
    ],
)
def test_bytes_have_three_digits_or_are_whole(count, text):
    assert readable_bytes(count) == text


@given(st.integers(0, 2**60))
def test_no_count_is_written_with_an_exponent(count):
    for text, step, names in ((readable(count), 1000, " kMGTP"), (readable_bytes(count), 1024, "BKMGTP")):
        number, _, unit = text.partition(" ")
        scale = step ** names.index(unit[0]) if unit else 1
        assert abs(float(number) * scale - count) <= count / 199, text
        assert "e" not in number
        assert len(number.replace(".", "")) <= 4
