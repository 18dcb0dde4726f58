"""A data set of the library `datasets` as a table of fields."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlrun.components.sources import Field, SourceError, Table, Texts
from dlrun.components.sources._array_values import refuse_type, side_by_side
from dlrun.components.sources._own_splits import Part, own_splits
from dlrun.errors import SpecPath
from dlrun.language.suggestions import did_you_mean, shorten
from dlrun.shapes import Shape

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

AT = ("source", "hub")
SAVED = ("state.json", "dataset_dict.json")
"""A folder that `save_to_disk` has written has one of these files."""
LEAVE_OUT = "leave the column out of `features`"


def load_parts(
    name: str | None, folder: Path | None, config: str | None, revision: str | None, wanted: Mapping[Part, str | None]
) -> dict[Part, Any]:
    """The parts of a set, each a `datasets.Dataset`, by the split that each is for; the training rows come first.

    Args:
        name: the set's on the hub; None for that of a folder.
        folder: a folder on this machine, which is there.
        config: its configuration.
        revision: its version.
        wanted: the set's name for each split; None for the usual name, if it has that.

    Raises:
        SourceError: the library is not installed, there is no such set, or it has no such part.
    """
    at = (*AT, "name" if folder is None else "folder")
    library = _library()
    try:
        if folder is not None and any((folder / file).exists() for file in SAVED):
            found = library.load_from_disk(str(folder))
        else:
            found = library.load_dataset(str(folder) if name is None else name, config, revision=revision)
    except Exception as error:  # files and servers fail in many ways, each with an error of its own
        what = str(error).partition("\n")[0] or type(error).__name__
        called = f"the set {name}" if folder is None else f"the folder {folder.name}"
        hint = "is the name right, and is there a network?" if folder is None else "it has parquet, csv or json files"
        raise SourceError(f"{called} cannot be loaded: {shorten(what, 200)[1:-1]}", at, hint) from None
    single = isinstance(found, library.Dataset)
    parts = {wanted["train"] or "": found} if single else {str(part): rows for part, rows in found.items()}
    taken: dict[Part, Any] = {}
    for split, part in wanted.items():
        named = split if part is None else part
        if named in parts:
            taken[split] = parts[named]
        elif part is not None:
            message = f"the set has no part '{named}'{did_you_mean(named, parts, {})}"
            raise SourceError(message, (*AT, split), f"its parts are {', '.join(map(str, parts))}")
    return taken


def _library() -> Any:
    try:
        library = import_module("datasets")
    except ImportError:
        hint = "install it: `pip install 'dlrun[hub]'`"
        raise SourceError("the source hub needs the library datasets, which is not installed", AT, hint) from None
    library.disable_progress_bars()
    return library


class HubTable(Table):
    """The rows of all parts, those for training first."""

    at = AT

    def __init__(self, name: str, parts: Mapping[Part, Any]):
        self.name, self.parts = name, parts
        self.rows = self.read_rows = sum(map(len, parts.values()))
        self.lacking: Collection[str] = ()
        self.named_by: dict[str, SpecPath] = {}
        self._numbers: dict[str, Array] = {}
        self._texts: dict[str, Texts] = {}
        features = {split: part.features for split, part in parts.items()}
        for split, own in features.items():
            if own != features["train"]:
                message = f"the {split} rows of {name} have other columns than its training rows"
                raise SourceError(message, AT, f"{', '.join(own)}; and {', '.join(features['train'])}")
        self.classes = {
            column: list(kind.names) for column, kind in features["train"].items() if hasattr(kind, "names")
        }
        self.fields = {column: self._field(column, kind) for column, kind in features["train"].items()}
        self.own_splits = own_splits({part: len(rows) for part, rows in parts.items()})

    def read(
        self, numbers: Mapping[str, SpecPath], texts: Mapping[str, SpecPath], lacking: Collection[str] = ()
    ) -> None:
        self.named_by, self.lacking = {**texts, **numbers}, lacking
        if not self.rows:
            raise SourceError(f"{self.name} has no rows", AT)
        for name, at in self.named_by.items():
            refuse_type(self.fields[name], self.noun, at, name in numbers)
        for name in numbers:
            self._read_numbers(name)

    def numbers(self, names: Sequence[str]) -> Array:
        return side_by_side([self._read_numbers(name) for name in names])

    def texts(self, name: str) -> Texts:
        if self.fields[name].type == "number":
            return super().texts(name)
        if name not in self._texts:
            self._texts[name] = self._read_texts(name)
        return self._texts[name]

    def vocabulary(self, names: Sequence[str]) -> int | None:
        arrays = [self._read_numbers(name) for name in names if self.fields[name].whole]
        if len(arrays) < len(names) or any(values.dtype.kind == "f" or values.min() < 0 for values in arrays):
            return None
        return max(int(values.max()) for values in arrays) + 1

    def counts(self, name: str) -> Mapping[str, int] | None:
        if name not in self.classes:
            return None
        texts = self.texts(name)
        rows = Counter(texts.rows.tolist())
        counted = {text: rows[number] for number, text in enumerate(texts.distinct)}
        if "" in counted:
            row = int((texts.rows == texts.distinct.index("")).argmax())
            raise SourceError(f"{self.cell(name, row)}; a class is expected", self.named_by[name], "remove the row")
        return {label: counted.get(label, 0) for label in self.classes[name]}

    def cell(self, name: str, row: int) -> str:
        value = self._column(name)[row].as_py()
        if name in self.classes and value is not None:
            value = self.classes[name][value] if value >= 0 else None
        return f"row {row} of {self.name}: column '{name}' is {'missing' if value is None else shorten(value)}"

    def forget(self) -> None:
        self._numbers.clear()
        self._texts.clear()

    def _column(self, name: str) -> Any:
        """A column of all parts, as pyarrow has it."""
        import pyarrow as pa

        tables = [part.select_columns([name]).with_format("arrow")[:] for part in self.parts.values()]
        return pa.concat_tables(tables).column(name)

    def _field(self, name: str, kind: Any) -> Field:
        """What a column holds, by its type, and by its rows where lists have any length."""
        import pyarrow as pa

        if name in self.classes:
            return Field(name, "text", what="classes")
        of = kind.pa_type if hasattr(kind, "pa_type") else None
        shape: Shape = ()
        if hasattr(kind, "shape") and hasattr(kind, "dtype"):  # Array2D and so on
            shape = tuple(size or 0 for size in kind.shape)
            of = pa.from_numpy_dtype(kind.dtype) if 0 not in shape else None
        elif hasattr(kind, "feature") and hasattr(kind.feature, "pa_type"):
            length = self._length(name, getattr(kind, "length", -1))
            shape, of = ((length,), kind.feature.pa_type) if length else ((), None)
        if of is not None and not shape and (pa.types.is_string(of) or pa.types.is_large_string(of)):
            return Field(name, "text", what="texts")
        if of is not None and (pa.types.is_integer(of) or pa.types.is_floating(of) or pa.types.is_boolean(of)):
            width = 4 if pa.types.is_boolean(of) else of.bit_width // 8
            return Field(name, "number", shape, width, whole=pa.types.is_integer(of))
        return Field(name, "other", what=f"values of the type {type(kind).__name__}", way_out=LEAVE_OUT)

    def _length(self, name: str, length: int) -> int:
        """The length that lists have in all rows; 0 where they have several."""
        if length > 0:
            return length
        lengths = self._column(name).combine_chunks().value_lengths().unique().to_pylist()
        return lengths[0] or 0 if len(lengths) == 1 else 0

    def _read_numbers(self, name: str) -> Array:
        if name not in self._numbers:
            self._numbers[name] = self._made_numbers(name)
        return self._numbers[name]

    def _made_numbers(self, name: str) -> Array:
        import numpy as np

        field = self.fields[name]
        flat = self._flat(name)
        values = flat.to_numpy(zero_copy_only=False)
        if values.dtype.kind in "bO":  # truth values, with None where they are missing
            values = np.array([np.nan if value is None else value for value in values.tolist()], np.float64)
        values = values.reshape(self.rows, *field.shape)
        if values.dtype.kind == "f":
            wrong = np.isinf(values) if name in self.lacking else ~np.isfinite(values)
            if wrong.any():
                raise self._not_finite(name, int(np.argwhere(wrong)[0][0]))
        return values

    def _flat(self, name: str) -> Any:
        """All numbers of a column, row by row.

        Raises:
            SourceError: a row, or a list in it, is missing.
        """
        import numpy as np
        import pyarrow as pa

        found = self._column(name).combine_chunks()
        if isinstance(found, pa.ExtensionArray):  # Array2D and so on
            found = found.storage
        while pa.types.is_nested(found.type):
            if found.null_count:
                place = int(np.argmax(found.is_null().to_numpy(zero_copy_only=False)))
                raise self._not_finite(name, place * self.rows // len(found))
            found = found.flatten()
        return found

    def _not_finite(self, name: str, row: int) -> SourceError:
        hint = "remove the row" if self.fields[name].shape else "fill in the value with `impute`, or remove the row"
        return SourceError(f"{self.cell(name, row)}; numbers must be finite", self.named_by.get(name, AT), hint)

    def _read_texts(self, name: str) -> Texts:
        import numpy as np
        import pyarrow as pa

        column = self._column(name)
        if name in self.classes:
            labels = [*self.classes[name], ""]
            codes = column.fill_null(-1).to_numpy()
            used = np.unique(np.where(codes < 0, len(labels) - 1, codes), return_inverse=True)
            return Texts(tuple(labels[code] for code in used[0].tolist()), used[1].reshape(-1).astype(np.int32))
        coded = column.cast(pa.large_string()).fill_null("").combine_chunks().dictionary_encode()
        return Texts(tuple(coded.dictionary.to_pylist()), coded.indices.to_numpy().astype(np.int32))
