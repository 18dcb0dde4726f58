"""A run as a model of MLflow without a pickle: the files of the run, and code that serves them with dlrun."""

from __future__ import annotations

import contextlib
import io
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import mlflow
import mlflow.pyfunc
import numpy as np
import pandas
from mlflow.exceptions import MlflowException
from mlflow.models import ModelSignature
from mlflow.types.schema import Array as ArrayOf
from mlflow.types.schema import ColSpec, DataType, Schema

from dlrun import __version__
from dlrun.errors import Problem, RunError, SpecError
from dlrun.exported.description import NAME, description
from dlrun.exported.program import ROWS, Port, quiet
from dlrun.exported.proof import MOST, Array, Difference, difference
from dlrun.exported.served import RUN, answers_for, fields_of, frame_of
from dlrun.exported.written import Written
from dlrun.runs import folder as run_folder
from dlrun.shapes import Shape
from dlrun.trained.columns import POSITION, ROW, columns_of
from dlrun.trained.predict import Predicted, predict
from dlrun.trained.rows import NewRows, need_single_rows
from dlrun.trained.run import TrainedRun

CODE = f'''"""Serves a run of dlrun {__version__} with dlrun itself; its files are beside this one."""

import mlflow
from dlrun.exported.served import Served

mlflow.models.set_model(Served())
'''
MODEL = "model"
"""The folder of the model among the artifacts of a run."""
EXAMPLE = 3
"""Rows of the example in the model."""


def write(run: TrainedRun, out: Path) -> Written:
    """Write the folder, once MLflow loads the model and it gives what `predict` gives, for rows by their columns.

    Raises:
        SpecError: its rows are windows of a text; there is such a folder; the data of the run cannot be read.
        RunError: the answers differ; the folder cannot be written.
    """
    need_single_rows(run.source)
    if out.exists():
        raise SpecError([Problem(f"there is already a folder {out}", hint="name another one with --out, or remove it")])
    try:
        rows = NewRows(run, run.source)
    except SpecError as error:
        what = f"its data cannot be read, with which the model is compared: {error.problems[0].message}"
        raise SpecError(f"{run.folder.name} is not exported: {what}") from None
    frame = frame_of(run, rows, MOST)
    block = next(predict(run, rows))
    answers = tuple(replace(one, values=one.values[: len(frame)]) for one in block.answers)
    said = Predicted(block.numbers[: len(frame)], answers)
    try:
        with tempfile.TemporaryDirectory(dir=out.absolute().parent, prefix=f".{out.name}.") as folder:
            made = Path(folder) / out.name
            _save(run, made, frame.head(EXAMPLE))
            with quiet():
                again = mlflow.pyfunc.load_model(str(made))
                tables = [(said, again.predict(frame)), (_first(said), again.predict(frame[:1]))]
            differences = _differences(run, tables)
            made.rename(out)
    except OSError as error:
        raise RunError(f"cannot write {out}: {error.strerror or error}") from None
    size = sum(file.stat().st_size for file in out.rglob("*") if file.is_file())
    inputs = tuple(Port(name, (ROWS, *(shape or ())), _type(shape)) for name, shape in fields_of(run).items())
    outputs = tuple(
        Port(name, (ROWS,), "text" if values.dtype == object else str(values.dtype))
        for name, values in columns_of(said).items()
    )
    rows_of = f"the first {len(frame)} rows of the data, by the names of their columns"
    return Written({out: size}, inputs, outputs, differences, rows_of)


def _type(shape: Shape | None) -> str:
    return "text" if shape is None else "float64"


def _save(run: TrainedRun, out: Path, example: pandas.DataFrame) -> None:
    """Write the model."""
    with tempfile.TemporaryDirectory() as folder:
        code, files = Path(folder) / "model.py", Path(folder) / RUN
        code.write_text(CODE, encoding="utf-8")
        files.mkdir()
        for name in run_folder.NETWORK:
            if (run.folder / name).exists():
                shutil.copyfile(run.folder / name, files / name)
        with quiet():
            mlflow.pyfunc.save_model(
                str(out),
                python_model=str(code),
                artifacts={RUN: str(files)},
                signature=_signature(run, example),
                input_example=example,
                pip_requirements=[f"dlrun=={__version__}"],
                metadata={NAME: description(run)},
            )


def _signature(run: TrainedRun, example: pandas.DataFrame) -> ModelSignature:
    """The columns that the model takes and gives, with their types."""
    taken = [ColSpec(_column(shape), name) for name, shape in fields_of(run).items()]
    answers = answers_for(run, example)
    given = [ColSpec(_given(answers[name]), name) for name in answers.columns]
    return ModelSignature(Schema(taken), Schema(given))  # type: ignore[arg-type]


def _column(shape: Shape | None) -> Any:
    if shape is None:
        return DataType.string
    found: Any = DataType.double
    for _ in shape:
        found = ArrayOf(found)
    return found


def _given(values: Any) -> DataType:
    kind = values.dtype.kind
    return DataType.long if kind in "iu" else DataType.float if kind == "f" else DataType.string


def _first(said: Predicted) -> Predicted:
    """The answers for the first row."""
    return Predicted(said.numbers[:1], tuple(replace(one, values=one.values[:1]) for one in said.answers))


def _differences(run: TrainedRun, tables: Sequence[tuple[Predicted, pandas.DataFrame]]) -> tuple[Difference, ...]:
    """How far the tables of the model are from those of `predict`, for each output.

    Raises:
        RunError: a number is too far, or a class is another one.
    """
    found = []
    for place, output in enumerate(run.outputs):
        pairs: list[tuple[dict[str, Array], dict[str, Array]]] = []
        for said, table in tables:
            wanted = columns_of(Predicted(said.numbers, said.answers[place : place + 1]))
            names = [name for name in wanted if name not in (ROW, POSITION)]
            texts = [name for name in names if wanted[name].dtype == object]
            if wrong := [name for name in texts if table[name].tolist() != wanted[name].tolist()]:
                raise RunError(f"{run.folder.name} is not exported: the column '{wrong[0]}' would have other answers")
            numbers = [name for name in names if name not in texts]
            want = np.array([wanted[name] for name in numbers])
            pairs.append(({output.name: want}, {output.name: np.array([table[name] for name in numbers], want.dtype)}))
        found.append(difference(run, output.name, pairs))
    return tuple(found)


def register(folder: Path, uri: str, run_id: str, name: str) -> str:
    """Give a run in a store the model, and register it; returns its address, such as `models:/NAME/1`.

    Raises:
        RunError: the store refuses it.
    """
    try:
        with quiet(), contextlib.redirect_stderr(io.StringIO()):
            client = mlflow.MlflowClient(uri, uri)  # mlflow.register_model would need a store for the whole process
            client.log_artifacts(run_id, str(folder), MODEL)
            try:
                client.create_registered_model(name)
            except MlflowException as error:
                if error.error_code != "RESOURCE_ALREADY_EXISTS":
                    raise
            source = f"{client.get_run(run_id).info.artifact_uri}/{MODEL}"
            version = client.create_model_version(name, source, run_id)
    except Exception as error:  # MLflow raises what its stores do
        what = str(error).strip().partition("\n")[0]
        raise RunError(f"{folder} is written, and not registered as {name}: {what}") from None
    return f"models:/{name}/{version.version}"
