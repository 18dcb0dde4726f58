"""What `dlrun check` says of several optimizers."""

from __future__ import annotations

from pathlib import Path

import networks
import pytest

from dlrun.checks.check import check
from dlrun.commands.write.check import as_data, optimizer_lines
from dlrun.errors import SpecError

SPEC = """
data: {source: {sklearn: iris}}
model: {layers: [{linear: {out_features: 8, name: stem}}, relu, {linear: 3}]}
loss: cross_entropy
optimizer: %s
"""


def test_check_says_which_weights_each_optimizer_moves(tmp_path: Path) -> None:
    checked = networks.checked(tmp_path, SPEC % '[muon: {weights: "*.weight"}, sgd]')
    assert optimizer_lines(checked) == [
        "moved   by muon: 56 weights, in stem.weight, linear_1.weight",
        "moved   by sgd: 11 weights, in stem.bias, linear_1.bias",
    ]
    assert as_data(tmp_path / "spec.yaml", checked)["moved"] == [
        {"optimizer": "muon", "weights": ["stem.weight", "linear_1.weight"], "count": 56},
        {"optimizer": "sgd", "weights": ["stem.bias", "linear_1.bias"], "count": 11},
    ]


def test_one_optimizer_needs_no_line_and_the_memory_of_several_is_their_sum(tmp_path: Path) -> None:
    alone = networks.checked(tmp_path, SPEC % "adam")
    assert optimizer_lines(alone) == [] and alone.memory.state == 4 * 2 * 67
    several = networks.checked(tmp_path, SPEC % "[adam: {weights: stem}, sgd: {momentum: 0.9}]")
    assert several.memory.state == 4 * (2 * 40 + 27)


@pytest.mark.parametrize("batches", ["batch_size: full", "batch_size: 150", "batch_size: full, drop_last: true"])
def test_all_rows_in_a_step_may_be_said_by_their_number(batches: str, tmp_path: Path) -> None:
    assert networks.checked(tmp_path, SPEC % "lbfgs" + f"train: {{{batches}}}").memory.batch == 106


def test_a_mistake_beside_the_size_of_batches_is_the_only_error(tmp_path: Path) -> None:
    (tmp_path / "spec.yaml").write_text(SPEC % "lbfgs" + "train: {batch_size: full, epoch: 3}")
    with pytest.raises(SpecError) as caught:
        check(tmp_path / "spec.yaml")
    (problem,) = caught.value.problems
    assert problem.message == "unknown setting 'epoch'; did you mean 'epochs'?"
