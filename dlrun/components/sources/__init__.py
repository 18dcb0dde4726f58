"""Data sources: the components of `data.source`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from dlrun.components.sources._extents import Extent
from dlrun.errors import LocatedError, SpecPath
from dlrun.language.component import Component
from dlrun.language.field_type import FieldType
from dlrun.language.split import Split
from dlrun.shapes import Shape

if TYPE_CHECKING:
    import numpy as np

    from dlrun.stored import StoredArray

    Array = np.ndarray[Any, Any]


SplitName = Literal["validation", "test"]
"""A split whose rows a source may keep apart."""


class SourceError(LocatedError):
    """The data does not match the spec; `at` is the path below `data` of the setting concerned."""

    def __init__(self, message: str, at: SpecPath, hint: str = ""):
        super().__init__(message, hint, at)


@dataclass(frozen=True, slots=True)
class SourceNote:
    """A note about the data; see `dlrun.language.notes`."""

    name: str
    message: str
    at: SpecPath
    """The path below `data` of the setting concerned."""
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Field:
    """A named column of the data, or an array whose first axis is the rows."""

    name: str
    type: FieldType
    shape: Shape = ()
    """The shape of one row's value."""
    number_bytes: int = 8
    """The bytes that a number takes once loaded."""
    whole: bool = False
    """Whether they are stored as whole numbers."""
    what: str = ""
    """What the values are, in words, where they are not numbers."""
    way_out: str = ""
    """What to do about values that are not numbers."""
    stored: bool = False
    """Whether its rows are in a file from which some can be read: `Table.numbers` of it alone is a `StoredArray`."""
    recipe: Mapping[str, Any] = field(default_factory=dict)
    """How a value is made of what a file has, for new rows, where it is not what the file has: the size of images."""


@dataclass(frozen=True, slots=True, eq=False)
class Texts:
    """A field's values as texts, each distinct one once."""

    distinct: tuple[str, ...]
    """In the order of their first row."""
    codes: Array | StoredArray
    """(N,) whole numbers: for each row the index of its text in `distinct`; (N * values,) where rows have several."""

    @property
    def rows(self) -> Array:
        """The codes, in memory."""
        return self.codes[:]


