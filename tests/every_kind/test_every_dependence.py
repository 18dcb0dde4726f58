"""What each kind of layer's output depends on, measured: a layer that a shape makes useless is refused or noted."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest
import torch

from dlrun.checks.reading import read
from dlrun.components.layers import Container, Layer
from dlrun.language.kinds import find, kinds
from dlrun.language.text.document import parse_text
from dlrun.shapes import Shape, ShapeError, numel

KINDS = [kind for kind in kinds("layers") if not issubclass(find("layers", kind), Container)]
NUMBERS = [kind for kind in KINDS if find("layers", kind).accepts != "indices"]
SMALL = [shape for rank in range(1, 5) for shape in itertools.product((1, 2, 8), repeat=rank)]
ROWS = 16


def variants(kind: str) -> list[Layer]:
    """The layer of the kind's example, and the same with each of its switches the other way."""
    text = next(line for line in (find("layers", kind).__doc__ or "").splitlines() if "Example: " in line)
    spec = parse_text(f"model: {{layers: [{text.partition('Example: ')[2]}]}}", "spec.yaml")
    (layer,) = read(spec).sections["model"].layers
    assert isinstance(layer, Layer)
    switches = [name for name in type(layer).model_fields if isinstance(getattr(layer, name), bool)]
    return [layer, *(layer.model_copy(update={name: not getattr(layer, name)}) for name in switches)]


def cases(kind: str, shapes: list[Shape] = SMALL) -> Iterator[tuple[Layer, tuple[Shape, ...]]]:
    """Each variant with each of these shapes that it takes, one for each input."""
    for layer in variants(kind):
        for shape in shapes:
            others = [other for other in shapes if other[-1] == shape[-1]] if layer.second_inputs else [()]
            for other in others:
                taken = (shape, other) if layer.second_inputs else (shape,)
                try:
                    layer.output_shape(*taken)
                except ShapeError:
                    continue
                yield layer, taken


def inputs_of(shapes: tuple[Shape, ...], spread: float = 10.0, seed: int = 2) -> list[torch.Tensor]:
    torch.manual_seed(seed)
    return [torch.randn(ROWS, *shape) * spread for shape in shapes]


def computed(module: torch.nn.Module, inputs: list[torch.Tensor]) -> torch.Tensor:
    """The outputs, with the same random numbers in the layer each time."""
    torch.manual_seed(1)
    with torch.no_grad():
        return module(*inputs).double()


@pytest.mark.parametrize("kind", NUMBERS)
def test_the_output_depends_on_every_input(kind: str) -> None:
    for layer, shapes in cases(kind):
        torch.manual_seed(0)
        module = layer.build(*shapes).eval()
        inputs, others = inputs_of(shapes), inputs_of(shapes, seed=3)
        before = computed(module, inputs)
        for at in range(len(inputs)):
            changed = [(others if at == index else inputs)[index] for index in range(len(inputs))]
            assert not torch.allclose(before, computed(module, changed), atol=1e-6)


@pytest.mark.parametrize("kind", NUMBERS)
def test_a_norm_that_leaves_only_an_order_says_over_how_many_numbers_it_is(kind: str) -> None:
    for layer, shapes in cases(kind, [shape for shape in SMALL if numel(shape) == 2]):
        if not layer.differentiable:
            continue
        torch.manual_seed(0)
        module = layer.build(*shapes)
        both = [computed(mode, inputs_of(shapes)) for mode in (module.train(), module.eval())]
        if all(
            len({tuple(row) for row in outputs.reshape(ROWS, -1).round(decimals=1).tolist()}) <= 2 for outputs in both
        ):
            assert layer.normalizes(*shapes) == 2


@pytest.mark.parametrize("kind", NUMBERS)
def test_a_declared_total_is_the_sum_of_the_outputs_of_every_sample(kind: str) -> None:
    for layer, shapes in cases(kind):
        torch.manual_seed(0)
        module, total = layer.build(*shapes), layer.total(*shapes)
        for mode in (module.train(), module.eval()):
            sums = computed(mode, inputs_of(shapes)).reshape(ROWS, -1).sum(1)
            if total is not None:
                torch.testing.assert_close(sums, torch.full_like(sums, total), rtol=0, atol=1e-3)
            elif not mode.training:
                assert layer.weights(*shapes) or sums.std() > 1e-3


IN_TIME = [kind for kind in NUMBERS if find("layers", kind).channel_axis == "last"]


@pytest.mark.parametrize("kind", IN_TIME)
def test_a_layer_that_sees_all_steps_says_how_many_it_relates(kind: str) -> None:
    for layer, shapes in cases(kind, [(1, 4), (2, 4), (3, 4)]):
        relates = layer.sees_all or layer.window(*shapes)[0] is None
        read_together = layer.steps_read(*shapes)
        assert read_together in {shape[0] for shape in shapes} if relates else read_together is None
