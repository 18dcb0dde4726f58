"""Shared by the sources of texts: the rows that windows of a text make, split in the order of the text."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field as Setting

from dlrun.components.sources import Field, Source, SourceError, SplitName, Table, Texts
from dlrun.components.sources._corpus import Corpus
from dlrun.components.sources._labels import counts_of
from dlrun.errors import SpecPath
from dlrun.language.fields import Positive
from dlrun.language.paths import FilePath
from dlrun.language.split import SHARE, Split
from dlrun.shapes import Shape

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


class CorpusSource(Source):
    """A source whose rows are windows of a text."""

    path: FilePath
    """The text, UTF-8, or a pattern such as `books/*.txt` for several, which are read in the order of their names. A
    relative path starts from the folder of the file that has it."""
    lower: bool = False
    """Turn capital letters into small ones first."""
    minimum: Positive = 1
    """How often a token must be in the training part to have an index of its own."""
    vocabulary: Annotated[int, Setting(ge=2)] | None = None
    """The most indices, with index 0; as many as there are unless given."""

    def origin(self) -> tuple[str, str]:
        return Path(self.path).name, self.path


class InOrder(Table):
    """The rows of the windows of a text, those of the training part first.

    A window is some tokens side by side, and lies in one part and in one file.
    """

    noun = "field"
    value = "token"
    in_order = True
    what: ClassVar[str]
    """What a window is, in words, for errors."""
    size: ClassVar[str]
    """The setting that decides how many tokens a window has."""

    def __init__(self, settings: CorpusSource, corpus: Corpus, tokens: int, step: int):
        """
        Args:
            settings: what a token is, and which have an index.
            corpus: the text.
            tokens: how many tokens a window has.
            step: how many tokens after a window the next one starts.
        """
        self.settings, self.corpus, self.name, self.at = settings, corpus, corpus.name, corpus.at
        self.complete, self.tokens, self.step = corpus.complete, tokens, step
        self._counts: dict[str, dict[str, int]] = {}
        if not len(self._windows(0, len(corpus))):
            longest = max(end - start for start, end in corpus.pieces(0, len(corpus)))
            message = f"{self.what} are {tokens} {corpus.unit}s, and {self.name} has {longest}"
            raise SourceError(message, (*self.at[:-1], self.size), f"lower `{self.size}`, or take a longer text")

    @abstractmethod
    def shapes(self) -> dict[str, Shape]:
        """The fields, each with the shape of one row's value."""

    @abstractmethod
    def indices(self, name: str) -> Array:
        """(rows, ...) the indices of a field."""

    def divide(self, split: Split, training: Callable[[int], Array]) -> None:
        for setting in ("stratify", "group", "time", "column", "folds"):
            if getattr(split, setting):
                message = f"`{setting}` cannot be given: a text is split in its order"
                raise SourceError(message, ("split", setting), f"remove `{setting}`")
        test = self._start("test", split.test, len(self.corpus))
        validation = self._start("validation", split.validation, test)
        if self.complete:
            ends = {"train": max(0, validation), "validation": test, "test": len(self.corpus)}
        else:  # only a look at the first tokens
            ends = {"train": len(self.corpus)}
        starts: dict[str, Array] = {}
        begin = 0
        for name, end in ends.items():
            starts[name], begin = self._windows(begin, end), end
        if not len(starts["train"]):
            left = ends["train"]
            few = f"too few: {self.what} are {self.tokens}"
            message = f"{self.name} has {left} {self.corpus.unit}{'s' * (left != 1)} left for training, {few}"
            raise SourceError(message, ("split",), f"make the other parts smaller, or lower `{self.size}`")
        self._learn(ends["train"], starts)

    def _start(self, name: SplitName, asked: float | None, end: int) -> int:
        """Where the part of a split begins that ends at a token.

        Raises:
            SourceError: it has no window, or there are not as many as asked for.
        """
        if isinstance(asked, int):
            return self._start_of_windows(name, asked, end)
        count = len(self.corpus)
        taken = round(count * (SHARE if asked is None else asked))
        if taken and self.complete and not len(self._windows(end - taken, end)):
            message = f"{name} has {taken} of the {count} {self.corpus.unit}s, and {self.what} are {self.tokens}"
            hint = f"a larger share, a lower `{self.size}`, or `{name}: 0` for no {name} part"
            raise SourceError(message, ("split", name) if asked is not None else ("split",), hint)
        return end - taken

    def _start_of_windows(self, name: SplitName, asked: int, end: int) -> int:
        left, start = asked, end
        for first, last in reversed(self.corpus.pieces(0, end)):
            inside = len(self._windows(first, last))
            if left <= inside:
                return last - (left - 1) * self.step - self.tokens
            left, start = left - inside, first
        if not self.complete:
            return start
        message = (
            f"{name} is to have {asked} windows, and there are {asked - left} of {self.tokens} {self.corpus.unit}s"
        )
        raise SourceError(message, ("split", name), f"a smaller number, or a lower `{self.size}`")

    def _windows(self, start: int, end: int) -> Array:
        """Where the windows between two tokens start."""
        import numpy as np

        pieces = self.corpus.pieces(start, end)
        found = [np.arange(first, last - self.tokens + 1, self.step) for first, last in pieces]
        return np.concatenate([np.arange(0), *found])

    def _learn(self, count: int, starts: dict[str, Array]) -> None:
        """The vocabulary of the first tokens, and the rows of the windows of each part."""
        import numpy as np
        from numpy.lib.stride_tricks import sliding_window_view

        settings, corpus = self.settings, self.corpus
        self.labels = corpus.vocabulary(count, settings.minimum, settings.vocabulary)
        if len(self.labels) < 3:
            known = ", ".join(map(repr, self.labels[1:])) or "none"
            message = f"the training part of {self.name} has fewer than 2 different {corpus.unit}s to predict: {known}"
            raise SourceError(message, self.at, "lower `minimum`" if settings.minimum > 1 else "")
        codes, places = corpus.indices(self.labels), np.concatenate(list(starts.values()))
        self.windows = sliding_window_view(codes, self.tokens), places
        recipe = {"unit": corpus.unit, "lower": settings.lower, "vocabulary": list(self.labels)}
        self.fields = {
            name: Field(name, "number", shape, codes.dtype.itemsize, whole=True, recipe=recipe)
            for name, shape in self.shapes().items()
        }
        self.rows = self.read_rows = len(self.indices(next(iter(self.fields))))
        if not self.complete:
            self.rows = round(self.read_rows / corpus.share)
            return
        each = self.rows // len(places)
        first, middle = each * len(starts["train"]), each * (len(starts["train"]) + len(starts["validation"]))
        self.own_splits = {"validation": range(first, middle), "test": range(middle, self.rows)}

    def read(
        self, numbers: Mapping[str, SpecPath], texts: Mapping[str, SpecPath], lacking: Collection[str] = ()
    ) -> None:
        for name, at in numbers.items():
            if at[0] != "features":
                message = f"'{name}' has a {self.corpus.unit} in each place, and the loss needs numbers"
                raise SourceError(message, at, "use `loss: cross_entropy`")

    def numbers(self, names: Sequence[str]) -> Array:
        import numpy as np

        found = [self.indices(name).reshape(self.read_rows, -1) for name in names]
        return found[0] if len(found) == 1 else np.concatenate(found, axis=1)

    def texts(self, name: str) -> Texts:
        return Texts(self.labels, self.indices(name).reshape(-1))

    def vocabulary(self, names: Sequence[str]) -> int | None:
        return len(self.labels)

    def counts(self, name: str) -> Mapping[str, int] | None:

        if name not in self._counts:
            counts = counts_of(self.indices(name).reshape(-1), len(self.labels))
            self._counts[name] = dict(zip(self.labels, counts, strict=True))
        return self._counts[name]