class Table:
    """The fields of a source, and the means to read them. A source opens it; nothing is read before it is needed."""

    noun: ClassVar[str] = "column"
    """What a field is called where the data comes from."""
    value: ClassVar[str] = "value"
    """What one of its values is called."""

    as_written: ClassVar[bool] = False
    """Whether a field of numbers can be read as the texts that are written: `007` is not `7`."""

    has_lines: ClassVar[bool] = False
    """Whether a row is a line, or several, of a file."""

    name: str
    """What the data is called in errors: `wine.csv`."""
    at: SpecPath
    """The path below `data` of the setting that names the data."""
    fields: Mapping[str, Field]
    rows: int
    """How many rows there are, once fields were read."""
    read_rows: int
    """How many of them were read."""
    complete: bool = True
    """Whether all rows are read; if not, `rows` is estimated from the first ones."""
    own_target: str | None = None
    """The field to predict, where the source says it."""
    own_features: tuple[str, ...] | None = None
    """The fields to learn from where the spec names none, if the source says it; otherwise all but the target."""
    own_splits: Mapping[SplitName, range] = MappingProxyType({})
    """The rows of each split that the source itself keeps apart, such as those of a file of their own; the
    others are for what the spec says of the splits."""
    in_order: bool = False
    """Whether its rows follow each other, as windows of a text do: the sizes of the split then say how many of the last
    ones are in `own_splits`, and nothing is drawn."""
    stand_ins: tuple[str, ...] = ()
    """Classes that stand for no value of their own, such as that of unknown words: none of them needs a row."""
    entry: str | None = None
    """The name of the cache's entry that has what was read, by which more can be made of it; None where none has."""
    padding: str | None = None
    """The class of positions that are there only because another row has more of them; they do not count."""
    may_be_empty: bool = False
    """Whether there may be no rows: of a file whose rows are predicted, not of one to learn from."""
    missing: tuple[str, ...] = ()
    """Texts that say that a value is missing, in any case; an empty text says it always."""
    no_missing: str = ""
    """How a spec says that no text marks a missing value."""

    def divide(self, split: Split, training: Callable[[int], Array]) -> None:
        """Learn how the rows are to be split, first of all: a table in order makes its splits here, and one that learns
        from the training rows does so.

        Args:
            split: the spec's.
            training: gives the numbers of the training rows, of so many rows, where they are drawn at random.

        Raises:
            SourceError: the rows cannot be split so.
        """

    def lay_out(self, rows: Sequence[Sequence[str]]) -> None:
        """Learn, before anything is read, which fields of numbers are rows of an input, in order: a source that keeps
        rows on the disk keeps these side by side."""

    def read(
        self,
        numbers: Mapping[str, SpecPath],
        texts: Mapping[str, SpecPath],
        lacking: Collection[str] = (),
    ) -> None:
        """Read the fields that are needed, in one pass where that is possible.

        Args:
            numbers: the fields that are needed as numbers, in order, and the path of the setting that names each.
            texts: the same for those that are needed as texts.
            lacking: the fields of numbers that may lack values, which are then NaN.

        Raises:
            SourceError: a value is not a finite number where one is needed, or the data cannot be read.
        """

    def numbers(self, names: Sequence[str]) -> Array | StoredArray:
        """Fields that were read: one as (rows, ...); several, each one number or a list of them, as (rows, numbers).

        Whether the numbers of a stored field are finite is not known yet.
        """
        raise NotImplementedError

    def texts(self, name: str) -> Texts:
        """A field that was read, as texts: those of its numbers unless the source has others.

        Raises:
            SourceError: its values cannot be classes.
        """
        import numpy as np

        distinct, rows = np.unique(self.numbers([name]), return_inverse=True)
        words = (str(int(value)) if float(value).is_integer() else str(value) for value in distinct.tolist())
        return Texts(tuple(words), rows.reshape(-1))

    def digest(self, names: Sequence[str]) -> str | None:
        """SHA-256 over type, shape and bytes of what `numbers` gives, where it is known without reading all of it."""
        return None

    def stores(self, names: Collection[str]) -> bool:
        """Whether what `numbers` gives of fields that are read together is a `StoredArray`, where all rows are read."""
        return len(names) == 1 and all(self.fields[name].stored for name in names)

    def extent(self, names: Sequence[str]) -> Extent | None:
        """The extent of what `numbers` gives, where it is known without reading all of it."""
        return None

    def vocabulary(self, names: Sequence[str]) -> int | None:
        """The largest index plus one, where the fields are known to be whole numbers from 0 on."""
        return None

    def is_cheap(self, names: Sequence[str]) -> bool:
        """Whether fields are read without a library that takes long to import; `check` does without the others."""
        return True

    def no_index(self, names: Sequence[str]) -> str:
        """The first value of fields that is no index, a whole number from 0 on, with its place; '' if all are."""
        return ""

    def notes(self) -> tuple[SourceNote, ...]:
        """What was read that can be meant but rarely is."""
        return ()

    def counts(self, name: str) -> Mapping[str, int] | None:
        """How many rows each text of a field has, in the order of the class numbers, where it is known unread."""
        return None

    def cell(self, name: str, row: int) -> str:
        """A value and its place, as errors show them: ``t.csv:3: column 'class' is ''``."""
        return f"row {row} of the {self.noun} '{name}' of {self.name}"

    def lines(self, rows: Collection[int]) -> Mapping[int, int]:
        """The lines that some rows end in, from 1 on, by the numbers of the rows; of a table with `has_lines`."""
        raise NotImplementedError

    def listed(self) -> str:
        """The names of the fields, for a hint."""
        return f"{self.noun}s of {self.name}: {', '.join(self.fields)}"

    def forget(self) -> None:
        """Free what was read; nothing is asked for any more."""

    def reading_hint(self) -> str:
        """A hint where the fields look as if the source was read in a wrong way; ''."""
        return ""


class Source(Component):
    """Where rows come from."""

    family: ClassVar[str] = "sources"

    def open(self, folder: Path, whole: bool = True) -> Table:
        """The source's fields, without reading more than that takes; imports neither torch nor scikit-learn.

        Args:
            folder: where relative paths start.
            whole: whether all rows are wanted, however long it takes to read them.

        Raises:
            SourceError: there is no such data, or it is damaged.
        """
        raise NotImplementedError

    def origin(self) -> tuple[str, str]:
        """The name of the data and where it is, for people and trackers."""
        return self.kind, self.kind


def resolve(
    path: str,
    folder: Path,
    at: SpecPath,
    kinds: Sequence[Literal["file", "folder"]] = ("file",),
    way_out: str = "a path starts from the folder of the file that has it",
) -> Path:
    """Return the path of an existing file or folder that the spec names.

    Args:
        path: as it is written.
        folder: the one that a relative path starts from.
        at: the setting's place.
        kinds: what is wanted.
        way_out: what to say where it is not there.

    Raises:
        SourceError: there is none.
    """
    try:
        full = (folder / Path(path).expanduser()).resolve()
        found = "file" if full.is_file() else "folder" if full.is_dir() else None
        if found in kinds:
            return full
        what = f"is a {found}" if found else "is neither a file nor a folder" if full.exists() else "does not exist"
    except (OSError, ValueError, RuntimeError) as error:
        raise SourceError(f"the path cannot be read: {error}", at) from None
    raise SourceError(f"the {' or '.join(kinds)} {path} {what}", at, f"looked for {full}; {way_out}")
