"""Columns for encoders, and what encoders make of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from dlrun.components.preprocess import Column, Encoder
from dlrun.language.component import choose


def step_of(written: Any) -> Encoder:
    """An encoder as a spec writes it."""
    step = choose("preprocess", written)
    assert isinstance(step, Encoder)
    return step


def column_of(values: Any, name: str = "size") -> Column:
    """A column of numbers, or of texts with None where one is missing."""
    if np.asarray(values).dtype.kind == "f":
        return Column(name, np.asarray(values))
    texts = tuple(dict.fromkeys(value for value in values if value is not None))
    codes = [-1 if value is None else texts.index(value) for value in values]
    return Column(name, None, texts, np.array(codes, np.int64))


def encoded(written: Any, train: Any, new: Any) -> list[Column]:
    """What comes in place of new rows, learned from others."""
    step = step_of(written)
    return step.encode(column_of(new), step.learn(column_of(train)))


def matrix(columns: list[Column]) -> Any:
    """(N, columns)"""
    return np.stack([column.numbers for column in columns], axis=1)  # type: ignore[misc]
