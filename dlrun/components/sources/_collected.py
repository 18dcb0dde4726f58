"""The texts of a column, collected while the rows are read."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Any

from dlrun.components.sources import Texts
from dlrun.components.sources._arrow import as_array

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


class Collected:
    """Each distinct text once, and the code of each row's."""

    def __init__(self) -> None:
        self.seen: dict[str, int] = {}
        self.codes = array("i")

    def add(self, text: str) -> None:
        """Add the next row's text."""
        self.codes.append(self.seen.setdefault(text, len(self.seen)))

    def add_coded(self, words: list[str], codes: Array) -> None:
        """Add rows: their texts in any order, perhaps some without a row, and for each row the index of one."""
        import numpy as np

        there, first = np.unique(codes, return_index=True)
        numbers = np.empty(len(words), np.int32)
        for code in there[first.argsort()].tolist():
            numbers[code] = self.seen.setdefault(words[code], len(self.seen))
        self.codes.frombytes(numbers[codes].tobytes())

    def add_cells(self, part: Any, name: str) -> bool:
        """Add cells of a csv, a dictionary of pyarrow; False where a cell needs the strict reader."""
        import numpy as np

        words = ["" if word is None else word.strip() for word in part.dictionary.to_pylist()]
        if part.null_count or any(word.startswith('"') or word == name or "\0" in word for word in words):
            return False
        numbers = np.array([self.seen.setdefault(word, len(self.seen)) for word in words], np.int32)
        self.codes.frombytes(numbers[as_array(part.indices, np.int32)].tobytes())
        return True

    def take(self) -> Array:
        """The codes of the rows that were added since it was called last; the texts stay."""
        import numpy as np

        codes, self.codes = self.codes, array("i")
        return np.frombuffer(codes, np.int32)

    def result(self) -> Texts:
        """All rows."""
        import numpy as np

        return Texts(tuple(self.seen), np.frombuffer(self.codes, np.int32))
