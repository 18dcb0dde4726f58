"""The limits of MLflow: names, lengths, and entries per call."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

from dlrun.errors import visible

Item = TypeVar("Item")

MAX_KEY = 250
MAX_PARAM = 500
"""The smallest limit among the servers still in use; today's own is 6000."""
MAX_TAG = 5000
MAX_DATASET_NAME = 500
SHOWN_DIGEST = 12
"""MLflow takes 36 characters and shows all of them; 12 are enough to distinguish data."""

METRICS_AT_A_TIME = 1000
ENTRIES_AT_A_TIME = 100
"""Params, and likewise tags."""


def cut(text: str, length: int) -> str:
    """At most `length` characters of a text; a text that was longer ends in '…'."""
    return text if len(text) <= length else text[: length - 1] + "…"


def clean_key(key: str) -> str:
    """The nearest name that MLflow accepts: `layers[0].conv2d` becomes `layers.0.conv2d`; a valid name stays.

    MLflow accepts letters, digits, `_ - . / :` and spaces, in a normal relative path.
    """
    key = re.sub(r"\[(\d+)\]", r".\1", key)
    key = re.sub(r"[^\w\-./: ]", "_", key)
    steps = ["_" if step in ("", ".", "..") else step for step in key[:MAX_KEY].split("/")]
    if steps[0].startswith(".."):  # MLflow takes it for a path that leads out of the folder
        steps[0] = f"_{steps[0][1:]}"
    return "/".join(steps)


def clean_keys(keys: Iterable[str]) -> dict[str, str]:
    """The name for each key as MLflow accepts it; where two become the same, one gets a number."""
    names: dict[str, str] = {}
    taken: set[str] = set()
    for key in keys:
        name, count = clean_key(key), 1
        while name in taken:
            count += 1
            ending = f"_{count}"
            name = clean_key(key)[: MAX_KEY - len(ending)] + ending
        taken.add(name)
        names[key] = name
    return names


def clean_entries(entries: Mapping[str, str], max_value: int) -> dict[str, str]:
    """Params or tags as MLflow accepts them."""
    names = clean_keys(entries)
    return {names[key]: cut(visible(str(value)), max_value) for key, value in entries.items()}


def chunks(items: Sequence[Item], size: int) -> Iterator[Sequence[Item]]:
    """The items in order, `size` at a time."""
    for start in range(0, len(items), size):
        yield items[start : start + size]
