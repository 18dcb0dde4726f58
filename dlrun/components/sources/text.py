from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field as Setting

from dlrun.components.sources import Field, Source, SourceError, SplitName, Table, Texts
from dlrun.components.sources._corpus import Corpus, read_corpus
from dlrun.errors import SpecPath
from dlrun.language.fields import Positive
from dlrun.language.paths import FilePath
from dlrun.language.split import SHARE, Split
from dlrun.language.words import Unit

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

TOKENS, NEXT = "tokens", "next"
FILE = ("source", "text", "path")
LENGTH = ("source", "text", "length")


class Text(Source):
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

    path: FilePath
    """The text, UTF-8, or a pattern such as `books/*.txt` for several, which are read in the order of their names. A
    relative path starts from the folder of the file that has it."""
    unit: Unit = "character"
    """What a token is: a character, spaces and ends of lines too; or a word, which is a run of letters, digits and
    `_`, or any other single character but a space."""
    length: Annotated[int, Setting(ge=2)] = 40
    """How many tokens a window has."""
    step: Positive | None = None
    """How many tokens after a window the next one starts. Unless given, it is `length`: each token is predicted once
    in an epoch. A smaller one makes windows that overlap."""
    lower: bool = False
    """Turn capital letters into small ones first."""
    minimum: Positive = 1
    """How often a token must be in the training part to have an index of its own."""
    vocabulary: Annotated[int, Setting(ge=2)] | None = None
    """The most indices, with index 0; as many as there are unless given."""

    def open(self, folder: Path, whole: bool = True) -> Table:
        return _Windows(self, read_corpus(self.path, folder, FILE, self.unit, self.lower, whole))

    def origin(self) -> tuple[str, str]:
        return Path(self.path).name, self.path


