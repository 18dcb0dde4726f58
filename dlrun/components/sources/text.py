from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from dlrun.components.sources import Table
from dlrun.components.sources._corpus import Corpus, read_corpus
from dlrun.components.sources._in_order import CorpusSource, InOrder
from dlrun.language.fields import Positive
from dlrun.language.words import Unit
from dlrun.shapes import Shape

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

FILE = ("source", "text", "path")


class Text(CorpusSource):
    """Windows of a text, for a network that predicts the next token at every position.

    The field `tokens` has the indices of the tokens of a window, and `next`, which is the target, those of the same
    window one token later. The vocabulary is that of the training part: the most frequent tokens have the indices from
    1 on, and equally frequent ones are in the order of the alphabet. Index 0 is every other token.

    The text is split in its order: the last part is for the test, the part before it for validation. `validation` and
    `test` of the split are shares of the tokens, or numbers of windows. A window lies in one part, and in one file.

    Shape: (length,) indices, and (length,) classes to predict
    Reference: Mikolov, Karafiát, Burget, Černocký and Khudanpur, Recurrent neural network based language model, 2010.
    Example: text: {path: island.txt, unit: character, length: 40}
    """

    synonyms = ("corpus", "text_file", "language_model")

    unit: Unit = "character"
    """What a token is: a character, spaces and ends of lines too; or a word, which is a run of letters, digits and
    `_`, or any other single character but a space."""
    length: Annotated[int, Field(ge=2)] = 40
    """How many tokens a window has."""
    step: Positive | None = None
    """How many tokens after a window the next one starts. Unless given, it is `length`: each token is predicted once
    in an epoch. A smaller one makes windows that overlap."""

    def open(self, folder: Path, whole: bool = True) -> Table:
        return _Windows(self, read_corpus(self.path, folder, FILE, self.unit, self.lower, whole))


class _Windows(InOrder):
    """A row for each window."""

    own_target = "next"
    what = "a window and the token after it"
    size = "length"

    def __init__(self, settings: Text, corpus: Corpus):
        self.length = settings.length
        super().__init__(settings, corpus, settings.length + 1, settings.step or settings.length)

    def shapes(self) -> dict[str, Shape]:
        return {"tokens": (self.length,), "next": (self.length,)}

    def indices(self, name: str) -> Array:
        windows, places = self.windows
        return (windows[:, 1:] if name == "next" else windows[:, :-1])[places]
