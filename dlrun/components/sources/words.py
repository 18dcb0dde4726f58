from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from dlrun.components.sources import Table
from dlrun.components.sources._corpus import Corpus, read_corpus
from dlrun.components.sources._in_order import CorpusSource, InOrder
from dlrun.language.fields import Positive
from dlrun.shapes import Shape

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

FILE = ("source", "words", "path")


class Words(CorpusSource):
    """Each word of a text with the words around it, for vectors of words.

    With `cbow`, a row is a word, which is the target, and the field `context` of the `window` words before and after
    it. With `skip_gram`, a row is a word and one of the words around it, the field `context`, which is the target. A
    word is a run of letters, digits and `_`, or any other single character but a space. Words that are so near to the
    end of a part, or of a file, that not all words around them are there are not used as a word.

    The vocabulary is that of the training part: the most frequent words have the indices from 1 on, and equally
    frequent ones are in the order of the alphabet. Index 0 is every other word. The text is split in its order: the
    last part is for the test, the part before it for validation. `validation` and `test` of the split are shares of the
    words of the text, or numbers of words, each with those around it.

    Shape: cbow: (2*window,) indices, one class to predict; skip_gram: (1,), one class to predict
    Reference: Mikolov, Chen, Corrado and Dean, Efficient estimation of word representations in vector space, 2013.
    Example: words: {path: island.txt, window: 2, model: cbow}
    """

    synonyms = ("word2vec", "cbow", "skip_gram", "skipgrams")

    model: Literal["cbow", "skip_gram"] = "cbow"
    """`cbow`: predict a word from those around it; `skip_gram`: predict each word around it from the word."""
    window: Positive = 2
    """How many words on each side of a word are around it."""

    def open(self, folder: Path, whole: bool = True) -> Table:
        return _Surroundings(self, read_corpus(self.path, folder, FILE, "word", self.lower, whole))


class _Surroundings(InOrder):
    """A row for each word, or for each pair of a word and one around it."""

    what = "a word and those around it"
    size = "window"

    def __init__(self, settings: Words, corpus: Corpus):
        self.window, self.pairs = settings.window, settings.model == "skip_gram"
        self.own_target = "context" if self.pairs else "word"
        super().__init__(settings, corpus, 2 * settings.window + 1, 1)

    def shapes(self) -> dict[str, Shape]:
        return {"context": () if self.pairs else (2 * self.window,), "word": ()}

    def indices(self, name: str) -> Array:
        import numpy as np

        windows, places = self.windows
        if name == "word":
            words = windows[:, self.window][places]
            return words.repeat(2 * self.window) if self.pairs else words
        around = np.delete(windows[places], self.window, axis=1)
        return around.reshape(-1) if self.pairs else around
