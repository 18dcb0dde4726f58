"""When early stopping counts, and when it stops."""

from __future__ import annotations

import math
from pathlib import Path

import networks
import pytest
from torch import nn

from dlrun.errors import SpecError
from dlrun.language.durations import Duration
from dlrun.language.experiment import EarlyStopping, TrainSection
from dlrun.plan.length import Length
from dlrun.training.early_stopping import BestWeights
from dlrun.training.state import TrainingState

SPEC = """
data: {source: {sklearn: iris}, split: {validation: 0.2, test: 0}}
model: {layers: [linear: $classes]}
loss: cross_entropy
optimizer: {sgd: {lr: 0.1}}
train: {epochs: 30, batch_size: full, early_stopping: %s}
"""


def ends(values: list[float], patience: int, start: Duration) -> tuple[int, int]:
    """The epoch after which a training with these values of the metric stops, and its best epoch."""
    stopping = EarlyStopping(patience=patience, start_after=start)
    best, state = BestWeights(TrainSection(early_stopping=stopping), (), True, Length(8, 4, 400, 32)), TrainingState()
    for value in values:
        state.epoch, state.step = state.epoch + 1, state.step + 4
        best.update({"validation/loss": value}, nn.Linear(1, 1), state)
        if best.should_stop(state):
            break
    return state.epoch, state.best_epoch


@pytest.mark.parametrize(
    ("start", "stop"),
    [("0 epochs", 5), ("3 epochs", 6), ("12 steps", 6), ("4 epochs", 7), ("17 steps", 7), ("100 epochs", 12)],
)
def test_epochs_that_end_until_the_start_do_not_count(start: str, stop: int) -> None:
    """The second epoch is the best; three later ones that count end the training."""
    count, unit = start.split()
    assert ends([2.0, 1.0, *[1.5] * 10], 3, Duration(int(count), unit)) == (stop, 2)  # type: ignore[arg-type]


def test_an_improvement_after_the_start_begins_the_count_again() -> None:
    assert ends([1.0, 2.0, 2.0, 2.0, 0.5, *[2.0] * 9], 3, Duration(3, "epochs")) == (8, 5)
    assert ends([1.0, math.nan, 2.0, 2.0, 2.0], 2, Duration(1, "epochs")) == (4, 1)


def test_a_training_goes_on_until_the_start(tmp_path: Path) -> None:
    """Nothing improves by more than 100, so every epoch after the first would count."""

    def of(settings: str) -> int:
        return networks.train(tmp_path, SPEC % settings).state.epoch

    assert of("{patience: 2, min_delta: 100}") == 3
    assert of("{patience: 2, min_delta: 100, start_after: 10 epochs}") == 12


def test_the_start_is_before_the_end(tmp_path: Path) -> None:
    with pytest.raises(SpecError) as caught:
        networks.checked(tmp_path, SPEC % "{start_after: 30}")
    (problem,) = caught.value.problems
    assert problem.message == "early stopping begins after 30 epochs, and the training has 30 steps"


@pytest.mark.parametrize(("monitor", "rising"), [("validation/accuracy", True), ("validation/loss", False)])
def test_the_best_weights_follow_any_metric_without_early_stopping(monitor: str, rising: bool, tmp_path: Path) -> None:
    text = SPEC.replace("optimizer:", "metrics: [accuracy]\noptimizer:") % f"null, best: {{monitor: {monitor}}}"
    done = networks.train(tmp_path, text, "optimizer.sgd.lr=1.5")
    values = [epoch[monitor] for epoch in done.epochs]
    best = max(values) if rising else min(values)
    assert len(values) == 30
    assert (done.state.best_value, done.state.best_epoch) == (best, values.index(best) + 1)


@pytest.mark.parametrize(
    ("best", "said"),
    [
        ("{}, best: {}", "the `monitor` of early stopping decides which weights are the best"),
        ("null, best: {monitor: validation/accuracy}", "there is no metric 'validation/accuracy'"),
        ("null, best: validation/loss", "settings by name are expected here; received 'validation/loss'"),
    ],
)
def test_what_decides_is_given_once_and_is_there(best: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(SpecError) as caught:
        networks.checked(tmp_path, SPEC % best)
    assert [problem.message for problem in caught.value.problems] == [said]


def test_a_deciding_metric_needs_validation_rows(tmp_path: Path) -> None:
    with pytest.raises(SpecError) as caught:
        networks.checked(tmp_path, SPEC % "null, best: {}", "data.split.validation=0")
    (problem,) = caught.value.problems
    assert problem.message == "`best` needs validation rows, and their share is 0"
