"""Which weights of a file a network starts from, by their names and shapes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dlrun.errors import LocatedError
from dlrun.language.start_weights import StartWeights
from dlrun.language.suggestions import did_you_mean
from dlrun.plan.names import around, matches
from dlrun.shapes import Shape, show

FEW = 4
"""How many names an error lists."""
FRONT = ("preprocess", "target_preprocess")
"""What the names of a network's preprocessing begin with in the file of a run."""


class StartError(LocatedError):
    """The weights of a file that a network cannot start from; `at` is the setting."""


@dataclass(frozen=True, slots=True)
class Start:
    """The weights that a network takes from a file."""

    taken: Mapping[str, str]
    """For each of the network's weights that the file gives, its name there."""
    missing: tuple[str, ...]
    """The network's weights that the file does not give, though they are wanted."""
    left: tuple[str, ...]
    """The network's weights that `only` does not name."""
    unused: tuple[str, ...]
    """The names in the file that the network has not."""

    def lines(self, file: str) -> list[str]:
        """What is taken and what is not, for people."""
        count = len(self.taken) + len(self.missing) + len(self.left)
        found = [f"{len(self.taken)} of {count} from {file}"]
        for names, what in (
            (self.left, "not in `only`"),
            (self.missing, "not in the file"),
            (self.unused, "not in the network"),
        ):
            if names:
                found.append(f"{what}: {few(names)}")
        return found


def matched(
    settings: StartWeights, held: Mapping[str, Shape], wanted: Mapping[str, Shape], layers: Sequence[str]
) -> Start:
    """Choose the weights of a file for a network.

    Args:
        settings: which weights, by which names.
        held: the names and shapes in the file.
        wanted: those of the network.
        layers: the names of its layers, for suggestions.

    Raises:
        StartError: a name or a shape does not fit.
    """
    renamed = _renamed(settings.rename or {}, held, wanted, layers)
    for index, pattern in enumerate(settings.only or ()):
        if not any(matches(name, pattern) for name in wanted):
            message = f"no weight matches '{pattern}'{did_you_mean(pattern, layers, {})}"
            raise StartError(message, "`dlrun params` shows the names; `*` matches anything", ("only", index))
        if settings.missing == "allow" and not any(matches(name, pattern) for name in renamed if name in wanted):
            message = f"{settings.source} has no weight that '{pattern}' names"
            raise StartError(message, _names_there(held), ("only", index))
    chosen = [name for name in wanted if settings.only is None or any(matches(name, one) for one in settings.only)]
    taken = {name: renamed[name] for name in chosen if name in renamed}
    missing = tuple(name for name in chosen if name not in renamed)
    if missing and (settings.missing == "refuse" or not taken):
        meant = did_you_mean(missing[0], renamed, {}) if len(missing) == 1 else ""
        names = f"'{missing[0]}'{meant}" if len(missing) == 1 else few(missing)
        hint = "`only` names those to take, `rename` gives other names; " + _names_there(held)
        if taken:
            hint = "`missing: allow` starts them as if there were no file, " + hint
        raise StartError(f"{settings.source} has no {names}", hint)
    differing = [name for name, other in taken.items() if held[other] != wanted[name]]
    if differing:
        shown = [_differing(name, taken[name], held, wanted, settings.source) for name in differing]
        raise StartError(few(shown, "; "), _without(differing, wanted))
    left = tuple(name for name in wanted if name not in set(chosen))
    known = {renamed[name] for name in wanted if name in renamed}
    return Start(taken, missing, left, tuple(name for name in _of_weights(held) if name not in known))


def few(names: Sequence[str], between: str = ", ") -> str:
    """The first names, and how many more there are."""
    more = f" and {len(names) - FEW} more" if len(names) > FEW else ""
    return between.join(names[:FEW]) + more


def _names_there(held: Mapping[str, Shape]) -> str:
    return f"the names in the file are {few(_of_weights(held))}"


def _of_weights(held: Mapping[str, Shape]) -> list[str]:
    """The names in a file, in order, without those of the preprocessing."""
    return sorted(name for name in held if name.partition(".")[0].rstrip("_") not in FRONT)


def _differing(name: str, other: str, held: Mapping[str, Shape], wanted: Mapping[str, Shape], file: str) -> str:
    called = "" if name == other else f", where it is '{other}',"
    return f"'{name}' is {show(held[other])} in {file}{called} and {show(wanted[name])} in this network"


def _without(differing: Sequence[str], wanted: Mapping[str, Shape]) -> str:
    """How to take the weights of all layers but those with other shapes."""
    wrong = {name.partition(".")[0] for name in differing}
    right = list(dict.fromkeys(layer for name in wanted if (layer := name.partition(".")[0]) not in wrong))
    if not right:
        return "names and shapes must agree"
    return f"to leave them out, name the layers to take: `only: [{few(right)}]`"


def _renamed(
    rename: Mapping[str, str], held: Mapping[str, Shape], wanted: Mapping[str, Shape], layers: Sequence[str]
) -> dict[str, str]:
    """Every name that the file has once it is renamed, with its own."""
    patterns = {pattern: _expression(pattern) for pattern in rename}
    found: dict[str, str] = {}
    used: set[str] = set()
    for name in held:
        new = name
        for pattern, expression in patterns.items():
            if fits := expression.fullmatch(name):
                new = _replaced(fits, pattern, rename[pattern])
                used.add(pattern)
                break
        if new in found:
            message = f"'{found[new]}' and '{name}' of the file would both be '{new}'"
            raise StartError(message, "give each a name of its own in `rename`", ("rename",))
        found[new] = name
    for pattern, new in rename.items():
        if pattern not in used:
            meant = did_you_mean(pattern, [layer for name in held for layer in around(name)], {})
            message = f"'{pattern}' changes no name of the file{meant}"
            raise StartError(message, _names_there(held), ("rename", pattern))
        if not any(matches(name, new) for name in wanted):
            message = f"no weight matches '{new}'{did_you_mean(new, layers, {})}"
            raise StartError(message, "`dlrun params` shows the names; `*` matches anything", ("rename", pattern))
    return found


def _expression(pattern: str) -> re.Pattern[str]:
    """A pattern with a group for each `*`; the name of a layer stands for all names inside it."""
    parts = {"*": "(.*?)", "?": "."}
    return re.compile("".join(parts.get(part, re.escape(part)) for part in pattern) + r"(\..*)?", re.DOTALL)


def _replaced(fits: re.Match[str], pattern: str, new: str) -> str:
    """What takes the place of a name: each `*` stands for what it stands for in the name."""
    *stars, inside = fits.groups()
    texts = iter(stars)
    return "".join(next(texts) if part == "*" else part for part in new) + (inside or "")
