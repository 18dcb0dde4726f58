"""What of a frozen layer is the same in every epoch, whatever kind it is, and the trunk that follows from it."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from networks import built, plan_of
from strategies import components, draws, layers_and_shapes
from torch import nn

from dlrun.components.layers import Container, Layer
from dlrun.language.kinds import find, kinds
from dlrun.network.trunk import divide
from dlrun.plan.trunk import find_trunk
from dlrun.shapes import Shape, ShapeError

KINDS = [kind for kind in kinds("layers") if not issubclass(find("layers", kind), Container)]
ROWS = 6
EXAMPLES = 2
"""Settings and shapes of each kind with which a network is divided."""


def layers_with_shapes(kind: str) -> Any:
    """Layers of a kind, each with a shape for every input."""
    inputs = 1 + len(find("layers", kind).second_inputs)
    if inputs == 1:
        return layers_and_shapes(kind, largest=6)
    shapes = st.tuples(st.integers(1, 6), st.sampled_from((4, 6, 12)))
    return st.tuples(components("layers", kind), shapes)


def inputs_of(layer: Layer, shape: Shape) -> list[torch.Tensor]:
    torch.manual_seed(2)
    count = 1 + len(layer.second_inputs)
    if (known := layer.index_count()) is not None:
        return [torch.randint(known, (ROWS, *shape)) for _ in range(count)]
    return [torch.randn(ROWS, *shape) * 4 + 1 for _ in range(count)]


def is_the_same(module: nn.Module, inputs: list[torch.Tensor]) -> bool:
    """Whether training computes what evaluation does: for each row, without drawing, and without changing a tensor."""
    before = {name: value.clone() for name, value in module.state_dict().items()}
    generator = torch.get_rng_state()
    with torch.no_grad():
        first = module.train()(*inputs)
        some = module(*(x[[4, 1, 2]] for x in inputs))
        judged = module.eval()(*inputs)
    close = [torch.allclose(first, judged, atol=1e-5), torch.allclose(some, judged[[4, 1, 2]], atol=1e-5)]
    kept = all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    return all(close) and kept and torch.equal(torch.get_rng_state(), generator)


@pytest.mark.parametrize("kind", KINDS)
def test_a_layer_says_whether_training_computes_what_evaluation_does(kind: str) -> None:
    seen: dict[bool, list[bool]] = {True: [], False: []}

    @draws(20)
    @given(layers_with_shapes(kind))
    def look(drawn: Any) -> None:
        layer, shape = drawn
        shapes = [shape] * (1 + len(layer.second_inputs))
        try:
            layer.output_shape(*shapes)
        except ShapeError:
            assume(False)
        assume(max(layer.least_rows(shape, training) for training in (True, False)) <= 3)
        torch.manual_seed(0)
        seen[layer.same_in_training()].append(is_the_same(layer.build(*shapes), inputs_of(layer, shape)))

    look()
    assert all(seen[True])
    assert not seen[False] or not all(seen[False])  # a dropout may drop nothing of so few numbers


def test_what_draws_and_what_normalizes_over_the_batch_is_not_the_same() -> None:
    def same(text: str) -> bool:
        (_, step) = plan_of(f"{{input: [4, 8], layers: [{text}]}}").steps
        assert step.layer is not None
        return step.layer.same_in_training()

    for text in ("dropout: 0.1", "alpha_dropout", "gaussian_noise: 0.1", "stochastic_depth: 0.1", "rrelu"):
        assert not same(text), text
    for text in ("{multihead_attention: {num_heads: 2, dropout: 0.1}}", "{transformer_encoder_layer: {nhead: 2}}"):
        assert not same(text), text
    assert not same("batch_norm")
    assert not same("{transformer_encoder_layer: {nhead: 2, dropout: 0, activation: rrelu}}")
    assert not same("{lstm: {hidden_size: 3, num_layers: 2, dropout: 0.1}}")
    for text in ("dropout: 0", "{transformer_encoder_layer: {nhead: 2, dropout: 0}}", "instance_norm", "layer_norm"):
        assert same(text), text


def spec(layer: Layer, shape: Shape) -> str:
    """A network of a frozen layer between two that are frozen too, and of a trained one."""
    written = layer.written()
    for setting in ("init", "bias_init", "regularizers", "constraints"):
        written[layer.kind].pop(setting, None)
    written[layer.kind] |= {"name": "looked_at"} | dict.fromkeys(layer.second_inputs, "x")
    first = "" if layer.index_count() is not None or not layer.differentiable else "{scaled_tanh: {name: before}}, "
    layers = f"{first}{written}, flatten, {{linear: {{name: behind, out_features: 3}}}}, tanh, {{linear: 2}}"
    return f"{{inputs: {{x: {list(shape)}}}, freeze: [looked_at, behind], layers: [{layers}]}}"


@pytest.mark.parametrize("kind", KINDS)
def test_the_trunk_with_the_layer_and_the_head_give_what_the_network_gives(kind: str) -> None:
    found: list[bool] = []

    @draws(30)
    @given(layers_with_shapes(kind))
    def look(drawn: Any) -> None:
        layer, shape = drawn
        if len(found) == EXAMPLES:
            return
        try:
            output = layer.output_shape(*[shape] * (1 + len(layer.second_inputs)))
        except ShapeError:
            return
        if not output:  # there is nothing to flatten
            return
        text = spec(layer, shape)
        network, plan = built(text), plan_of(text)
        trunk, index = find_trunk(plan), [step.name for step in plan.steps].index("looked_at")
        assert trunk is not None
        still = bool(plan.steps[index].buffers)
        assert (index in trunk.steps) == (layer.same_in_training() or still)
        found.append(True)
        parts = divide(network, plan)
        network.eval()
        inputs = inputs_of(layer, shape)[:1]
        with torch.no_grad():
            values = parts.trunk(*inputs)
            again = parts.head(*(inputs[place] for place in parts.inputs), *values)
        torch.testing.assert_close(again, network(*inputs), rtol=1e-5, atol=1e-6)
        assert sum(value.nbytes for value in values) <= ROWS * trunk.row_bytes

    look()
    assert found


def test_there_is_no_trunk_where_an_output_depends_on_no_trained_weight() -> None:
    layers = "{linear: {name: kept, out_features: 6}}, {linear: {name: free, out_features: 2}}"
    for outputs, is_found in (("[free]", True), ("[kept, free]", False)):
        plan = plan_of(f"{{input: [6], outputs: {outputs}, freeze: kept, layers: [{layers}]}}")
        assert (find_trunk(plan) is not None) == is_found


def test_a_layer_that_changes_the_trunk_ends_it() -> None:
    for layer in ("{dropout: 0.5}", "batch_norm", "{linear: {name: free, out_features: 6}}"):
        text = f"{{input: [6], freeze: 'kept*', layers: [{{linear: {{name: kept_1, out_features: 6}}}}, {layer}, "
        plan = plan_of(text + "{linear: {name: kept_2, out_features: 6}}, {linear: 2}]}")
        trunk = find_trunk(plan)
        assert trunk is not None and trunk.steps == {1} and trunk.kept == (1,)
