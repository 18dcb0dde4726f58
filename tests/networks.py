"""Plans and trainings from the text of a spec, without a run's folder, tracker and screen."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dlrun.checks import Checked, check
from dlrun.data.load import Loaded, load
from dlrun.plan import Plan, plan
from dlrun.reading import read
from dlrun.spec.document import parse_text
from dlrun.training.loop import Training
from dlrun.training.setup import Ready, get_ready
from dlrun.training.state import State


def plan_of(model: str) -> Plan:
    """The plan of a `model` section in YAML."""
    reading = read(parse_text(f"model: {model}", "spec.yaml"))
    assert not reading.problems, reading.problems
    return plan(reading.sections["model"], reading.tree)


def checked(folder: Path, text: str, *overrides: str) -> Checked:
    """A spec, written into a folder and checked for training on the CPU."""
    file = folder / "spec.yaml"
    file.write_text(text)
    return check(file, ["train.device=cpu", *overrides], training=True)


def rows_of(checked: Checked) -> Loaded:
    """The rows of a checked spec, as a run loads them."""
    experiment = checked.experiment
    assert checked.facts is not None
    data = experiment.need("data")
    return load(data, experiment.losses, checked.reading.folder, checked.facts, experiment.seed)


@dataclass
class Trained:
    """A training that is over, and what it told."""

    ready: Ready
    state: State = field(default_factory=State)
    epochs: list[dict[str, float]] = field(default_factory=list)
    """The figures of each epoch."""

    def progress(self, progress: Any) -> None: ...
    def after_step(self, training: Training) -> None: ...
    def after_epoch(self, training: Training) -> None: ...

    def epoch(self, epoch: int, figures: dict[str, float], epochs: int) -> None:
        self.epochs.append(figures)


def train(folder: Path, text: str, *overrides: str) -> Trained:
    """Train by a spec, in memory alone."""
    done = Trained(get_ready(checked(folder, text, *overrides)))
    training = Training(done.ready.task, done, done, done.state)
    training.run()
    training.finish()
    return done
