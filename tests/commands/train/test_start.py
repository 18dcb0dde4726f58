"""What the screen says of a training before it begins."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from dlrun.commands.app import app

SPEC = """
data: {source: {sklearn: iris}}
model: {layers: [linear: $classes]}
loss: cross_entropy
optimizer: adam
train: {epochs: 2, batch_size: 16, device: cpu}
tracking: off
baselines: off
"""


@pytest.mark.parametrize(
    ("overrides", "line"),
    [
        ((), "train   cross_entropy, adam; seed 0"),
        (("train.accumulate=3",), "train   cross_entropy, adam; 3 batches of 16 a step; seed 0"),
        (
            ("schedule=cosine_annealing", "train.average=ema"),
            "train   cross_entropy, adam, cosine_annealing, ema; seed 0",
        ),
    ],
)
def test_a_line_says_how_the_weights_are_moved(overrides: tuple[str, ...], line: str, tmp_path: Path) -> None:
    spec = tmp_path / "spec.yaml"
    spec.write_text(SPEC)
    runs = str(tmp_path / "runs")
    done = CliRunner().invoke(app, ["train", str(spec), *overrides, "--runs", runs], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert line in done.output
