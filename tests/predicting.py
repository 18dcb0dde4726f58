"""A small trained run, and what `dlrun predict` says and writes."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet
from typer.testing import CliRunner

import dlrun
from dlrun.commands.app import app
from dlrun.trained.answers import Answers
from dlrun.trained.predict import predict
from dlrun.trained.rows import NewRows, source_of
from dlrun.trained.run import TrainedRun, open_run

SPEC = """
data:
  source: {csv: rows.csv}
  target: %s
  features: [a, b, place]
  split: {validation: 0.2, test: 0.3}
  preprocess: [one_hot: {columns: place}, standardize]
model: {layers: [{linear: {out_features: 8, name: hidden}}, tanh, linear: %s]}
loss: %s
optimizer: {adam: {lr: 0.02}}
train: {epochs: 8, device: cpu}
tracking: off
baselines: off
"""
ROWS = 200


def write_rows(file: Path, rows: int = ROWS) -> list[dict[str, Any]]:
    """A table with a target of each sort; gives its rows."""
    random = np.random.default_rng(2)
    found = []
    for _ in range(rows):
        a, b = random.normal(size=2).round(3).tolist()
        place = str(random.choice(["near", "far", "in, between"]))
        kind = "low" if a + b < -0.5 else "high" if a + b > 0.5 else "middle"
        found.append(
            {
                "a": a,
                "b": b,
                "place": place,
                "kind": kind,
                "up": "yes" if a > b else "no",
                "sum": round(100 * (a + b), 2),
            }
        )
    with file.open("w", newline="") as stream:
        writing = csv.DictWriter(stream, list(found[0]))
        writing.writeheader()
        writing.writerows(found)
    return found


def trained(folder: Path, target: str, outputs: Any, loss: str, *changes: str) -> TrainedRun:
    write_rows(folder / "rows.csv")
    (folder / "spec.yaml").write_text(SPEC % (target, outputs, loss))
    return open_run(dlrun.train(folder / "spec.yaml", *changes, runs=folder / "runs").folder)


def answers(run: TrainedRun, file: Path, at: str | None = None) -> list[Answers]:
    """The answers for all rows of a file, for each output."""
    blocks = list(predict(run, NewRows(run, source_of(run, file)), at))
    outputs = zip(*(block.answers for block in blocks), strict=True)
    return [
        Answers(one[0].output, one[0].kind, one[0].fields, one[0].labels, np.concatenate([part.values for part in one]))
        for one in outputs
    ]


def invoke(*arguments: str | Path, given: bytes | None = None) -> Any:
    return CliRunner().invoke(app, ["predict", *map(str, arguments)], input=given)


def rows_in(file: Path) -> tuple[list[str], Sequence[Sequence[Any]]]:
    """The names and the rows of a file of predictions."""
    if file.suffix == ".parquet":
        table = pyarrow.parquet.read_table(file)
        return table.column_names, [list(row.values()) for row in table.to_pylist()]
    if file.suffix == ".jsonl":
        rows = [json.loads(line) for line in file.read_text().splitlines()]
        return list(rows[0]), [list(row.values()) for row in rows]
    with file.open(newline="") as stream:
        names, *rows = csv.reader(stream, delimiter="\t" if file.suffix == ".tsv" else ",")
    return names, [[float(cell) if _is_number(cell) else cell or None for cell in row] for row in rows]


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
