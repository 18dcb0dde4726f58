from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field as Setting

from dlrun.components.sources import Field, SourceError, Table, Texts
from dlrun.components.sources._bad_rows import BadRows
from dlrun.components.sources._cells import is_missing
from dlrun.components.sources._labels import counts_of
from dlrun.components.sources.csv import Csv
from dlrun.errors import SpecPath
from dlrun.language.split import Split
from dlrun.language.suggestions import did_you_mean
from dlrun.language.words import Unit, most_frequent, splitter

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

RESERVED = ("(padding)", "(unknown)", "(start)", "(end)")
"""The indices that are no tokens, in order."""
PADDING, UNKNOWN, START, END = range(4)
AT = ("source", "pairs")


class Pairs(Csv):
    """Two columns of sentences, for a network that writes the second one: translations, questions and answers.

    The field `source` has the indices of the first sentence. `target_in` has the start and then the second sentence.
    `target_out`, which is the target, has the second sentence and then the end: at each position the token that comes
    next. Shorter sentences are filled up with index 0 on the right.

    Each side has a vocabulary of its own, learned from the training rows: index 0 is padding, 1 is a token that has no
    index, 2 is the start, 3 the end; then come the most frequent tokens, equally frequent ones in the order of the
    alphabet. The loss and the metrics count the positions of the padding too.

    Shape: (source length,) and (target length,) indices, and (target length,) classes to predict
    Reference: Sutskever, Vinyals and Le, Sequence to sequence learning with neural networks, 2014.
    Example: pairs: {path: phrases.tsv, delimiter: "\\t", source: english, target: german}
    """

    synonyms = ("seq2seq", "translation", "sequence_to_sequence")

    source: str
    """The column of the sentences that the network reads."""
    target: str
    """The column of the sentences that it writes."""
    unit: Unit = "word"
    """What a token is: a word, which is a run of letters, digits and `_`, or any other single character but a space; or
    a character, spaces too."""
    length: Annotated[int, Setting(ge=2)] | None = None
    """The most indices that a sentence has; a longer one is cut at its end. Unless given, as many as the longest
    sentence of the training rows needs."""
    lower: bool = False
    """Turn capital letters into small ones first."""
    minimum: Annotated[int, Setting(ge=1)] = 1
    """How often a token must be in the training rows to have an index of its own."""
    vocabulary: Annotated[int, Setting(gt=4)] | None = None
    """The most indices of each side, with the four that are no tokens; as many as there are unless given."""

    def open(self, folder: Path, whole: bool = True, bad: BadRows | None = None) -> Table:
        return _Sentences(self, super().open(folder, whole, bad))


