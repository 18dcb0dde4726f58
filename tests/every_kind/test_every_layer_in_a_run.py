"""Every layer in a run: as the first, a middle and the last layer, in both precisions, captured and not.

What `check` accepts, trains; and captured code gives the bits of the plain computation.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import networks
import numpy as np
import pytest
from hypothesis import assume, given
from strategies import components, draws, layers_and_shapes, takes

import dlrun
from dlrun.components.layers import EVERY, Container, Layer
from dlrun.errors import RunError, SpecError
from dlrun.language.component import choose
from dlrun.language.kinds import find, kinds
from dlrun.shapes import Shape, ShapeError
from dlrun.training.speed import capture as capturing

ROWS = 24
PRECISIONS = ("float32", "bfloat16")
EXAMPLES = 1
"""Settings and shapes of each kind that train; more show the same for longer."""
DRAWS = 20

ANY_ORDER = [f"adaptive_{kind}_pool{axes}d" for kind in ("avg", "max") for axes in (1, 2, 3)]
"""Layers whose gradient torch adds in any order on a GPU, where windows overlap: no bits are the same twice."""

CONTAINERS: dict[str, Any] = {
    **{kind: {kind: [[], ["tanh", {"linear": 6}]]} for kind in ("add", "average", "concat", "maximum", "multiply")},
    "input": {"add": [[], [{"input": "x"}]]},
    "repeat": {"repeat": {"times": 2, "layers": [{"linear": 6}, "relu"]}},
    "residual": {"residual": [{"linear": 6}, "relu"]},
    "sequential": {"sequential": [{"linear": 6}, "relu"]},
    "use": {"sequential": [{"linear": {"name": "again", "out_features": 6}}, "tanh", {"use": "again"}]},
}
"""Layers made of layers, on six numbers."""
ALONE = [kind for kind in kinds("layers") if not issubclass(find("layers", kind), Container)]


def same_shape(shape: Shape) -> dict[str, Any]:
    """A layer with weights that keeps the shape, and the layout of an image in memory."""
    if len(shape) in (2, 3, 4):
        return {f"conv{len(shape) - 1}d": {"out_channels": shape[0], "kernel_size": 1}}
    return {"linear": shape[-1]}


def spec(layer: Any, shape: Shape, accepts: str, trainable_before: bool, precision: str) -> str:
    """A network with the layer in three places, each with its own output."""
    end = ["flatten", {"linear": 1}]
    places = {"first": [layer, *end]}
    if trainable_before:
        places |= {"middle": [same_shape(shape), layer, *end], "last": [same_shape(shape), layer]}
    elif accepts == "indices":
        places |= {"last": [layer]}
    layers: list[Any] = []
    for name, inside in places.items():
        layers += [{"input": "x"}, {"sequential": {"name": name, "layers": inside}}]
    return json.dumps(
        {
            "data": {
                "source": {"npz": "rows.npz"},
                "features": {"x": "x"},
                "target": {name: name for name in places},
                "split": {"validation": 0.25, "test": 0.25},
            },
            "model": {"inputs": {"x": shape}, "outputs": list(places), "layers": layers},
            "loss": [{"mse": {"output": name}} for name in places],
            "metrics": [{"mae": {"output": name}} for name in places],
            "optimizer": {"sgd": 1e-3},
            "train": {
                "epochs": 2,
                "batch_size": 3,
                "device": networks.DEVICE,
                "precision": precision,
                "clip_grad_norm": 1.0,
            },
            "tracking": "off",
        }
    )


def write_rows(folder: Path, shape: Shape, output: Shape, known: Layer) -> None:
    draw = np.random.default_rng(5)
    indices = known.index_count()
    x = draw.normal(size=(ROWS, *shape)) if indices is None else draw.integers(0, indices, (ROWS, *shape))
    # A last layer's target lies between 0 and 1, or 0 and -1, and sums to what the layer's outputs do: what the layer
    # cannot give is refused.
    last = draw.uniform(size=(ROWS, *output))
    if not isinstance(known, Container):
        inputs = 1 + len(known.second_inputs)
        total, axes = known.total(*[shape] * inputs), tuple(range(1, last.ndim))
        if known.output_range(*[EVERY] * inputs)[1] <= 0:
            last = -last
        if total == 0:
            last -= last.mean(axes, keepdims=True)
        elif total is not None:
            last *= total / last.sum(axes, keepdims=True)
    np.savez(folder / "rows.npz", x=x, first=draw.normal(size=ROWS), middle=draw.normal(size=ROWS), last=last)


def results(folder: Path, text: str) -> Any:
    """What a run ends in, its weights to the last bit; None where its loss rightly grows beyond all numbers."""
    (folder / "spec.yaml").write_text(text)
    try:
        done = dlrun.train(folder / "spec.yaml", runs=folder / "runs")
    except RunError as error:
        assert "the loss became" in str(error)
        return None
    assert dlrun.load_network(done.folder, "last")
    records = [
        {name: repr(value) for name, value in record.metrics.items() if not name.startswith("time/")}
        for record in dlrun.read_run(done.folder).records
    ]
    return records, (done.folder / "last.safetensors").read_bytes()


def trains(folder: Path, layer: Any, shape: Shape, output: Shape, known: Layer, patch: pytest.MonkeyPatch) -> bool:
    """Train it in each precision, captured and not; False where `check` refuses the spec."""
    indices = known.index_count()
    write_rows(folder, shape, output, known)
    before = indices is None and known.differentiable
    for precision in PRECISIONS:
        text = spec(layer, shape, known.accepts, before, precision)
        (folder / "spec.yaml").write_text(text)
        try:
            dlrun.check(folder / "spec.yaml")
        except SpecError:
            return False
        found = []
        for after in (2, sys.maxsize):
            patch.setattr(capturing, "AFTER", after)
            found.append(results(folder, text))
        in_order = networks.DEVICE == "cpu" or known.kind not in ANY_ORDER
        assert not in_order or found[0] == found[1], (precision, layer, shape)
    return True


@pytest.mark.parametrize("kind", ALONE)
def test_a_layer_trains_in_every_place_and_captured_to_the_same_bits(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained: list[Shape] = []
    second = find("layers", kind).second_inputs
    drawn = layers_and_shapes(kind, largest=6)
    if second:
        drawn = components("layers", kind).flatmap(lambda layer: _with_two_axes(layer))

    @draws(DRAWS)
    @given(drawn)
    def holds(pair: tuple[Any, Shape]) -> None:
        layer, shape = pair
        assume(layer.name is None)
        if len(trained) == EXAMPLES:
            return
        written = layer.written()
        if second:
            written[kind] |= dict.fromkeys(second, "x")
            layer = layer.model_copy(update=dict.fromkeys(second, "x"))
        try:
            output = layer.output_shape(*[shape] * (1 + len(second)))
        except ShapeError:
            return
        if trains(tmp_path, written, shape, output, layer, monkeypatch):
            trained.append(shape)

    holds()
    assert trained


def _with_two_axes(layer: Any) -> Any:
    from hypothesis import strategies as st

    return st.tuples(st.just(layer), st.tuples(st.integers(1, 6), st.sampled_from((4, 6, 12))))


@pytest.mark.parametrize("kind", [kind for kind in kinds("layers") if kind not in ALONE])
def test_layers_made_of_layers_train(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    layer = CONTAINERS[kind]
    output = (12,) if kind == "concat" else (6,)
    assert trains(tmp_path, layer, (6,), output, choose("layers", "tanh"), monkeypatch)  # type: ignore[arg-type]


@pytest.mark.parametrize("shape", [(4,), (4, 6), (4, 6, 3), (4, 5, 3, 2)])
@pytest.mark.parametrize("kind", ["batch_norm", "group_norm", "instance_norm", "layer_norm", "rms_norm"])
def test_norms_train_on_rows_of_every_rank(
    kind: str, shape: Shape, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layer: Any = choose("layers", {"group_norm": 2} if kind == "group_norm" else kind)
    if takes(layer, shape):
        assert trains(tmp_path, layer.written(), shape, shape, layer, monkeypatch)
