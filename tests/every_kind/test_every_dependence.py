"""What each kind of layer's output depends on, measured: a layer that a shape makes useless is refused or noted."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from strategies import components, draws

from dlrun.components.layers import Container
from dlrun.language.component import find, kinds
from dlrun.shapes import Shape, ShapeError, numel

KINDS = [kind for kind in kinds("layers") if not issubclass(find("layers", kind), Container)]
NUMBERS = [kind for kind in KINDS if find("layers", kind).accepts != "indices"]
SMALL = [shape for rank in range(1, 5) for shape in itertools.product((1, 2, 3), repeat=rank)]
ROWS = 40


@st.composite
def cases(draw: st.DrawFn, kind: str, shapes: list[Shape]) -> tuple[Any, tuple[Shape, ...]]:
    """A layer with the first of several small shapes that it takes, one for each input."""
    layer = draw(components("layers", kind))
    for _ in range(12):
        drawn = [draw(st.sampled_from(shapes)) for _ in range(1 + len(layer.second_inputs))]
        if len(drawn) == 2 and draw(st.booleans()):
            drawn[1] = (*drawn[1][:-1], drawn[0][-1])
        try:
            layer.output_shape(*drawn)
        except ShapeError:
            continue
        return layer, tuple(drawn)
    assume(False)
    raise AssertionError


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
    @draws(25)
    @given(cases(kind, SMALL))
    def holds(case: tuple[Any, tuple[Shape, ...]]) -> None:
        layer, shapes = case
        torch.manual_seed(0)
        module = layer.build(*shapes).eval()
        inputs, others = inputs_of(shapes), inputs_of(shapes, seed=3)
        before = computed(module, inputs)
        for at in range(len(inputs)):
            changed = [(others if at == index else inputs)[index] for index in range(len(inputs))]
            assert not torch.allclose(before, computed(module, changed), atol=1e-6)

    holds()


@pytest.mark.parametrize("kind", NUMBERS)
def test_a_norm_that_leaves_only_an_order_says_over_how_many_numbers_it_is(kind: str) -> None:
    @draws(15)
    @given(cases(kind, [shape for shape in SMALL if numel(shape) == 2]))
    def holds(case: tuple[Any, tuple[Shape, ...]]) -> None:
        layer, shapes = case
        assume(layer.differentiable)
        torch.manual_seed(0)
        module = layer.build(*shapes)
        both = [computed(mode, inputs_of(shapes)) for mode in (module.train(), module.eval())]
        if all(len({tuple(row) for row in outputs.flatten(1).round(decimals=1).tolist()}) <= 2 for outputs in both):
            assert layer.normalizes(*shapes) == 2

    holds()


@pytest.mark.parametrize("kind", NUMBERS)
def test_a_declared_total_is_the_sum_of_the_outputs_of_every_sample(kind: str) -> None:
    @draws(15)
    @given(cases(kind, SMALL))
    def holds(case: tuple[Any, tuple[Shape, ...]]) -> None:
        layer, shapes = case
        torch.manual_seed(0)
        module, total = layer.build(*shapes), layer.total(*shapes)
        for mode in (module.train(), module.eval()):
            sums = computed(mode, inputs_of(shapes)).flatten(1).sum(1)
            if total is not None:
                torch.testing.assert_close(sums, torch.full_like(sums, total), rtol=0, atol=1e-3)
            elif not mode.training:
                assert layer.weights(*shapes) or sums.std() > 1e-3

    holds()


IN_TIME = [kind for kind in NUMBERS if find("layers", kind).channel_axis == "last"]


@pytest.mark.parametrize("kind", IN_TIME)
def test_a_layer_that_sees_all_steps_says_how_many_it_relates(kind: str) -> None:
    @draws(15)
    @given(cases(kind, [(1, 4), (2, 4), (3, 4)]))
    def holds(case: tuple[Any, tuple[Shape, ...]]) -> None:
        layer, shapes = case
        relates = layer.sees_all or layer.window(*shapes)[0] is None
        assert layer.steps_read(*shapes) == (min(shape[0] for shape in shapes) if relates else None)

    holds()
