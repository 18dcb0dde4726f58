"""What a run says of itself: its name, and the command that starts the same run."""

from pathlib import Path

import pytest
from networks import checked
from watching import run_silently

from dlrun.runs.run_json import read_run
from dlrun.training.lifecycle.describe import called, command

IRIS = """
name: iris
data: {source: {sklearn: iris}}
model: {layers: [linear: 3]}
loss: cross_entropy
optimizer: {adam: {lr: 1e-3}}
train: {epochs: 1}
tracking: off
"""


@pytest.mark.parametrize(
    ("overrides", "name"),
    [
        ([], ""),
        (["optimizer.adam.lr=1e-2", "seed=3"], "iris lr=1e-2 seed=3"),
        (["data.split.test=0.1", "data.split.validation=0.2"], "iris test=0.1 validation=0.2"),
        (["optimizer.adam.lr=1", "schedule.step.lr=2"], "iris adam.lr=1 step.lr=2"),
        (["name=iris", "description=a try"], ""),
        (["tracking.mlflow.uri=http://me:secret@host"], ""),
        (["data.source.csv.path=/a/long/way/to/some/table.csv"], "iris path=/a/long/way/to/some/table.csv"),
        (["data.source.csv.path=/a/very/long/way/to/some/table.csv"], "iris path=/a/very/long/way/to/some/tabl…"),
    ],
)
def test_a_runs_name_says_in_what_it_differs_from_its_spec(overrides: list[str], name: str) -> None:
    assert called("iris", overrides) == name


def test_a_command_line_holds_no_password() -> None:
    written = command(Path("my spec.yaml"), ["tracking.mlflow.uri=https://me:p@ss@host/x", "seed=3"])
    assert written == "dlrun train 'my spec.yaml' 'tracking.mlflow.uri=https://me:***@host/x' seed=3"


def test_a_run_holds_its_command_and_its_overrides(tmp_path: Path) -> None:
    outcome = run_silently(checked(tmp_path, IRIS, "seed=3"), tmp_path / "runs")
    info = read_run(outcome.folder).info
    assert info.name == "iris device=cpu seed=3"  # the helper adds the device
    assert info.tags["run.command"] == f"dlrun train {tmp_path / 'spec.yaml'} train.device=cpu seed=3"
    assert info.tags["run.overrides"] == "train.device=cpu\nseed=3"
