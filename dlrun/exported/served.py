"""A run at work in a server: rows by the names of their columns in, what `predict` says of them out."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas
from mlflow.pyfunc.model import PythonModel

from dlrun.components.sources import Source
from dlrun.errors import RunError
from dlrun.language.component import choose
from dlrun.shapes import Shape, numel
from dlrun.trained.columns import columns_of
from dlrun.trained.predict import predict
from dlrun.trained.rows import NewRows
from dlrun.trained.run import TrainedRun, open_run

RUN = "run"
"""The name of the folder with these files among those of a model."""


class Served(PythonModel):
    """A run as MLflow's servers use one."""

    def load_context(self, context: Any) -> None:
        """Read the run."""
        self.run = open_run(Path(context.artifacts[RUN]))

    def predict(  # type: ignore[override]
        self, context: Any, model_input: pandas.DataFrame, params: Any = None
    ) -> pandas.DataFrame:
        """The columns that `predict` writes, for the rows of a DataFrame."""
        return answers_for(self.run, model_input)


def answers_for(run: TrainedRun, rows: pandas.DataFrame) -> pandas.DataFrame:
    """What `predict` says of rows by the names of their columns.

    Raises:
        SpecError: a column is missing, or a value cannot be read.
    """
    if rows.empty:
        return pandas.DataFrame()
    with tempfile.TemporaryDirectory() as folder:
        source = _source(run, rows, Path(folder))
        blocks = [columns_of(block) for block in predict(run, NewRows(run, source))]
    return pandas.DataFrame({name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]})


def fields_of(run: TrainedRun) -> dict[str, Shape | None]:
    """The fields that the network takes, each with the shape of an array, () for a number, or None for a text.

    Raises:
        RunError: several arrays are one input, and only together their size is known.
    """
    found: dict[str, Shape | None] = {}
    for entry in run.inputs:
        if entry.encoding is not None or len(entry.types) == numel(entry.shape):
            found |= {name: None if name in entry.texts else () for name in entry.types}
        elif len(entry.types) == 1:
            found |= dict.fromkeys(entry.types, entry.shape)
        else:
            raise RunError(f"the input '{entry.name}' is made of several arrays, which have no columns of one number")
    return found


def _source(run: TrainedRun, rows: pandas.DataFrame, folder: Path) -> Source:
    """A file of the rows, and the source that reads it as new rows are read."""
    fields = {name: shape for name, shape in fields_of(run).items() if name in rows.columns}
    if any(fields.values()):
        path, kind = folder / "rows.npz", "npz"
        np.savez(path, allow_pickle=False, **{name: _array(rows[name], shape) for name, shape in fields.items()})
    else:
        path, kind = folder / "rows.jsonl", "jsonl"
        path.write_text("".join(_lines(rows, list(fields))), encoding="utf-8")
    found = choose("sources", {kind: str(path)})
    assert isinstance(found, Source)
    marks = {name: getattr(run.source, name) for name in ("missing",) if hasattr(run.source, name)}
    return found.model_copy(update=marks) if kind == "jsonl" else found  # a missing value is marked as in the training


def _array(values: Any, shape: Shape | None) -> Any:
    if shape is None:
        return np.array(["" if pandas.isna(value) else str(value) for value in values])
    return np.stack([np.asarray(_plain(value), np.float64).reshape(shape) for value in values])


def _plain(value: Any) -> Any:
    """Lists of lists, where an array holds arrays."""
    return [_plain(one) for one in value] if isinstance(value, np.ndarray) and value.dtype == object else value


def _lines(rows: pandas.DataFrame, names: Sequence[str]) -> Iterator[str]:
    columns = [rows[name].tolist() for name in names]
    for row in zip(*columns, strict=True):
        values = (None if pandas.isna(value) else value for value in row)
        yield json.dumps(dict(zip(names, values, strict=True)), ensure_ascii=False) + "\n"


def frame_of(run: TrainedRun, rows: NewRows, count: int) -> pandas.DataFrame:
    """The first rows of a file as a DataFrame with the fields that the network takes."""
    found: dict[str, Any] = {}
    for name, shape in fields_of(run).items():
        if shape is None:
            texts = rows.table.texts(name)
            found[name] = [texts.distinct[code] for code in texts.codes[:count]]
            continue
        values = np.asarray(rows.table.numbers([name])[:count], np.float64)
        found[name] = values.reshape(len(values)) if shape == () else values.reshape(-1, *shape).tolist()
    return pandas.DataFrame(found)
