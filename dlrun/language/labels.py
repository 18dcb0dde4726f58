"""The order of classes and categories, and how a label is shown."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

LONGEST = 40
"""Characters of a label in the name of a value."""


def class_labels(values: Iterable[Any]) -> tuple[str, ...]:
    """The distinct values as labels, in the order of their class numbers: by size, or by alphabet."""
    distinct = sorted({str(value) for value in values})  # so '1' and '1.0' have an order too
    try:
        return tuple(sorted(distinct, key=_size))
    except ValueError:
        return tuple(distinct)


def shown(label: str) -> str:
    """A label as people see it: in quotes where it is blank, such as a space."""
    return label if label.strip() and label.isprintable() else repr(label)


def in_spec(label: str) -> str:
    """The label as a spec writes it: in quotes, since `0` alone is a number and `no` a truth value."""
    return json.dumps(label, ensure_ascii=False)


def in_names(labels: Iterable[str]) -> tuple[str, ...]:
    """The labels as parts of the names of values: short, without a `/`, and no two alike."""
    found: dict[str, None] = {}
    for label in labels:
        short = shown(label).replace("/", "_")
        short = name = short if len(short) <= LONGEST else short[: LONGEST - 1] + "…"
        count = 1
        while name in found:
            count += 1
            name = f"{short}_{count}"
        found[name] = None
    return tuple(found)


def _size(label: str) -> float:
    size = float(label)
    if size != size:
        raise ValueError("not a number has no place among numbers")
    return size