class _Windows(Table):
    """The windows of a text, those of the training part first."""

    noun = "field"
    value = "token"
    at = FILE
    own_target = NEXT
    in_order = True

    def __init__(self, settings: Text, corpus: Corpus):
        self.settings, self.corpus, self.name = settings, corpus, corpus.name
        self.complete = corpus.complete
        self.step = settings.step or settings.length
        need = settings.length + 1
        if not self._windows(0, len(corpus)):
            longest = max(end - start for start, end in corpus.pieces(0, len(corpus)))
            message = f"a window and the token after it are {need} {corpus.unit}s, and {self.name} has {longest}"
            raise SourceError(message, LENGTH, "lower `length`, or take a longer text")

    def divide(self, split: Split) -> None:
        for setting in ("stratify", "group", "time", "column", "folds"):
            if getattr(split, setting):
                message = f"`{setting}` cannot be given: the windows of a text are split in their order"
                raise SourceError(message, ("split", setting), f"remove `{setting}`")
        ends = {"test": len(self.corpus)}
        ends["validation"] = self._start("test", split.test, ends["test"])
        ends["train"] = self._start("validation", split.validation, ends["validation"])
        if not self.complete:
            ends = {"train": len(self.corpus)}
        starts, begin = {}, 0
        for name in ("train", "validation", "test"):
            starts[name] = self._windows(begin, ends.get(name, begin))
            begin = ends.get(name, begin)
        if not starts["train"]:
            left = max(0, ends["train"])
            few = f"too few for a window of {self.settings.length} and the token after it"
            message = f"{self.name} has {left} {self.corpus.unit}{'s' * (left != 1)} left for training, {few}"
            raise SourceError(message, ("split",), "make the other parts smaller, or lower `length`")
        self._learn(ends["train"], [start for part in starts.values() for start in part])
        if self.complete:
            first = len(starts["train"])
            middle = first + len(starts["validation"])
            self.own_splits = {"validation": range(first, middle), "test": range(middle, self.rows)}

    def _start(self, name: SplitName, asked: float | None, end: int) -> int:
        """Where the part of a split begins that ends at a token.

        Raises:
            SourceError: it has no window, or there are not as many as asked for.
        """
        need, count = self.settings.length + 1, len(self.corpus)
        at = ("split", name) if asked is not None else ("split",)
        if isinstance(asked, int):
            return self._start_of_windows(name, asked, end)
        taken = round(count * (SHARE if asked is None else asked))
        if taken and self.complete and not self._windows(end - taken, end):
            message = f"{name} has {taken} of the {count} {self.corpus.unit}s, and a window needs {need}"
            raise SourceError(message, at, f"a larger share, a lower `length`, or `{name}: 0` for no {name} part")
        return end - taken

    def _start_of_windows(self, name: SplitName, asked: int, end: int) -> int:
        left, start = asked, end
        for first, last in reversed(self.corpus.pieces(0, end)):
            inside = len(self._windows(first, last))
            if left <= inside:
                return last - (left - 1) * self.step - self.settings.length - 1
            left, start = left - inside, first
        if not self.complete:
            return start
        message = f"{name} is to have {asked} windows, and there are {asked - left} of {self.settings.length}"
        raise SourceError(message, ("split", name), "a smaller number, or a smaller `step`")

    def _windows(self, start: int, end: int) -> list[int]:
        """Where the windows between two tokens start; each has a token after it."""
        pieces = self.corpus.pieces(start, end)
        return [place for first, last in pieces for place in range(first, last - self.settings.length, self.step)]

    def _learn(self, count: int, starts: list[int]) -> None:
        """The vocabulary of the first tokens, and the windows."""
        import numpy as np

        settings, corpus = self.settings, self.corpus
        self.labels = corpus.vocabulary(count, settings.minimum, settings.vocabulary)
        if len(self.labels) < 3:
            known = ", ".join(map(repr, self.labels[1:])) or "none"
            message = f"the training part of {self.name} has fewer than 2 different {corpus.unit}s to predict: {known}"
            raise SourceError(message, self.at, "lower `minimum`" if settings.minimum > 1 else "")
        self.codes, self.starts = corpus.indices(self.labels), np.array(starts, np.int64)
        self.read_rows = len(starts)
        self.rows = self.read_rows if self.complete else round(self.read_rows / corpus.share)
        recipe = {"unit": settings.unit, "lower": settings.lower, "vocabulary": list(self.labels)}
        width = self.codes.dtype.itemsize
        self.fields = {
            name: Field(name, "number", (settings.length,), width, whole=True, recipe=recipe) for name in (TOKENS, NEXT)
        }

    def read(
        self, numbers: Mapping[str, SpecPath], texts: Mapping[str, SpecPath], lacking: Collection[str] = ()
    ) -> None:
        for name, at in numbers.items():
            if at[0] != "features":
                message = f"'{name}' has a {self.corpus.unit} at each position, and the loss needs numbers"
                raise SourceError(message, at, "use `loss: cross_entropy`")

    def numbers(self, names: Sequence[str]) -> Array:
        import numpy as np

        found = [self._of(name) for name in names]
        return found[0] if len(found) == 1 else np.concatenate(found, axis=1)

    def texts(self, name: str) -> Texts:
        return Texts(self.labels, self._of(name).reshape(-1))

    def _of(self, name: str) -> Array:
        """(windows, length) the indices of a field."""
        from numpy.lib.stride_tricks import sliding_window_view

        later = 1 if name == NEXT else 0
        return sliding_window_view(self.codes[later:], self.settings.length)[self.starts]

    def vocabulary(self, names: Sequence[str]) -> int | None:
        return len(self.labels)

    def counts(self, name: str) -> Mapping[str, int] | None:
        return self._counts[name]

    @cached_property
    def _counts(self) -> dict[str, dict[str, int]]:
        import numpy as np

        found = {name: np.bincount(self._of(name).reshape(-1), minlength=len(self.labels)) for name in (TOKENS, NEXT)}
        return {name: dict(zip(self.labels, counts.tolist(), strict=True)) for name, counts in found.items()}
