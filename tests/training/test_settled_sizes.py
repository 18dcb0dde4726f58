"""Sizes that only fitting settles (`pca: 0.9`): every check is made again before the first step."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from networks import checked

from dlrun.data.batches import Batch
from dlrun.errors import SpecError
from dlrun.language.component import choose
from dlrun.plan.answers import Answer
from dlrun.plan.losses import Term
from dlrun.training.lifecycle.setup import prepare_training
from dlrun.training.objective import Objective, Pairing


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    """12 numbers of which 3 directions hold 90% of the variance: `pca: 0.9` keeps 3."""
    draw = np.random.default_rng(0)
    x = draw.normal(size=(100, 3)) @ draw.normal(size=(3, 12)) + 1e-3 * draw.normal(size=(100, 12))
    np.savez(tmp_path / "rows.npz", x=np.linalg.qr(x)[0][:, :3] @ np.eye(3, 12), y=draw.normal(size=100))
    return tmp_path


@pytest.mark.parametrize(
    ("layers", "loss", "place"),
    [
        ("[glu, linear: 1]", "mse", "model.layers[0]"),
        ("[group_norm: 4, linear: 1]", "mse", "model.layers[0]"),
        ("[reshape: [2, 6], flatten, linear: 1]", "mse", "model.layers[0]"),
        ("[reshape: [-1, 4], flatten, linear: 1]", "mse", "model.layers[0]"),
        ("[reshape: [1, 12], multihead_attention: 4, flatten, linear: 1]", "mse", "model.layers[0]"),
        (
            "[reshape: [1, -1], multihead_attention: 4, flatten, linear: 1]",
            "mse",
            "model.layers[1]",
        ),
        ("[linear: 12]", "{mse: {target: input}}", "loss"),
        ("[linear: 12]", "{l1: {target: input}}", "loss"),
        ("[residual: [linear: 12], linear: 1]", "mse", "model.layers[0]"),
        ("[select: 8, reshape: [1], linear: 1]", "mse", "model.layers[0]"),
    ],
)
def test_an_error_that_shows_after_fitting_has_its_place(rows: Path, layers: str, loss: str, place: str) -> None:
    spec = f"""
        data: {{source: {{npz: rows.npz}}, features: x, target: y, preprocess: [pca: 0.9]}}
        model: {{layers: {layers}}}
        loss: {loss}
        optimizer: adam
    """
    ready = checked(rows, spec)
    assert ready.plan.input_shapes == {"input": (12,)}
    with pytest.raises(SpecError) as error:
        prepare_training(ready)
    (problem,) = error.value.problems
    assert problem.as_data()["path"] == place


@pytest.mark.parametrize(
    "shapes", [((4, 12), (4, 1)), ((4, 1), (4,)), ((4, 1), (1, 1)), ((4, 3), (3,)), ((2, 3), (3,))]
)
@pytest.mark.parametrize("kind", ["mse", "l1", "binary_cross_entropy"])
def test_no_loss_repeats_a_smaller_target(kind: str, shapes: tuple[tuple[int, ...], tuple[int, ...]]) -> None:
    given, wanted = map(torch.rand, shapes)
    objective = Objective([Term(choose("losses", kind), "output", Answer("y"), "", False, "", kind)], Pairing([]))
    with pytest.raises(RuntimeError, match="has the shape"):
        objective(given, Batch((given,), {"y": wanted}))
