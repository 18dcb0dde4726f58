"""Plans and trainings from the text of a spec, without a run's folder, tracker and screen."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import fx
from watching import Silent

from dlrun.checks.check import Checked, check
from dlrun.checks.reading import read
from dlrun.components.optimizers import SearchingOptimizer
from dlrun.data.load import Loaded, load
from dlrun.language.kinds import find, kinds
from dlrun.language.text.document import parse_text
from dlrun.network.build import build
from dlrun.plan.network import Plan, plan
from dlrun.training.lifecycle.setup import TrainingSetup, prepare_training
from dlrun.training.lifecycle.trunk import compute_trunk
from dlrun.training.loop import Training
from dlrun.training.speed import capture as capturing
from dlrun.training.state import TrainingState

DEVICE = os.environ.get("DLRUN_TEST_DEVICE", "cpu")
"""Where the tests of kinds train: the same tests hold a GPU's steps, with DLRUN_TEST_DEVICE=cuda."""

STEPPING = [kind for kind in kinds("optimizers") if not issubclass(find("optimizers", kind), SearchingOptimizer)]
SEARCHING = [kind for kind in kinds("optimizers") if kind not in STEPPING]
"""The optimizers that take batches, and those that need all rows in each step."""


def plan_of(model: str) -> Plan:
    """The plan of a `model` section in YAML."""
    reading = read(parse_text(f"model: {model}", "spec.yaml"))
    assert not reading.problems, reading.problems
    return plan(reading.sections["model"], reading.tree)


def built(model: str) -> fx.GraphModule:
    """The network of a `model` section in YAML."""
    return build(plan_of(model), read(parse_text(f"model: {model}", "spec.yaml")).sections["model"])


def checked(folder: Path, text: str, *overrides: str) -> Checked:
    """A spec, written into a folder and checked for training, on `DEVICE` unless an override says otherwise."""
    file = folder / "spec.yaml"
    file.write_text(text)
    return check(file, [f"train.device={DEVICE}", *overrides], training=True)


def rows_of(checked: Checked) -> Loaded:
    """The rows of a checked spec, as a run loads them."""
    experiment = checked.experiment
    assert checked.data_info is not None
    data = experiment.need("data")
    return load(data, checked.data_info, experiment.seed)


@dataclass
class Trained:
    """A training that is over, and what it told."""

    ready: TrainingSetup
    state: TrainingState = field(default_factory=TrainingState)
    epochs: list[dict[str, float]] = field(default_factory=list)
    """The figures of each epoch."""

    def progress(self, progress: Any) -> None: ...
    def after_step(self, training: Training) -> None: ...
    def after_epoch(self, training: Training) -> None: ...

    def epoch(self, epoch: int, metrics: dict[str, float], epochs: int) -> None:
        self.epochs.append(metrics)


def two_ways(folder: Path, text: str, monkeypatch: pytest.MonkeyPatch, *overrides: str) -> list[Any]:
    """Train with what can be captured and without, and hold that the same comes of it; gives what was captured."""
    codes, own = [], capturing.capture

    def noted(*given: Any) -> Any:
        results, code = own(*given)
        codes.append(code)
        return results, code

    monkeypatch.setattr(capturing, "capture", noted)
    monkeypatch.setattr(capturing, "AFTER", 3)  # so that the last, smaller batch of an epoch is captured too
    captured = train(folder, text, *overrides)
    monkeypatch.setattr(capturing, "AFTER", sys.maxsize)
    plain = train(folder, text, *overrides)
    for name, weight in plain.ready.network.state_dict().items():
        assert torch.equal(captured.ready.network.state_dict()[name], weight), name
    timeless = [
        [{name: value for name, value in epoch.items() if name != "time/epoch"} for epoch in done.epochs]
        for done in (captured, plain)
    ]
    assert timeless[0] == timeless[1]
    return codes


def train(folder: Path, text: str, *overrides: str) -> Trained:
    """Train by a spec, in memory alone."""
    done = Trained(compute_trunk(prepare_training(checked(folder, text, *overrides)), Silent()))
    training = Training(done.ready.task, done, done, done.state)
    training.run()
    training.finish()
    return done
