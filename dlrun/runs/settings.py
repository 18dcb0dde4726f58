"""The settings of several runs: in which they differ, and short names for them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from dlrun.errors import without_password

NOT_COMPUTED = ("name", "description", "baselines", "tracking")
"""Sections that change nothing in what a run computes."""
LAYERS = "model.layers."
"""How the settings of layers begin."""
LONGEST_VALUE = 30
"""Characters of a value that is shown beside others."""


def short_names(names: Sequence[str]) -> list[str]:
    """Of each setting's path the end, as much as distinguishes it from the others: `lr` for `optimizer.lr`.

    An end that is a number alone says nothing, so what is before it is shown too.
    """
    paths = [name.split(".") for name in names]
    most = max(map(len, paths), default=0)
    ends = Counter(tuple(path[-count:]) for path in paths for count in range(1, len(path) + 1))

    def short(path: list[str]) -> str:
        for count in range(1, most):
            end = path[-count:]
            if (ends[tuple(end)] == 1 or len(end) == len(path)) and not end[0].isdecimal():
                return ".".join(end)
        return ".".join(path)

    return [short(path) for path in paths]


def short_value(value: str, most: int = LONGEST_VALUE) -> str:
    """A value in one line, cut where it is long, and without a password."""
    text = without_password(" ".join(value.split()))
    return text if len(text) <= most else text[: most - 1] + "…"


def by_kind(settings: Mapping[str, str]) -> dict[str, str]:
    """The settings, where an entry of a list is named by its kind and not by its number: `metrics.f1.average`.

    So an entry before it changes nothing. The list itself has its kinds as a value, `accuracy, f1`, and several of one
    kind get numbers. Layers are left as they are.
    """
    kinds: dict[str, list[str]] = {}
    names: dict[str, str] = {}
    for name, value in settings.items():
        place, _, number = name.rpartition(".")
        if number.isdecimal() and place and not name.startswith(LAYERS):
            before = kinds.setdefault(place, [])
            before.append(value)
            count = before.count(value)
            names[name] = f"{place}.{value}" + (f" {count}" if count > 1 else "")
    found: dict[str, str] = {}
    for name, value in settings.items():
        if name in names:
            place = name.rpartition(".")[0]
            found[place] = ", ".join(kinds[place])
            continue
        parts = name.split(".")
        known = next((count for count in range(len(parts), 0, -1) if ".".join(parts[:count]) in names), 0)
        found[".".join([names[".".join(parts[:known])], *parts[known:]]) if known else name] = value
    return found


def differing(settings: Sequence[Mapping[str, str]]) -> list[str]:
    """The settings in which runs differ, also where one lacks it; those that all runs have first, those of layers last.

    Left out are sections that change nothing in what a run computes.
    """
    names = dict.fromkeys(name for one in settings for name in one)
    found = [
        name
        for name in names
        if name.partition(".")[0] not in NOT_COMPUTED and len({one.get(name) for one in settings}) > 1
    ]
    return sorted(found, key=lambda name: (name.startswith(LAYERS), not all(name in one for one in settings)))
