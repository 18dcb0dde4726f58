"""Which weights of a file a network starts from, by their names and shapes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dlrun.errors import LocatedError
from dlrun.language.start_weights import STAR, StartWeights, Target, read_target
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
class Taken:
    """The tensors of a file that become a weight: one, or several that are put together along the first axis."""

    names: tuple[str, ...]
    transposed: bool = False
    """Whether the two axes of each are exchanged; a tensor of one axis stays as it is."""

    def __str__(self) -> str:
        return " + ".join(self.names) + (" transposed" if self.transposed else "")

    def parts(self, held: Mapping[str, Shape]) -> list[Shape]:
        """The shapes of the tensors as they become the weight, from those in the file."""
        return [held[name][::-1] if self.transposed else held[name] for name in self.names]

    def shape(self, held: Mapping[str, Shape]) -> Shape:
        """The weight's, from the shapes in the file, of tensors that can be put together."""
        shapes = self.parts(held)
        return (sum(shape[0] for shape in shapes), *shapes[0][1:]) if len(shapes) > 1 else shapes[0]


@dataclass(frozen=True, slots=True)
class Start:
    """The weights that a network takes from a file."""

    taken: Mapping[str, Taken]
    """Each of the network's weights that the file gives, with its name there."""
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
    settings: StartWeights,
    held: Mapping[str, Shape],
    wanted: Mapping[str, Shape],
    layers: Sequence[str],
    names: Mapping[str, str] | None = None,
) -> Start:
    """Choose the weights of a file for a network.

    Args:
        settings: which weights, by which names.
        held: the names and shapes in the file.
        wanted: those of the network.
        layers: the names of its layers, for suggestions.
        names: what stands for a word in `rename`. They are for several networks, and some may change no name; each
            pattern that somebody wrote for this file must change one.

    Raises:
        StartError: a name or a shape does not fit.
    """
    own = settings.rename if isinstance(settings.rename, dict) else {}
    renamed = _renamed(own if names is None else names, names is None, held, wanted, layers)
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
        which = f"'{missing[0]}'{meant}" if len(missing) == 1 else few(missing)
        hint = "`only` names those to take, `rename` gives other names; " + _names_there(held)
        if taken:
            hint = "`missing: allow` starts them as if there were no file, " + hint
        raise StartError(f"{settings.source} has no {which}", hint)
    for name, other in taken.items():
        _check_parts(other, held, f"'{name}' is {show(wanted[name])} in this network")
    differing = [name for name, other in taken.items() if other.shape(held) != wanted[name]]
    if differing:
        shown = [_differing(name, taken[name], held, wanted, settings.source) for name in differing]
        raise StartError(few(shown, "; "), _without(differing, wanted))
    picked = set(chosen)
    left = tuple(name for name in wanted if name not in picked)
    known = {other for name in wanted if name in renamed for other in renamed[name].names}
    return Start(taken, missing, left, tuple(name for name in _of_weights(held) if name not in known))


def _check_parts(taken: Taken, held: Mapping[str, Shape], hint: str) -> None:
    """Refuse tensors whose axes cannot be exchanged, or that cannot be put together.

    Raises:
        StartError: with this hint.
    """
    shapes = taken.parts(held)
    longer = [name for name in taken.names if len(held[name]) > 2]
    if taken.transposed and longer:
        message = f"`transposed` exchanges the two axes of a matrix; '{longer[0]}' is {show(held[longer[0]])}"
        raise StartError(message, hint, ("rename",))
    if len(shapes) > 1 and not all(shape and shape[1:] == shapes[0][1:] for shape in shapes):
        shown = ", ".join(f"'{name}' is {show(held[name])}" for name in taken.names)
        raise StartError(f"these cannot be put together along the first axis: {shown}", hint, ("rename",))


def few(names: Sequence[str], between: str = ", ") -> str:
    """The first names, and how many more there are."""
    more = f" and {len(names) - FEW} more" if len(names) > FEW else ""
    return between.join(names[:FEW]) + more


