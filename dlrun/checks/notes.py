"""The notes of a planned network: what can be meant but rarely is, found without the values of the data."""

from __future__ import annotations

import math
from collections.abc import Iterator

from dlrun.checks.reading import Reading
from dlrun.components.augment import InputAugmentation, RowAugmentation
from dlrun.components.layers import Container
from dlrun.errors import Problem
from dlrun.language.experiment import TARGET, TrainSection
from dlrun.plan.data_info import Target
from dlrun.plan.inputs import scrambled
from dlrun.plan.length import Length
from dlrun.plan.network import Plan
from dlrun.plan.split_sizes import SplitSizes
from dlrun.plan.steps import Step
from dlrun.shapes import show

FEW = 4
"""An image has at most this many channels: grey or colours, each with or without transparency."""
UNEQUAL = 0.8
"""The share of the most frequent class from which on accuracy says little."""


def check_planned_notes(
    reading: Reading, planned: Plan, train: TrainSection, sizes: SplitSizes | None
) -> Iterator[Problem]:
    """All notes that follow from the plan and the description of the data."""
    yield from _axis_order(planned)
    yield from _axis_order_of_images(reading, planned)
    yield from _too_few(planned)
    yield from _unequal_classes(reading, planned)
    batch = train.batch_size if "batch_size" in train.model_fields_set else 1
    if sizes is not None and batch != "full" and batch > sizes.train >= 1:
        message = f"a batch of {batch} rows is larger than the {sizes.train} training rows"
        hint = "`batch_size: full` is all training rows at once"
        yield reading.note("large_batch", message, ("train", "batch_size"), hint)
    elif sizes is not None and sizes.train >= 1 and train.batch_size != "full":
        length = Length.of(train, sizes.train)
        batches = math.ceil(length.rows / length.batch)
        if train.accumulate > batches:
            message = f"a step of {train.accumulate} batches is larger than an epoch, which has {batches}"
            hint = f"`accumulate: {batches}` moves the weights once an epoch"
            yield reading.note("large_batch", message, ("train", "accumulate"), hint)


def _axis_order(planned: Plan) -> Iterator[Problem]:
    """Layers that take the first axis for the channels, where the last one has them."""
    last = channels_last(planned)
    for step in planned.layers:
        if step.layer is not None and step.layer.channel_axis == "first" and (order := last.get(step.inputs[0])):
            shape = step.input_shapes[0]
            message = f"{step.kind} takes the first axis of {show(shape)} for the channels; the last axis has {order}"
            axes = [len(shape) - 1, *range(len(shape) - 1)]
            yield Problem(message, step.place, f"write `- permute: {axes}` before it", note="axis_order")
        elif step.kind == "reshape" and (order := scrambled(step.input_shapes[0], step.output)):
            message = f"reshape gives {show(step.input_shapes[0])} the shape {show(step.output)}, and mixes its axes"
            hint = f"write `- permute: {list(order)}` before it, or in place of it"
            yield Problem(message, step.place, hint, note="axis_order")
    first = _channels_first(planned)
    for step in planned.layers:
        if step.layer is not None and step.layer.channel_axis == "last" and step.inputs[0] in first:
            shape, made = step.input_shapes[0], first[step.inputs[0]]
            message = f"{step.kind} takes the last axis of {show(shape)} for the features; {made} has them on the first"
            yield Problem(message, step.place, "write `- permute: [1, 0]` before it", note="axis_order")


def _channels_first(planned: Plan) -> dict[int, str]:
    """For each value whose first axis holds the channels that a layer made: the kind of this layer."""
    found: dict[int, str] = {}
    for index, step in enumerate(planned.steps):
        if step.layer is None or isinstance(step.layer, Container) or not step.output:
            continue
        if step.layer.channel_axis == "first" and len(step.output) > 1 and step.weights:
            found[index] = step.kind
        elif step.inputs[0] in found and len(step.output) > 1 and _keeps_first_axis(step):
            found[index] = found[step.inputs[0]]
    return found


def _keeps_first_axis(step: Step) -> bool:
    layer = step.layer
    assert layer is not None
    if layer.channel_axis == "last" or (step.weights and layer.room != "normalization"):
        return False
    seen = layer.window(*step.input_shapes)[0]
    return step.output == step.input_shapes[0] or (
        step.output[0] == step.input_shapes[0][0] and seen is not None and seen.axis in (None, 0)
    )


