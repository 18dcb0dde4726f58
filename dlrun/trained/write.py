"""Writing predictions, block by block: csv, tsv, parquet, json lines, or npz; a file is there whole or not at all."""

from __future__ import annotations

import csv
import io
import json
import math
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow
import pyarrow.csv
import pyarrow.parquet

from dlrun.errors import RunError
from dlrun.trained.columns import Columns, columns_of
from dlrun.trained.endings import check_ending
from dlrun.trained.predict import Predicted


class Writer(Protocol):
    """Takes predictions in order."""

    def add(self, predicted: Predicted) -> None:
        """Write the answers for some rows."""
        ...

    def close(self) -> None:
        """Write what is left."""
        ...


@contextmanager
def writer(out: Path | None) -> Iterator[Writer]:
    """What writes to a file, or to the standard output as csv.

    Raises:
        SpecError: the name's ending is none of `ENDINGS`.
        RunError: the file cannot be written.
    """
    if out is None:
        found = _Table(sys.stdout.buffer, ".csv")
        yield found
        found.close()
        return
    check_ending(out)
    part = out.with_name(f".{out.name}.part")
    try:
        with part.open("wb") as file:
            found = _Arrays(file) if out.suffix == ".npz" else _Table(file, out.suffix)
            yield found
            found.close()
            file.flush()
            os.fsync(file.fileno())
        part.replace(out)
    except OSError as error:
        raise RunError(f"cannot write {out}: {error.strerror or error}") from None
    finally:
        part.unlink(missing_ok=True)


class _Table:
    """One line for each row, or for each position of a row."""

    def __init__(self, file: Any, ending: str):
        self.file, self.ending = file, ending
        self.schema: pyarrow.Schema | None = None
        self.open: Any = None

    def add(self, predicted: Predicted) -> None:
        columns = columns_of(predicted)
        if self.ending == ".jsonl":
            self.file.write("".join(_lines(columns)).encode())
            return
        batch = pyarrow.RecordBatch.from_pydict(columns, self.schema)
        if self.open is None:
            self.schema = _schema(batch.schema)
            batch = batch.cast(self.schema)
            self.open = self._opened(self.schema, predicted)
        self.open.write_batch(batch)

    def close(self) -> None:
        if self.open is not None:
            self.open.close()

    def _opened(self, schema: pyarrow.Schema, predicted: Predicted) -> Any:
        if self.ending == ".parquet":
            return pyarrow.parquet.ParquetWriter(self.file, schema)
        delimiter = "\t" if self.ending == ".tsv" else ","
        # pyarrow puts all names in quotes, and all texts unless none may be; only those that need them are to be.
        names = io.StringIO()
        csv.writer(names, delimiter=delimiter, lineterminator="\n").writerow(schema.names)
        self.file.write(names.getvalue().encode())
        labels = [label for answers in predicted.answers for label in answers.labels]
        plain = not any(set(label) & {delimiter, '"', "\n", "\r"} for label in labels)
        options = pyarrow.csv.WriteOptions(
            include_header=False, delimiter=delimiter, quoting_style="none" if plain else "needed"
        )
        return pyarrow.csv.CSVWriter(self.file, schema, write_options=options)


def _schema(found: pyarrow.Schema) -> pyarrow.Schema:
    """Of a first block in which a column may have no answer: such a column is of texts."""
    return pyarrow.schema(
        [pyarrow.field(one.name, pyarrow.string()) if pyarrow.types.is_null(one.type) else one for one in found]
    )


def _lines(columns: Columns) -> Iterator[str]:
    names, lists = list(columns), [values.tolist() for values in columns.values()]
    for row in zip(*lists, strict=True):
        values = [None if isinstance(value, float) and not math.isfinite(value) else value for value in row]
        yield json.dumps(dict(zip(names, values, strict=True)), ensure_ascii=False) + "\n"


class _Arrays:
    """Arrays whose first axis is the rows: `row`, and for each output the classes or the numbers, and probabilities."""

    def __init__(self, file: Any):
        self.file = file
        self.parts: dict[str, list[Any]] = {}

    def add(self, predicted: Predicted) -> None:
        self._keep("row", predicted.numbers)
        for answers in predicted.answers:
            if answers.kind == "classes":
                (field,), labels = answers.fields, np.array(answers.labels, str)
                self._keep(field, np.where(np.isnan(answers.values).any(-1), "", labels[answers.decided]))
                if answers.are_probabilities:
                    self._keep(f"{field}=", answers.values)
                    self.parts[f"{field}=classes"] = [labels]
            else:
                name = answers.output if len(answers.fields) != 1 else answers.fields[0]
                self._keep(name, answers.values)

    def _keep(self, name: str, values: Any) -> None:
        self.parts.setdefault(name, []).append(values)

    def close(self) -> None:
        arrays: dict[str, Any] = {name: np.concatenate(values) for name, values in self.parts.items()}
        np.savez_compressed(self.file, allow_pickle=False, **arrays)