def _names_there(held: Mapping[str, Shape]) -> str:
    return f"the names in the file are {few(_of_weights(held))}"


def _of_weights(held: Mapping[str, Shape]) -> list[str]:
    """The names in a file, in order, without those of the preprocessing."""
    return sorted(name for name in held if name.partition(".")[0].rstrip("_") not in FRONT)


def _differing(name: str, other: Taken, held: Mapping[str, Shape], wanted: Mapping[str, Shape], file: str) -> str:
    called = "" if other == Taken((name,)) else f", where it is '{other}',"
    return f"'{name}' is {show(other.shape(held))} in {file}{called} and {show(wanted[name])} in this network"


def _without(differing: Sequence[str], wanted: Mapping[str, Shape]) -> str:
    """How to take the weights of all layers but those with other shapes."""
    wrong = {name.partition(".")[0] for name in differing}
    right = list(dict.fromkeys(layer for name in wanted if (layer := name.partition(".")[0]) not in wrong))
    if not right:
        return "names and shapes must agree"
    return f"to leave them out, name the layers to take: `only: [{few(right)}]`"


def _renamed(
    rename: Mapping[str, str],
    strict: bool,
    held: Mapping[str, Shape],
    wanted: Mapping[str, Shape],
    layers: Sequence[str],
) -> dict[str, Taken]:
    """Every name that the file has once it is renamed, with its own; `strict`: each pattern must change a name."""
    patterns = {pattern: (_expression(pattern), read_target(new)) for pattern, new in rename.items()}
    found: dict[str, dict[int, str]] = {}
    targets: dict[str, Target] = {}
    used: set[str] = set()
    for name in held:
        new, target = name, Target(name)
        for pattern, (expression, of_pattern) in patterns.items():
            fits = expression.fullmatch(name)
            if fits is not None and (changed := _replaced(fits, of_pattern.name)) is not None:
                new, target = changed, of_pattern
                used.add(pattern)
                break
        parts = found.setdefault(new, {})
        if target.part in parts or targets.setdefault(new, target).parts != target.parts:
            message = f"'{next(iter(parts.values()))}' and '{name}' of the file would both be '{new}'"
            raise StartError(message, "give each a name of its own in `rename`", ("rename",))
        parts[target.part] = name
    for pattern, (_, target) in patterns.items() if strict else ():
        if pattern not in used:
            meant = did_you_mean(pattern, [layer for name in held for layer in around(name)], {})
            message = f"'{pattern}' changes no name of the file{meant}"
            raise StartError(message, _names_there(held), ("rename", pattern))
        if not any(matches(name, STAR.sub("*", target.name)) for name in wanted):
            message = f"no weight matches '{target.name}'{did_you_mean(target.name, layers, {})}"
            raise StartError(message, "`dlrun params` shows the names; `*` matches anything", ("rename", pattern))
    whole = {new: parts for new, parts in found.items() if len(parts) == targets[new].parts}
    return {new: Taken(tuple(parts[n] for n in sorted(parts)), targets[new].transposed) for new, parts in whole.items()}


def _expression(pattern: str) -> re.Pattern[str]:
    """A pattern with a group for each `*`; the name of a layer stands for all names inside it."""
    parts = {"*": "(.*?)", "?": "."}
    return re.compile("".join(parts.get(part, re.escape(part)) for part in pattern) + r"(\..*)?", re.DOTALL)


def _replaced(fits: re.Match[str], new: str) -> str | None:
    """What takes the place of a name; None where a number would be added to what is none, or would become negative.

    Each `*` stands for what it stands for in the name; where there are fewer, they are the last ones.
    """
    *stars, inside = fits.groups()
    marks = [mark[1] for mark in STAR.finditer(new)]
    texts: list[str] = []
    for text, added in zip(stars[len(stars) - len(marks) :], marks, strict=True):
        if added is not None and not (text.isdecimal() and int(text) + int(added) >= 0):
            return None
        texts.append(text if added is None else str(int(text) + int(added)))
    left = iter(texts)
    return STAR.sub(lambda _: next(left), new) + (inside or "")