class _Sentences(Table):
    """The sentences of two columns as indices."""

    noun = "field"
    value = "sentence"
    at = AT
    own_target = "target_out"
    stand_ins = RESERVED
    padding = RESERVED[PADDING]

    def __init__(self, settings: Pairs, table: Table):
        self.settings, self.table = settings, table
        self.name, self.complete, self.missing = table.name, table.complete, table.missing

    def divide(self, split: Split, training: Callable[[int], Array]) -> None:
        for setting in ("stratify", "group", "time", "column"):
            if getattr(split, setting):
                message = f"`{setting}` cannot be given: the rows of pairs are two sentences"
                raise SourceError(message, ("split", setting), f"remove `{setting}`")
        columns = {"source": self.settings.source, "target": self.settings.target}
        paths = {name: (*AT, side) for side, name in columns.items()}
        for name, at in paths.items():
            if name not in self.table.fields:
                message = f"{self.name} has no column '{name}'{did_you_mean(name, self.table.fields, {})}"
                raise SourceError(message, at, self.table.reading_hint() or self.table.listed())
        if len(paths) < 2:
            raise SourceError("`source` and `target` name one column", (*AT, "target"))
        self.table.read({}, paths)
        self.rows, self.read_rows = self.table.rows, self.table.read_rows
        self.own_splits = self.table.own_splits
        train = training(self.rows) if self.complete else None
        self.labels: dict[str, tuple[str, ...]] = {}
        self.codes: dict[str, Array] = {}
        fields: dict[str, Field] = {}
        for side, name in columns.items():
            fields |= self._learn(side, self._texts(name, paths[name]), train)
            if len(self.labels["source" if side == "source" else "target_in"]) == len(RESERVED):
                least = self.settings.minimum
                message = f"no {self.settings.unit} is {least} times in the training rows of the column '{name}'"
                raise SourceError(message, paths[name], "lower `minimum`")
        self.fields = fields
        self.table.forget()

    def _texts(self, name: str, at: SpecPath) -> Texts:
        """The sentences of a column.

        Raises:
            SourceError: a row has none.
        """
        texts = self.table.texts(name)
        for number, text in enumerate(texts.distinct):
            if is_missing(text.strip(), self.missing):
                row = int((texts.rows == number).argmax())
                hint = "fill in the cell or remove the row"
                raise SourceError(f"{self.table.cell(name, row)}; a sentence is expected", at, hint)
        return texts

    def _learn(self, side: str, texts: Texts, train: Array | None) -> dict[str, Field]:
        """The vocabulary of a side, and its sentences as indices; gives the fields."""
        import numpy as np

        settings, split = self.settings, splitter(self.settings.unit)
        sentences = [list(split(text.lower() if settings.lower else text)) for text in texts.distinct]
        rows = texts.rows if train is None else texts.rows[train]
        counts: Counter[str] = Counter()
        longest = 0
        for number, often in zip(*np.unique(rows, return_counts=True), strict=True):
            for token in sentences[number]:
                counts[token] += int(often)
            longest = max(longest, len(sentences[number]))
        most = None if settings.vocabulary is None else settings.vocabulary - len(RESERVED)
        labels = (*RESERVED, *most_frequent(counts.items(), settings.minimum, most))
        places = {token: place for place, token in enumerate(labels)}
        ends = side == "target"
        length = settings.length or max(2, longest + ends)
        table = np.full((len(sentences), length + ends), PADDING, np.min_scalar_type(len(labels)))
        for row, tokens in zip(table, sentences, strict=True):
            found = [places.get(token, UNKNOWN) for token in tokens][: length - ends]
            whole = [START, *found, END] if ends else found
            row[: len(whole)] = whole
        made = {"target_in": table[:, :-1], "target_out": table[:, 1:]} if ends else {"source": table}
        recipe = {"unit": settings.unit, "lower": settings.lower, "vocabulary": list(labels)}
        for name, codes in made.items():
            self.labels[name], self.codes[name] = labels, self._in(name, codes)[texts.rows]
        width = table.dtype.itemsize
        return {name: Field(name, "number", (length,), width, whole=True, recipe=recipe) for name in made}

    @staticmethod
    def _in(name: str, codes: Array) -> Array:
        """The indices of a field: the input has no end, which comes after its last position."""
        import numpy as np

        return np.where(codes == END, PADDING, codes) if name == "target_in" else codes

    def read(
        self, numbers: Mapping[str, SpecPath], texts: Mapping[str, SpecPath], lacking: Collection[str] = ()
    ) -> None:
        for name, at in numbers.items():
            if at[0] != "features":
                message = f"'{name}' has a {self.settings.unit} in each place, and the loss needs numbers"
                raise SourceError(message, at, "use `loss: cross_entropy`")

    def numbers(self, names: Sequence[str]) -> Array:
        import numpy as np

        return np.concatenate([self.codes[name] for name in names], axis=1)

    def texts(self, name: str) -> Texts:
        return Texts(self.labels[name], self.codes[name].reshape(-1))

    def vocabulary(self, names: Sequence[str]) -> int | None:
        return max(len(self.labels[name]) for name in names)

    def listed(self) -> str:
        return f"{super().listed()}; `features: {{source: source, target_in: target_in}}` names the two inputs"

    def counts(self, name: str) -> Mapping[str, int] | None:

        counts = counts_of(self.codes[name].reshape(-1), len(self.labels[name]))
        return dict(zip(self.labels[name], counts, strict=True))
