"""Each kind of layer at the end of a network, before each kind of loss: what it cannot say is an error or a note.

Whether it can is measured: its inputs and its weights are free, and are moved until the loss is as small as it gets.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from networks import checked

from dlrun.checks.reading import read
from dlrun.components.layers import Container, Layer
from dlrun.components.losses import Loss
from dlrun.errors import SpecError
from dlrun.language.component import choose
from dlrun.language.kinds import find, kinds
from dlrun.language.text.document import parse_text
from dlrun.shapes import Shape, ShapeError, numel
from dlrun.training.lifecycle.setup import prepare_training

ROWS = 12
SHAPES: list[Shape] = [(4,), (3, 4), (3, 4, 4), (2, 4, 4, 4)]
NEAR, FAR = 0.0005, 0.5
"""A mean loss, in units of the variance or in nats, that says that a target is reached, and that it is not."""


def example(kind: str) -> str:
    """The layer of the kind's own example."""
    line = next(line for line in (find("layers", kind).__doc__ or "").splitlines() if "Example:" in line)
    return line.partition("Example: ")[2]


def layer_of(kind: str) -> Layer:
    """The layer of the kind's own example, read."""
    (layer,) = read(parse_text(f"model: {{layers: [{example(kind)}]}}", "spec.yaml")).sections["model"].layers
    assert isinstance(layer, Layer)
    return layer


def taken(kind: str) -> Shape | None:
    """The first small shape that the example takes, and makes several numbers of, not more than it gets.

    Trained weights of a last layer are left out, but those of a norm: what they can say depends on their sizes.
    """
    layer = layer_of(kind)
    for shape in SHAPES:
        try:
            fits = 1 < numel(layer.output_shape(shape)) <= numel(shape)
        except (ShapeError, IndexError):
            continue
        if fits and (layer.room == "normalization" or not layer.weights(shape)):
            return shape
    return None


LAST = [
    kind
    for kind in kinds("layers")
    if not issubclass(cls := find("layers", kind), Container)
    and cls.accepts != "indices"
    and not cls.second_inputs
    and taken(kind) is not None
]


def rows(loss: Loss, count: int) -> np.ndarray:
    draw = np.random.default_rng(0)
    if loss.wants == "classes":
        return np.arange(ROWS) % count
    values = draw.normal(size=(ROWS, count))
    return (values > 0).astype(np.int64) if loss.wants == "binary" else values


def verdict(folder: Path, kind: str, loss: str, shape: Shape, target: np.ndarray) -> str:
    np.savez(folder / "rows.npz", x=np.random.default_rng(1).normal(size=(ROWS, 3)), y=target)
    front = f"linear: {numel(shape)}, reshape: {list(shape)}"
    split = "split: {validation: 0, test: 0}"
    try:
        ready = checked(
            folder,
            f"""
            data: {{source: {{npz: rows.npz}}, features: x, target: y, {split}}}
            model: {{layers: [{front}, {example(kind)}, flatten]}}
            loss: {loss}
            optimizer: adam
            """,
        )
        prepare_training(ready)
    except SpecError:
        return "error"
    return "note" if ready.notes else ""


def smallest(kind: str, loss: Loss, shape: Shape, target: np.ndarray) -> float:
    """The smallest loss that the layer reaches from inputs of its own for each row."""
    torch.manual_seed(0)
    layer = layer_of(kind)
    module = layer.build(shape).eval()
    wanted = torch.as_tensor(target).float() if loss.wants != "classes" else torch.as_tensor(target)
    inputs = (torch.randn(ROWS, *shape) * 2).requires_grad_()
    optimizer = torch.optim.Adam([inputs, *module.parameters()], lr=0.3)
    least = float("inf")
    for _ in range(150):
        found = loss(module(inputs).flatten(1), wanted, layer.output_form)
        least = min(least, found.item())
        if least < NEAR:
            break
        optimizer.zero_grad()
        found.backward()
        optimizer.step()
    return least


OWN = ("binary_dice", "cosine", "ctc", "dice", "gaussian_nll", "kl_divergence", "nll", "poisson_nll", "triplet")
"""Losses for outputs or targets of a form of their own, which their checks ask for."""
WRITTEN = {"quantile": "{quantile: 0.5}"}


@pytest.mark.parametrize("loss", [kind for kind in kinds("losses") if kind not in OWN])
@pytest.mark.parametrize("kind", LAST)
def test_a_last_layer_that_cannot_say_what_the_loss_asks_for_is_not_silent(
    kind: str, loss: str, tmp_path: Path
) -> None:
    component, shape = choose("losses", {"quantile": 0.5} if loss == "quantile" else loss), taken(kind)
    assert isinstance(component, Loss) and shape is not None
    layer = layer_of(kind)
    target = rows(component, numel(layer.output_shape(shape)))
    said = verdict(tmp_path, kind, WRITTEN.get(loss, loss), shape, target)
    if not layer.differentiable:
        assert said == "error"
    elif not layer.output_form:
        least = smallest(kind, component, shape, target)
        assert said or least < FAR
        assert said != "error" or least > NEAR
