"""Weights that a run starts from."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

import dlrun


@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), 1e39])
def test_weights_that_are_no_finite_numbers_are_refused_with_their_name(tmp_path: Path, wrong: float) -> None:
    weight = torch.zeros(3, 4, dtype=torch.float64)
    weight[1, 2] = wrong
    save_file({"linear_1.weight": weight, "linear_1.bias": torch.zeros(3)}, tmp_path / "start.safetensors")
    (tmp_path / "spec.yaml").write_text(
        "data: {source: {sklearn: iris}}\nmodel: {weights: start.safetensors, layers: [linear: $classes]}\n"
        "loss: cross_entropy\noptimizer: adam\ntrain: {epochs: 1}\ntracking: off\n",
        "utf-8",
    )
    with pytest.raises(dlrun.SpecError, match=re.escape(f"'linear_1.weight' holds {wrong:g} in")) as caught:
        dlrun.train(tmp_path / "spec.yaml", runs=tmp_path / "runs")
    assert caught.value.problems[0].place is not None
    assert not (tmp_path / "runs").exists()