def _too_few(planned: Plan) -> Iterator[Problem]:
    """Norms over two numbers, and layers that relate the steps of a sequence that has a single one."""
    for step in planned.layers:
        if step.layer is None or isinstance(step.layer, Container):
            continue
        if step.layer.normalizes(*step.input_shapes) == 2:
            message = f"{step.kind} over two numbers gives 1 and -1: only which one is larger is left of them"
            yield Problem(message, step.place, "normalize more numbers together, or remove it", note="norm_of_two")
        if step.layer.steps_read(*step.input_shapes) == 1:
            shape = next(shape for shape in reversed(step.input_shapes) if shape[0] == 1)
            message = f"{step.kind} gets a sequence of a single step, {show(shape)}, so it relates no steps"
            hint = "put time on the first axis, (time, features); a row of features needs no such layer"
            yield Problem(message, step.place, hint, note="one_step")


def _axis_order_of_images(reading: Reading, planned: Plan) -> Iterator[Problem]:
    """Note the augmentations of images whose last axis has the channels."""
    data, last = reading.sections.get("data"), channels_last(planned)
    names = list(planned.input_shapes)
    for index, step in enumerate(data.augment if data else ()):
        assert isinstance(step, RowAugmentation)
        name = (isinstance(step, InputAugmentation) and step.input) or names[0]
        if step.of_images and name in names and (order := last.get(names.index(name))):
            shape = planned.input_shapes[name]
            message = f"{step.kind} takes the first axis of {show(shape)} for the channels; the last axis has {order}"
            hint = "save the images with the channels first, `x.transpose(0, 3, 1, 2)`"
            yield reading.note("axis_order", message, ("data", "augment", index), hint)


def channels_last(planned: Plan) -> dict[int, str]:
    """For each value whose last axis holds the channels: what that axis has.

    A layer declares where it gives features (`channel_axis`). For an input its shape decides: (height, width, 1 to 4),
    or more steps than features.
    """
    found: dict[int, str] = {}
    for index, step in enumerate(planned.steps):
        if order := _order_of(step) if step.layer is None else _order_after(step, found):
            found[index] = order
    return found


def _order_of(entry: Step) -> str:
    shape = entry.output
    if entry.indices or len(shape) < 2:
        return ""
    *others, last = shape
    if len(shape) in (3, 4) and last <= FEW < min(others):
        return f"{last} channel{'s' * (last > 1)}"
    if len(shape) == 2 and last < others[0]:
        return f"{last} feature{'s' * (last > 1)}, and the first {others[0]} steps"
    return ""


def _order_after(step: Step, found: dict[int, str]) -> str:
    layer = step.layer
    assert layer is not None
    if layer.channel_axis == "last" and len(step.output) == 2:
        return f"the features of {step.kind}"
    kept = step.output == step.input_shapes[0] and not layer.channel_axis and layer.room != "reshaping"
    return found.get(step.inputs[0], "") if kept else ""


def _unequal_classes(reading: Reading, planned: Plan) -> Iterator[Problem]:
    """Accuracy alone, where always answering one class would be right nearly as often."""
    data_info, metrics = reading.data.info, reading.sections.get("metrics", ())
    if data_info is None:
        return
    for index, metric in enumerate(metrics):
        if any(other.kind != "accuracy" for other in metrics if other.output == metric.output):
            continue
        name = metric.output if metric.output in data_info.targets else TARGET
        target = data_info.targets.get(name)
        if target is not None and (most := _most_frequent(target)):
            label, share = most
            message = f"{share:.0%} of the rows are '{label}', so an accuracy of {share:.0%} needs no network"
            hint = "add a metric of each class, such as `f1` or `roc_auc`"
            yield reading.note("unequal_classes", message, ("metrics", index), hint)


def _most_frequent(target: Target) -> tuple[str, float] | None:
    """The most frequent class and its share, if that is large."""
    if target.labels is None or target.counts is None:
        return None
    count = max(target.counts)
    share = count / sum(target.counts)
    return (target.labels[target.counts.index(count)], share) if share >= UNEQUAL else None
