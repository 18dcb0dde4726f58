"""The range of its outputs that each kind of layer declares, held against torch's numbers."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from strategies import draws, layers_and_shapes, takes

from dlrun.components.layers import EVERY, BranchMerge, Container, Range
from dlrun.components.layers.wiring.residual import Residual
from dlrun.components.losses import Loss
from dlrun.language.component import choose
from dlrun.language.kinds import find, kinds
from dlrun.plan.ranges import range_after
from dlrun.shapes import Shape

KINDS = [kind for kind in kinds("layers") if not issubclass(find("layers", kind), Container)]
ALONE = [kind for kind in KINDS if not find("layers", kind).second_inputs and find("layers", kind).accepts != "indices"]
MERGES = [kind for kind in kinds("layers") if issubclass(find("layers", kind), BranchMerge)]
TAKEN: list[Range] = [EVERY, (0.0, 1.0), (-1.0, 1.0), (0.0, math.inf), (-math.inf, 0.0), (2.0, 3.0), (-3.0, -2.0)]
FAR = 100.0
"""Numbers up to here stand for all numbers."""


def numbers(taken: Range, rows: int, shape: Shape) -> torch.Tensor:
    """Numbers all over a range: many near the ends, many near 0, and the ends themselves."""
    low, high = max(taken[0], -FAR), min(taken[1], FAR)
    wide = torch.linspace(low, high, 200)
    near = torch.linspace(max(low, -5.0), min(high, 5.0), 400) if low < 5 and high > -5 else wide
    pool = torch.cat((wide, near))
    return pool[torch.randint(len(pool), (rows, *shape))]


@pytest.mark.parametrize("kind", ALONE)
def test_outputs_lie_in_the_declared_range(kind: str) -> None:
    @draws(40)
    @given(layers_and_shapes(kind), st.sampled_from(TAKEN))
    def holds(pair: tuple[Any, Shape], taken: Range) -> None:
        layer, shape = pair
        assume(takes(layer, shape))
        low, high = range_after(layer, [taken], [shape])
        assert low <= high
        module = layer.build(shape)
        for mode in (module.train(), module.eval()):
            with torch.no_grad():
                outputs = mode(numbers(taken, 8, shape)).double()
            margin = 1e-5 * max(1.0, *(abs(end) for end in (low, high) if math.isfinite(end)), FAR / 100)
            assert outputs.min() >= low - margin
            assert outputs.max() <= high + margin

    holds()


POINTWISE = [kind for kind in ALONE if find("layers", kind).room == "activations" and kind not in ("maxout", "prelu")]


@pytest.mark.parametrize("kind", POINTWISE)
def test_an_activation_comes_near_the_ends_of_its_range(kind: str) -> None:
    @draws(20)
    @given(layers_and_shapes(kind))
    def holds(pair: tuple[Any, Shape]) -> None:
        layer, shape = pair
        assume(takes(layer, shape))
        bounds = [abs(getattr(layer, name)) for name in type(layer).model_fields if _is_number(getattr(layer, name))]
        assume(all(0.05 < bound < 20 for bound in bounds if bound))  # so that FAR is far
        low, high = layer.output_range(EVERY)
        with torch.no_grad():
            outputs = layer.build(shape).train()(numbers(EVERY, 600, shape)).double()
        assert outputs.min() <= (low + 0.1 * max(1, abs(low)) if math.isfinite(low) else 0)
        assert outputs.max() >= (high - 0.1 * max(1, abs(high)) if math.isfinite(high) else 0)

    holds()


def _is_number(value: Any) -> bool:
    return isinstance(value, float)


@pytest.mark.parametrize("kind", MERGES)
@pytest.mark.parametrize("one", TAKEN)
@pytest.mark.parametrize("other", TAKEN)
def test_a_merge_combines_ranges(kind: str, one: Range, other: Range) -> None:
    layer = choose("layers", {kind: ((), ())})
    assert isinstance(layer, BranchMerge)
    graph = torch.fx.Graph()
    graph.output(layer.emit(graph, [graph.placeholder("a"), graph.placeholder("b")], [(3,), (3,)]))
    merge = torch.fx.GraphModule(torch.nn.Module(), graph)
    torch.manual_seed(0)
    low, high = layer.merged_range([one, other])
    outputs = merge(numbers(one, 5000, (3,)), numbers(other, 5000, (3,)))
    assert outputs.min() >= low - 1e-4
    assert outputs.max() <= high + 1e-4
    assert outputs.min() <= (low + 0.3 if math.isfinite(low) else 0)
    assert outputs.max() >= (high - 0.3 if math.isfinite(high) else 0)


def test_a_residual_adds_its_ranges() -> None:
    layer = choose("layers", {"residual": ("relu",)})
    assert isinstance(layer, Residual)
    assert layer.merged_range([(0.0, math.inf), (-1.0, 2.0)]) == (-1.0, math.inf)


@pytest.mark.parametrize("kind", ["binary_cross_entropy", "binary_focal", "cross_entropy", "focal"])
@pytest.mark.parametrize("taken", TAKEN)
def test_the_probabilities_of_a_range_are_those_of_its_ends(kind: str, taken: Range) -> None:
    loss = choose("losses", kind)
    assert isinstance(loss, Loss)
    count = 1 if loss.wants == "binary" else 3
    reached = loss.probabilities((count,), taken, "")
    assert reached is not None
    low, high = max(taken[0], -30.0), min(taken[1], 30.0)
    ends = torch.cartesian_prod(*[torch.tensor([low, high], dtype=torch.float64)] * count).reshape(-1, count)
    found = ends.sigmoid() if loss.wants == "binary" else ends.softmax(1)
    assert reached == pytest.approx((found.min().item(), found.max().item()), abs=1e-9)
