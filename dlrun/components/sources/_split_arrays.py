"""Arrays that are stored apart for training, validation and test: `x_train`, `x_test`, and such."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from dlrun.components.sources import SourceError
from dlrun.components.sources._arrays import Unread
from dlrun.components.sources._own_splits import ORDER, WORDS, Part, own_splits
from dlrun.errors import SpecPath
from dlrun.shapes import show

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

TARGETS = ("y", "label", "labels", "target", "targets")
"""Names of arrays that are usually the one to predict."""


class Joined(Unread):
    """The rows of several arrays, one below the other: those for training, for validation, and for the test."""

    def __init__(self, parts: Mapping[Part, Unread]):
        import numpy as np

        self.parts = [parts[part] for part in ORDER if part in parts]
        self.dtype = np.result_type(*(array.dtype for array in self.parts))
        self.shape = (sum(array.shape[0] for array in self.parts), *self.parts[0].shape[1:])
        self.classes = self.parts[0].classes
        self.splits = own_splits({part: array.shape[0] for part, array in parts.items()})

    def read(self) -> Array:
        import numpy as np

        return np.concatenate([np.asarray(array.read()) for array in self.parts])

    def blocks(self) -> Iterator[Array]:
        for array in self.parts:
            yield from array.blocks()


def joined(
    unread: Mapping[str, Unread | SourceError], at: SpecPath
) -> tuple[dict[str, Unread | SourceError], tuple[str, ...] | None, str | None]:
    """The arrays, with one more before them for each that is stored in parts; the features and the target among these.

    `x_train`, `x_val` and `x_test` are parts of `x`, and `train_images` and `test_images` of `images`. An array whose
    parts have rows of different shapes is damaged.
    """
    found: dict[str, dict[Part, str]] = {}
    twice: set[str] = set()
    for name in unread:
        for whole, part in _part(name):
            if part in found.setdefault(whole, {}):
                twice.add(whole)
            found[whole][part] = name
    whole = {
        name: join(name, parts, unread, at, f"make them alike, or choose some: `features: {parts['train']}`")
        for name, parts in found.items()
        if "train" in parts and len(parts) > 1 and name not in unread and name not in twice
    }
    if not whole:
        return dict(unread), None, None
    target = next((name for name in whole if name.lower() in TARGETS), None)
    return {**whole, **unread}, tuple(name for name in whole if name != target), target


def _part(name: str) -> Iterator[tuple[str, Part]]:
    """What the array is a part of, and which; nothing where its name does not say it."""
    first, _, rest = name.partition("_")
    start, _, last = name.rpartition("_")
    if rest and (part := WORDS.get(first.lower())):
        yield rest, part
    elif start and (part := WORDS.get(last.lower())):
        yield start, part


def join(
    name: str, parts: Mapping[Part, str], unread: Mapping[str, Unread | SourceError], at: SpecPath, hint: str
) -> Unread | SourceError:
    """One array of the parts, which are named; an error, if the rows of these do not fit each other."""
    arrays: dict[Part, Unread] = {}
    for part, member in parts.items():
        array = unread[member]
        if isinstance(array, SourceError):
            return array
        arrays[part] = array
    train, names = arrays["train"], [parts[part] for part in ORDER if part in parts]
    for part, array in arrays.items():
        one, other = f"'{parts['train']}'", f"'{parts[part]}'"
        if not array.shape or not train.shape or array.shape[1:] != train.shape[1:]:
            message = f"'{name}' is {' and '.join(names)}, but the shape of {one} is {show(train.shape)}"
            return SourceError(f"{message}, and that of {other} is {show(array.shape)}", at, hint)
        if _sort(array) != _sort(train):  # numbers of two types are often in two units
            message = f"'{name}' is {' and '.join(names)}, but {one} holds values of type {train.dtype}"
            return SourceError(f"{message}, and {other} of type {array.dtype}", at, hint)
    return Joined(arrays)


def _sort(array: Unread) -> str:
    """The type of the values, whatever the order of their bytes, or the length of their texts."""
    return array.dtype.kind if array.dtype.kind in "US" else str(array.dtype.newbyteorder("="))
