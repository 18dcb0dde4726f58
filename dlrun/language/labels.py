"""The order of classes and categories."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


def class_labels(values: Iterable[Any]) -> tuple[str, ...]:
    """The distinct values as labels, in the order of their class numbers: by size, or by alphabet."""
    distinct = sorted({str(value) for value in values})  # so '1' and '1.0' have an order too
    try:
        return tuple(sorted(distinct, key=_size))
    except ValueError:
        return tuple(distinct)


def _size(label: str) -> float:
    size = float(label)
    if size != size:
        raise ValueError("not a number has no place among numbers")
    return size
