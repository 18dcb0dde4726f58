"""Shared by the encoders of texts: which categories there are, the number of each row's, and rows without a value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dlrun.components.preprocess import Column, EncodeError, Encoder
from dlrun.language.labels import class_labels

if TYPE_CHECKING:
    import numpy as np


class CategoryEncoder(Encoder):
    """An encoder for which each text is a category; `learned` has those with a place of their own as `categories`.

    All others share a place: the rare ones, and those that no training row has.
    """

    takes = ("text",)
    reads = "text"

    def way_out(self) -> str:
        """What to do where other rows have such a category, and no training row has the place of the others."""
        raise NotImplementedError


def share_place(minimum: int) -> str:
    """The way out by a larger `minimum`."""
    return f"with a `minimum` above {minimum}, rare categories can share its place, so that its weights are trained"


def categories(column: Column, minimum: int = 1) -> list[str]:
    """The categories of at least so many rows, by size where all are numbers, otherwise by alphabet.

    Raises:
        EncodeError: there is none.
    """
    import numpy as np

    assert column.codes is not None
    counts = np.bincount(column.codes[column.codes >= 0], minlength=len(column.texts))
    found = class_labels(text for text, count in zip(column.texts, counts, strict=True) if count >= minimum)
    if not found:
        message = f"no category of the column '{column.name}' has {minimum} training rows"
        raise EncodeError(message, "lower `minimum`" if minimum > 1 else "leave the column out")
    return list(found)


def need_values(column: Column, what: str) -> None:
    """Require a value in each row; `what` says of which sort.

    Raises:
        EncodeError: a row has none.
    """
    if column.missing.any():
        row = int(column.missing.argmax())
        hint = f"`impute: {{columns: {column.name}, with: most_frequent}}` before this step, or `with: constant`"
        raise EncodeError(f"each row needs {what}", hint, row)


def numbered(column: Column, known: list[str]) -> np.ndarray[Any, Any]:
    """(N,) the number of each row's category; one more than the last for an unknown one.

    Raises:
        EncodeError: a row has no value.
    """
    import numpy as np

    assert column.codes is not None
    need_values(column, "a category")
    places = {text: number for number, text in enumerate(known)}
    return np.array([places.get(text, len(known)) for text in column.texts], np.int64)[column.codes]
