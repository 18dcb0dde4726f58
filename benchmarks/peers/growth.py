"""Measure how dlrun's time grows with the rows, and the overhead of an epoch as the network becomes deeper."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from children import call, dlrun
from environment import Environment, say

HERE = Path(__file__).parent
ENOUGH = 100_000
"""The least number of samples to train on, so that the clock is precise enough."""
BATCH, MANY, VALIDATION = 32, 50, 16


@dataclass(frozen=True)
class Overhead:
    """Seconds that an epoch takes in addition to its training steps."""

    layers: int
    bare: float
    """Without validation and early stopping."""
    full: float
    """With both; the pass over the validation rows is included."""


def write_rows(environment: Environment, folder: Path, rows: int) -> None:
    """Write the arrays of the tabular work, with this number of rows."""
    call([str(environment.python), str(HERE / "arrays.py"), str(folder), str(rows)], HERE)


def by_rows(environment: Environment, folder: Path, rows: list[int]) -> dict[int, float]:
    """Seconds per sample of the tabular work, for each number of rows in the file; without the first epoch."""
    spec = folder / "tabular.yaml"
    folder.mkdir(exist_ok=True)
    spec.write_text((HERE / "specs" / "tabular.yaml").read_text())
    found = {}
    for count in rows:
        say(f"growth: {count:,} rows")
        write_rows(environment, folder, count)
        trained = count - round(count / 11)
        epochs = 1 + max(2, math.ceil(ENOUGH / trained)) if count < 10**7 else 2
        stamps = dlrun(environment, spec, f"train.epochs={epochs}").report["stamps"]
        found[count] = (stamps[-1] - stamps[1]) / (epochs - 1) / trained
    (folder / "tabular.npz").unlink(missing_ok=True)
    return found


def by_layers(environment: Environment, folder: Path, layers: list[int], epochs: int) -> list[Overhead]:
    """The overhead of an epoch for each number of layers.

    It follows from two runs: epochs of one step take s + o, epochs of fifty steps take 50 s + o.
    """
    folder.mkdir(exist_ok=True)
    found = []
    for count in layers:
        say(f"growth: {count} layers")
        bare, full = (_overhead(environment, folder, count, epochs, everything) for everything in (False, True))
        found.append(Overhead(count, bare, full))
    return found


def _overhead(environment: Environment, folder: Path, layers: int, epochs: int, everything: bool) -> float:
    one = _epoch(environment, folder, layers, 1, epochs, everything)
    fifty = _epoch(environment, folder, layers, MANY, max(3, epochs // MANY + 1), everything)
    return (MANY * one - fifty) / (MANY - 1)


def _epoch(environment: Environment, folder: Path, layers: int, steps: int, epochs: int, everything: bool) -> float:
    """Seconds per epoch of this number of steps; the first tenth of the epochs is not counted."""
    rows = BATCH * steps + (VALIDATION if everything else 0)
    write_rows(environment, folder, rows)
    share, stopping = (f"$({VALIDATION}/{rows})", ", early_stopping: {patience: 1000000}") if everything else (0, "")
    lines = [
        "name: layers",
        "seed: 1",
        f"data: {{source: {{npz: tabular.npz}}, features: x, target: y, split: {{validation: {share}, test: 0}}}}",
        "model:",
        "  layers:",
        f"    - repeat: {{times: {layers // 2}, layers: [linear: 16, relu]}}",
        "    - linear: 1",
        "loss: binary_cross_entropy",
        "metrics: [accuracy]",
        "optimizer: adam",
        f"train: {{epochs: {epochs}, batch_size: {BATCH}{stopping}}}",
    ]
    spec = folder / "layers.yaml"
    spec.write_text("\n".join(lines) + "\n")
    stamps = dlrun(environment, spec).report["stamps"]
    first = max(1, epochs // 10)
    return (stamps[-1] - stamps[first]) / (epochs - first)
