"""Writing predictions, block by block: csv, tsv, parquet, json lines, or npz; a file is there whole or not at all."""

from __future__ import annotations

import csv
import io
import json
import math
import os
import sys
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow
import pyarrow.csv
import pyarrow.parquet

from dlrun.errors import RunError
from dlrun.trained.answers import Array
from dlrun.trained.arrow import record_batch
from dlrun.trained.columns import Columns, columns_of
from dlrun.trained.endings import check_ending
from dlrun.trained.predict import Predicted


class Writer(Protocol):
    """Takes predictions in order."""

    def add(self, predicted: Predicted) -> None:
        """Write the answers for some rows.

        Raises:
            RunError: the file cannot be written.
        """
        ...


@contextmanager
def writer(out: Path | None) -> Iterator[Writer]:
    """What writes to a file, or to the standard output as csv.

    Raises:
        SpecError: the name's ending is none of `ENDINGS`.
        RunError: the file cannot be written.
    """
    if out is None:
        found = _Table(sys.stdout.buffer, ".csv", None)
        yield found
        found.close()
        return
    check_ending(out)
    with _whole_file(out) as file:
        found = _Arrays(file, out) if out.suffix == ".npz" else _Table(file, out.suffix, out)
        yield found
        with _writing(out):
            found.close()


def as_bytes(blocks: Iterable[Predicted], ending: str) -> bytes:
    """Predictions as a table that is not in a file, such as `.csv`."""
    found = io.BytesIO()
    table = _Table(found, ending, None)
    for block in blocks:
        table.add(block)
    table.close()
    return found.getvalue()


def write_columns(out: Path, columns: Columns) -> None:
    """Write a file of columns.

    Raises:
        RunError: it cannot be written.
    """
    with _whole_file(out) as file, _writing(out):
        if out.suffix == ".npz":
            arrays: dict[str, Any] = {name: _plain(values) for name, values in columns.items()}
            np.savez_compressed(file, allow_pickle=False, **arrays)
            return
        table = _Table(file, out.suffix, out)
        table.add_columns(columns, None)
        table.close()


@contextmanager
def _whole_file(out: Path) -> Iterator[Any]:
    """A file that is there whole, once the block has ended, or not at all."""
    part = out.with_name(f".{out.name}.part")
    try:
        with _writing(out):
            file = part.open("wb")
        try:
            yield file
            with _writing(out):
                file.flush()
                os.fsync(file.fileno())
        finally:
            with suppress(OSError):  # what failed was told
                file.close()
        with _writing(out):
            part.replace(out)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def _writing(out: Path | None) -> Iterator[None]:
    """Tell an error of the system as one of a file; None is the standard output, about which the command line tells."""
    try:
        yield
    except OSError as error:
        if out is None:
            raise
        raise RunError(f"cannot write {out}: {error.strerror or error}") from None


def _plain(values: Array) -> Array:
    return values.astype(str) if values.dtype == object else values


class _Table:
    """One line for each row, or for each position of a row."""

    def __init__(self, file: Any, ending: str, out: Path | None):
        """`out` is what errors call the file."""
        self.file, self.ending, self.out = file, ending, out
        self.schema: pyarrow.Schema | None = None
        self.open: Any = None

    def add(self, predicted: Predicted) -> None:
        columns = columns_of(predicted)
        with _writing(self.out):
            self.add_columns(columns, [label for answers in predicted.answers for label in answers.labels])

    def add_columns(self, columns: Columns, texts: Collection[str] | None) -> None:
        """Write some lines; `texts` are those that a column may hold, None where any may be there."""
        if self.ending == ".jsonl":
            self.file.write("".join(_lines(columns)).encode())
            return
        batch = record_batch(columns, self.schema)
        if self.open is None:
            self.schema = batch.schema
            self.open = self._opened(self.schema, texts)
        self.open.write_batch(batch)

    def close(self) -> None:
        """Write what is left."""
        if self.open is not None:
            self.open.close()

    def _opened(self, schema: pyarrow.Schema, texts: Collection[str] | None) -> Any:
        if self.ending == ".parquet":
            return pyarrow.parquet.ParquetWriter(self.file, schema)
        delimiter = "\t" if self.ending == ".tsv" else ","
        # pyarrow puts all names in quotes, and all texts unless none may be; only those that need them are to be.
        names = io.StringIO()
        csv.writer(names, delimiter=delimiter, lineterminator="\n").writerow(schema.names)
        self.file.write(names.getvalue().encode())
        plain = texts is not None and not any(set(text) & {delimiter, '"', "\n", "\r"} for text in texts)
        options = pyarrow.csv.WriteOptions(
            include_header=False, delimiter=delimiter, quoting_style="none" if plain else "needed"
        )
        return pyarrow.csv.CSVWriter(self.file, schema, write_options=options)


def _lines(columns: Columns) -> Iterator[str]:
    names, lists = list(columns), [values.tolist() for values in columns.values()]
    for row in zip(*lists, strict=True):
        values = [None if isinstance(value, float) and not math.isfinite(value) else value for value in row]
        yield json.dumps(dict(zip(names, values, strict=True)), ensure_ascii=False) + "\n"


class _Arrays:
    """Arrays whose first axis is the rows: `row`, and for each output the classes or the numbers, and probabilities."""

    def __init__(self, file: Any, out: Path):
        """`out` is what errors call the file."""
        self.file, self.out = file, out
        self.parts: dict[str, list[Any]] = {}

    def add(self, predicted: Predicted) -> None:
        self._keep("row", predicted.numbers)
        for answers in predicted.answers:
            if answers.kind == "classes":
                (field,), labels = answers.fields, np.array(answers.labels, str)
                none = np.isnan(answers.values).any(-1) | (answers.chosen < 0)
                self._keep(field, np.where(none, "", labels[answers.chosen]))
                if answers.are_probabilities:
                    self._keep(f"{field}=", answers.chances)
                    self.parts[f"{field}=classes"] = [labels]
            else:
                name = answers.output if len(answers.fields) != 1 else answers.fields[0]
                self._keep(name, answers.values)

    def _keep(self, name: str, values: Any) -> None:
        self.parts.setdefault(name, []).append(values)

    def close(self) -> None:
        """Write them."""
        arrays: dict[str, Any] = {name: np.concatenate(values) for name, values in self.parts.items()}
        np.savez_compressed(self.file, allow_pickle=False, **arrays)
