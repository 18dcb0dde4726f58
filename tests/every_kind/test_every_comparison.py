"""Losses and metrics, whatever there are: number by number, never one number for many."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from figures_of_numbers import OF_NUMBERS

from dlrun.components.preprocess import TrainingRows
from dlrun.components.preprocess.standardize import Standardize
from dlrun.data.batches import Batch
from dlrun.language.component import choose
from dlrun.language.kinds import find, kinds
from dlrun.plan.answers import Answer
from dlrun.plan.losses import Term
from dlrun.plan.metrics import Watched
from dlrun.shapes import ShapeError
from dlrun.training.evaluation import Measurement, measure_batch
from dlrun.training.objective import Objective, Pairing

TARGET = Answer("target")
NUMBERS = [kind for kind in kinds("metrics") if "numbers" in find("metrics", kind).suits]


def a_loss(kind: str) -> Any:
    values = {"quantile": 0.3, "variance": "spread"}
    needed = {name: values[name] for name, field in find("losses", kind).model_fields.items() if field.is_required()}
    return choose("losses", {kind: needed} if needed else kind)


def metric_at(kind: str, shape: tuple[int, ...]) -> Watched:
    metric: Any = choose("metrics", kind)
    return Watched(metric, "output", TARGET, "", shape, kind)


@pytest.mark.parametrize("rows", [1, 5])
@pytest.mark.parametrize(
    ("output", "target"),
    [
        ((), (1,)),
        ((1,), ()),
        ((4,), ()),
        ((4,), (1,)),
        ((1,), (4,)),
        ((1, 4), (4,)),
        ((2, 4), (2, 1)),
        ((2, 1), (2, 4)),
    ],
)
@pytest.mark.parametrize("family", ["losses", "metrics"])
def test_nothing_is_broadcast(family: str, output: tuple[int, ...], target: tuple[int, ...], rows: int) -> None:
    batch = Batch((torch.rand(rows, 1),), {"target": torch.rand(rows, *target)})
    outputs = torch.rand(rows, *output)
    for kind in kinds(family):
        if family == "metrics":
            with pytest.raises(RuntimeError, match="compared with"):
                measure_batch([metric_at(kind, output)], Pairing({}), outputs, batch)
            continue
        loss = a_loss(kind)
        if loss.by_row:  # its outputs have another shape than its target
            continue
        with pytest.raises(RuntimeError, match="compared with"):
            Objective([Term(loss, "output", TARGET, "", kind, False, "")], Pairing({}))(outputs, batch)
        if loss.wants != "classes" and output and target:  # one number of a target without axes becomes (1,)
            with pytest.raises(ShapeError):
                loss.check(output, target, None, "")


@pytest.mark.parametrize("batch", [1, 7, 100, 256])
@pytest.mark.parametrize("scaled", [False, True])
@pytest.mark.parametrize("shape", [(1,), (3,), (2, 4), (1, 8, 8)])
@pytest.mark.parametrize("offset", [0.0, 2.5e6, -1e9])
@pytest.mark.parametrize("kind", NUMBERS)
def test_metrics_of_numbers_are_exact_far_from_0(
    kind: str, offset: float, shape: tuple[int, ...], scaled: bool, batch: int
) -> None:
    random = np.random.default_rng(len(shape))
    exact = offset + random.normal(size=(256, *shape)) * 3
    near = (exact + 0.5 * random.normal(size=exact.shape) - offset) / 3
    rows, scales = TrainingRows(exact), {}
    targets = torch.tensor(exact).float()
    if scaled:  # the network's outputs are in the units of the scaled target
        module = Standardize().build(Standardize().fit(rows, exact, None))
        outputs = module(torch.tensor(offset + 3 * near))
        predicted = outputs.double().numpy() / module.factor.numpy() + module.offset.numpy()
        scales, targets = {"target": [module]}, module(torch.tensor(exact))
    else:
        outputs = torch.tensor(offset + 3 * near).float()
        predicted = outputs.double().numpy()
    watched, pairing = metric_at(kind, shape), Pairing({}, scales)
    measurement = Measurement([watched], 256)
    whole = Batch((torch.zeros(256, 1),), {"target": targets}, {"target": torch.tensor(exact)})
    for start in range(0, 256, batch):
        part = whole[start : start + batch]
        measurement.add(measure_batch([watched], pairing, outputs[start : start + batch], part))
    truth, answers = exact.reshape(256, -1), predicted.reshape(256, -1)
    expected = OF_NUMBERS[kind](truth, answers)
    assert measurement.values()[kind] == pytest.approx(expected, rel=1e-9, abs=1e-9, nan_ok=True)


def test_r2_of_equal_targets_far_from_0_is_not_defined() -> None:
    watched = metric_at("r2", (1,))
    for offset in (2.5e6, 1e9 + 0.1):
        measurement = Measurement([watched], 50)
        batch = Batch((torch.zeros(50, 1),), {"target": torch.full((50, 1), offset, dtype=torch.float64)})
        for start in range(0, 50, 7):
            measurement.add(
                measure_batch([watched], Pairing({}), torch.rand(50, 1)[start : start + 7], batch[start : start + 7])
            )
        assert math.isnan(measurement.values()["r2"])
