"""Every layer and every map of numbers, exported with free numbers of rows: to torch.export, and to ONNX.

Layers of one room are exported together, as one network, since each export takes a second.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from every_kind.test_every_padding import PADDED, T, layer_of
from every_kind.test_every_preprocess import KINDS as MAPS
from every_kind.test_every_preprocess import a_step, fitted, rows_for
from every_kind.test_every_trunk import layers_with_shapes
from hypothesis import given
from strategies import draws
from torch import fx, nn

from dlrun.components.layers import Container
from dlrun.errors import RunError
from dlrun.exported.onnx import as_onnx, runtime
from dlrun.exported.program import Program, export
from dlrun.language.component import choose
from dlrun.language.kinds import find, kinds
from dlrun.shapes import ShapeError

EVEN = {"adaptive_avg_pool3d": 1, "adaptive_max_pool1d": 2, "adaptive_max_pool2d": 2, "adaptive_max_pool3d": 2}
"""Sizes of these kinds that ONNX has."""
UNEVEN = {
    "adaptive_avg_pool3d": (3, (2, 4, 4, 4)),
    "adaptive_max_pool1d": (3, (2, 4)),
    "adaptive_max_pool2d": (3, (2, 4, 4)),
    "adaptive_max_pool3d": (3, (2, 4, 4, 4)),
}
"""Kinds that ONNX lacks where their windows are not alike, or not one, with such a size and a shape."""
LACKING_MAPS = {"quantile": "searchsorted"}
"""Maps that ONNX lacks, each with the operator that it needs."""
INDICES = torch.tensor([[1, 2, 0, 0, 0], [1, 2, 3, 4, 5], [0, 0, 1, 0, 2], [0] * 5, [0, 1, 1, 1, 1], [1] * 5])
"""Sequences of T steps, of which those with 0 are padding."""
KINDS = [kind for kind in kinds("layers") if not issubclass(find("layers", kind), Container) and kind not in UNEVEN]
ROOMS = {kind: Path(find("layers", kind).__module__.replace(".", "/")).parent.name for kind in KINDS}


def several(parts: Sequence[tuple[str, nn.Module, int]]) -> nn.Module:
    """Modules side by side, each with so many inputs of its own, as one network."""
    root, graph = nn.Module(), fx.Graph()
    inputs = [[graph.placeholder(f"{name}_x{number}") for number in range(count)] for name, _, count in parts]
    found = {}
    for (name, module, _), taken in zip(parts, inputs, strict=True):
        root.add_module(name, module)
        found[name] = graph.call_module(name, tuple(taken))
    graph.output(found)
    return fx.GraphModule(root, graph).eval()


def drawn(kind: str) -> tuple[Any, Any]:
    """A layer of a kind, and a shape of several numbers that it takes; few settings of some kinds fit a drawn shape."""
    found: list[tuple[Any, Any]] = []

    def look(pair: tuple[Any, Any]) -> None:
        layer, shape = pair
        if found or max(shape) < 2:
            return
        with contextlib.suppress(ShapeError):
            layer.output_shape(*[shape] * (1 + len(layer.second_inputs)))
            found.append(pair)

    for count in (30, 400):
        if not found:
            draws(count)(given(layers_with_shapes(kind))(look))()
    return found[0]


def holds(parts: Sequence[tuple[str, nn.Module, list[torch.Tensor]]]) -> Program:
    """Export modules together and hold both forms to them, for other numbers of rows too."""
    module = several([(name, one, len(inputs)) for name, one, inputs in parts])
    examples = {f"{name}.{number}": x[:1] for name, _, xs in parts for number, x in enumerate(xs)}
    program = export(module, examples, [name for name, _, _ in parts])
    assert all(port.sizes[0] == "N" for port in (*program.inputs, *program.outputs))
    onnx = runtime(program, as_onnx(program, {}))
    for rows in (1, 6):
        given_rows = tuple(x[:rows] for _, _, xs in parts for x in xs)
        with torch.no_grad():
            wanted, again = module(*given_rows), program.exported.module()(*given_rows)
        found = onnx(given_rows)
        for name, values in wanted.items():
            np.testing.assert_allclose(again[name].numpy(), values.numpy(), rtol=1e-5, atol=1e-5, err_msg=name)
            np.testing.assert_allclose(found[name], values.numpy(), rtol=1e-4, atol=1e-5, err_msg=name)
    return program


def some(layer: Any, shape: Any, count: int) -> list[torch.Tensor]:
    known = layer.index_count()
    if known is not None:
        return [torch.randint(known, (6, *shape)) for _ in range(count)]
    return [torch.randn(6, *shape) * 2 for _ in range(count)]


@pytest.mark.parametrize("room", sorted(set(ROOMS.values())))
def test_every_layer_of_a_room_gives_the_same_when_it_is_exported(room: str) -> None:
    torch.manual_seed(0)
    parts = []
    for kind in [kind for kind in KINDS if ROOMS[kind] == room]:
        layer, shape = drawn(kind)
        count = 1 + len(layer.second_inputs)
        parts.append((kind, layer.build(*[shape] * count), some(layer, shape, count)))
    holds(parts)


class Masked(nn.Module):
    """A layer of sequences of which the steps with the index 0 are padding."""

    def __init__(self, layer: nn.Module, memory: bool):
        super().__init__()
        self.layer, self.memory = layer, memory

    def forward(self, x: torch.Tensor, indices: torch.Tensor) -> torch.Tensor:
        mask = indices != 0
        return self.layer(x, x, mask=mask, memory_mask=mask) if self.memory else self.layer(x, mask=mask)


def test_every_layer_that_takes_padding_gives_the_same_when_it_is_exported() -> None:
    torch.manual_seed(0)
    parts = []
    for kind in PADDED:
        layers_of_it = [layer_of(kind)]
        if kind in ("lstm", "gru", "rnn"):
            layers_of_it = [layer_of(kind, bidirectional=True, num_layers=2, initial_state="learned", output="last")]
        for number, layer in enumerate(layers_of_it):
            if layer.treats_padding((T, 6)) != "masked":
                continue
            memory = ((T, 6),) if layer.second_inputs else ()
            module = Masked(layer.build((T, 6), *memory), bool(memory))
            parts.append((f"{kind}_{number}", module, [torch.randn(6, T, 6), INDICES]))
    assert len(parts) >= 8
    holds(parts)


@pytest.mark.parametrize("kind", UNEVEN)
def test_what_onnx_lacks_is_refused_by_its_name_and_torch_has_it(kind: str) -> None:
    size, shape = UNEVEN[kind]
    x = torch.randn(6, *shape)
    even = choose("layers", {kind: EVEN[kind]})
    holds([("even", even.build(shape), [x])])
    module = several([("uneven", choose("layers", {kind: size}).build(shape), 1)])
    program = export(module, {"x": x[:1]}, ["uneven"])
    torch.testing.assert_close(program.exported.module()(x), module(x))
    with pytest.raises(RunError, match=rf"it has no operator for torch's {kind.replace('1d', '2d')}\n  `--to torch`"):
        as_onnx(program, {})


def test_every_map_gives_the_same_when_it_is_exported() -> None:
    parts = []
    for kind in MAPS:
        rows = rows_for(kind)
        step, state, _ = fitted(a_step(kind), rows)
        part = (kind, step.build(state), [torch.tensor(rows[:6])])
        if kind not in LACKING_MAPS:
            parts.append(part)
            continue
        with pytest.raises(RunError, match=rf"no operator for torch's {LACKING_MAPS[kind]}"):
            holds([part])
    holds(parts)
