"""Plan -> torch.fx.GraphModule: the network as straight-line code over modules named as in the plan."""

from __future__ import annotations

import operator
from collections.abc import Collection
from typing import Any

import torch
from torch import fx, nn

from dlrun.components.layers import Merging, WeightedLayer
from dlrun.language.experiment import ModelSection
from dlrun.modules.still import keep_still
from dlrun.network.names import argument, call, keep_names, torch_path
from dlrun.network.rewrites import arrange_relus
from dlrun.plan.network import Plan, Step
from dlrun.plan.outputs import logits_of, steps_to_form, value_of
from dlrun.plan.steps import Mask
from dlrun.plan.weights import fitting_init
from dlrun.shapes import Shape

STEPS = "steps"
"""The key in what torch.fx keeps beside a node for the steps of the plan whose value it computes, by their numbers."""


def build(
    plan: Plan,
    model: ModelSection,
    with_logits: Collection[str] = (),
    with_values: Collection[int] = (),
    rewritten: bool = True,
) -> fx.GraphModule:
    """The network; its initial weights are drawn from torch's seeded generator in the order of the layers.

    It takes a batch (N, ...) for each of `plan.inputs`, in their order, and returns a batch (N, ...), or where there
    are several outputs, one for each by its name.

    Args:
        plan: its layers and their shapes.
        model: the section of the spec, for the initializers.
        with_logits: outputs of a sigmoid whose logits are returned too, under `logits_of(name)`.
        with_values: steps whose values are returned too, under `value_of(step)`, with 0 where a step is padding.
        rewritten: whether relus are where they cost least; otherwise each module gives what its layer gives.
    """
    root = nn.Module()
    graph = fx.Graph()
    values: list[fx.Node] = [argument(graph, entry.name) for entry in plan.inputs]
    for step in plan.layers:
        values.append(_emit(step, root, graph, values, model))
    for number, value in enumerate(values):
        value.meta.setdefault(STEPS, []).append(number)
    outputs = {name: values[index] for name, index in plan.outputs.items()}
    outputs |= {logits_of(name): _logits(plan, name, graph, values) for name in with_logits}
    outputs |= {value_of(step): _without_padding(plan, step, graph, values) for step in with_values}
    graph.output(outputs if len(outputs) > 1 else values[next(iter(plan.outputs.values()))])
    network = fx.GraphModule(root, graph)
    if rewritten:
        arrange_relus(network)
    keep_names(network, plan)
    held = network.state_dict(keep_vars=True)
    for name, _, _ in plan.weights():
        held[name].requires_grad_(name not in plan.frozen)
    for step in plan.layers:
        if plan.is_still(step):
            keep_still(network.get_submodule(torch_path(step.name)))
    return network


def _logits(plan: Plan, output: str, graph: fx.Graph, values: list[fx.Node]) -> fx.Node:
    """The values whose sigmoid an output is: those before the sigmoid, in the output's shape."""
    *behind, sigmoid = steps_to_form(plan, output)
    slope = sigmoid.layer.logit_slope if sigmoid.layer else None
    node = values[sigmoid.inputs[0]]
    if slope != 1:
        node = graph.call_function(operator.mul, (node, slope))
    for step in reversed(behind):  # layers that only change the shape
        node = call(graph, torch_path(step.name), (node,))
    return node


def _without_padding(plan: Plan, step: int, graph: fx.Graph, values: list[fx.Node]) -> fx.Node:
    """The value of a step; where it is a sequence with padding, with 0 in place of the padding."""
    mask = plan.masks.get(step)
    if mask is None:
        return values[step]
    length, *others = plan.steps[step].output
    real = graph.call_method("reshape", (_mask(graph, values, mask), (-1, length, *(1 for _ in others))))
    return graph.call_function(operator.mul, (values[step], real))


def _emit(step: Step, root: nn.Module, graph: fx.Graph, values: list[fx.Node], model: ModelSection) -> fx.Node:
    inputs = [values[index] for index in step.inputs]
    layer = step.layer
    assert layer is not None
    if isinstance(layer, Merging):
        return layer.emit(graph, inputs, list(step.input_shapes))
    if not step.shared:
        module = layer.build(*step.input_shapes)
        _initialize(module, step, model)
        for own, other in step.tied.items():
            source, _, weight = other.rpartition(".")
            module.register_parameter(own, root.get_parameter(f"{torch_path(source)}.{weight}"))
        place_module(root, torch_path(step.name), module)
    pairs = zip(("mask", "memory_mask"), step.masks, strict=False)
    masks: dict[str, Any] = {name: _mask(graph, values, mask) for name, mask in pairs if mask is not None}
    return call(graph, torch_path(step.name), tuple(inputs), masks)


def _mask(graph: fx.Graph, values: list[fx.Node], mask: Mask) -> fx.Node:
    """(N, T), True where a step is not padding; one node for all layers that use the mask."""
    source = values[mask.indices]
    for user in source.users:
        if user.op == "call_function" and user.target is torch.ne and user.args[1] == mask.padding:
            return user
    return graph.call_function(torch.ne, (source, mask.padding))


def place_module(root: nn.Module, name: str, module: nn.Module) -> None:
    """Put a module below `root` under a name with dots, creating the modules in between."""
    *groups, last = name.split(".")
    parent = root
    for group in groups:
        if not hasattr(parent, group):
            parent.add_module(group, nn.Module())
        parent = parent.get_submodule(group)
    parent.add_module(last, module)


def _initialize(module: nn.Module, step: Step, model: ModelSection) -> None:
    layer = step.layer
    assert layer is not None
    for name, parameter in module.named_parameters():
        role = layer.role(name)
        if role == "scale":
            continue
        setting = "init" if role == "weight" else "bias_init"
        own = getattr(layer, setting) if isinstance(layer, WeightedLayer) else None
        chosen = own or _common_init(getattr(model, setting), step, name, tuple(parameter.shape))
        if chosen is not None:
            with torch.no_grad():
                chosen.fill(parameter)
                if (padding := layer.padding_index()) is not None:
                    parameter[padding] = 0


def _common_init(common: Any, step: Step, weight: str, shape: Shape) -> Any:
    """What `model.init` or `model.bias_init` fills a weight with; None where it does not suit."""
    if isinstance(common, dict):
        key = fitting_init(step, weight, shape, common)
        return None if key is None else common[key]
    return common if common is not None and common.suits(shape) else None
