"""Whether every loss and every metric can be computed from what the network gives and the data has."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from dlrun.checks.reading import Reading
from dlrun.components.augment import Mixing
from dlrun.components.layers import EVERY, Container, WeightedLayer
from dlrun.components.losses._compared import need_same_shape
from dlrun.components.metrics import Metric
from dlrun.errors import Problem, SpecPath
from dlrun.language.experiment import as_tuple
from dlrun.language.labels import in_spec
from dlrun.language.target_kind import IN_WORDS, at_one_position
from dlrun.plan.answers import answer_shape
from dlrun.plan.data_info import DataInfo
from dlrun.plan.losses import Term, term
from dlrun.plan.metrics import watched
from dlrun.plan.network import Plan
from dlrun.plan.outputs import ObjectiveError, called, output_form
from dlrun.plan.ranges import in_words, limiting, output_ranges
from dlrun.plan.steps import Step
from dlrun.shapes import Range, ShapeError, show

UNREACHED = 0.1
"""A loss of probabilities needs some above 1 minus this; a binary one also some below this."""


def check_objective(reading: Reading, planned: Plan) -> Iterator[Problem]:
    """Hold every loss and every metric to an output and a target that it can compare."""
    data_info, losses = reading.data.info, as_tuple(reading.sections.get("loss"))
    if data_info is None or not losses:
        return
    listed = isinstance(reading.sections["loss"], tuple)
    terms: list[Term] = []
    ranges = output_ranges(planned)
    for index, loss in enumerate(losses):
        path = ("loss", index) if listed else ("loss",)
        try:
            terms.append(found := term(loss, planned, data_info))
        except ObjectiveError as error:
            yield reading.problem(error.message, (*path, loss.kind, *error.at) if error.at else path, error.hint)
        else:
            yield from _check_loss(reading, planned, ranges, found, path)
    if len(terms) < len(losses):
        return
    judged = {found.output for found in terms} | {name for found in terms for name in found.loss.further.values()}
    judged |= {found.answer.name for found in terms if found.answer.origin == "output"}
    for output, step in planned.outputs.items():
        if output not in judged:
            place = planned.steps[step].place
            hint = f"write `loss: [mse: {{output: {output}}}]`, or remove it from `model.outputs`"
            yield Problem(f"the output '{output}' has no loss", place, hint)
    names = [found.name for found in terms] if len(terms) > 1 else []
    seen: set[str] = set()
    for index, name in enumerate(names):
        if name in seen:
            yield reading.problem(
                f"{name} is listed twice", ("loss", index), "each value in the journal needs its own name"
            )
        seen.add(name)
    yield from _check_mixing(reading, planned, terms)
    yield from _check_metrics(reading, planned, data_info, terms, set(names))


def _check_mixing(reading: Reading, planned: Plan, terms: list[Term]) -> Iterator[Problem]:
    """Hold the outputs that are compared with one target to as many classes, where an augmentation mixes targets: it
    makes one list of probabilities of each."""
    data = reading.sections.get("data")
    mixing = [index for index, step in enumerate(data.augment if data else ()) if isinstance(step, Mixing)]
    sizes: dict[str, int] = {}
    for found in terms:
        if not mixing or not found.answer.of_data or found.wants != "classes":
            continue
        kind = data.augment[mixing[0]].kind if data else ""
        if not found.loss.predicts:
            message = f"{kind} mixes classes, and {found.loss.kind} compares rows by theirs"
            yield reading.problem(message, ("data", "augment", mixing[0]), "remove the augmentation")
            continue
        if found.positions:
            message = f"{kind} mixes one class a row, and '{found.answer.name}' has {show(found.positions)} in each"
            yield reading.problem(message, ("data", "augment", mixing[0]), "remove the augmentation")
            continue
        size = planned.output_shape(found.output)[0]
        if sizes.setdefault(found.answer.name, size) != size:
            message = (
                f"{kind} makes probabilities of the classes of '{found.answer.name}', and outputs that are compared "
                f"with it have {sizes[found.answer.name]} and {size}"
            )
            yield reading.problem(message, ("data", "augment", mixing[0]), "end each of them in `- linear: $classes`")


def _check_loss(reading: Reading, planned: Plan, ranges: list[Range], found: Term, path: SpecPath) -> Iterator[Problem]:
    answer, data_info = found.answer, reading.data.info
    assert data_info is not None
    target = data_info.targets[answer.name] if answer.of_data else None
    labels = target.labels if target else None
    shape = answer_shape(answer, found.output, planned, data_info)
    output = planned.output_shape(found.output)
    try:
        if found.wants == "probabilities":
            found.loss.check(output, (), None, found.output_form)
            need_same_shape(output, shape)
        else:
            found.loss.check(output, shape, len(labels) if labels is not None else None, found.output_form)
    except ShapeError as error:
        last = planned.steps[planned.outputs[found.output]]
        notes = ((f"the network's output {show(output)} comes from here", last.place),) if last.place else ()
        hint = error.hint
        if answer.origin == "input" and len(planned.inputs) == len(shape) == 1:
            hint = "end in `- linear: $features`"  # a number would not follow what fitting decides
        yield Problem(error.message, reading.place(path), hint, notes)
    else:
        yield from _check_range(reading, planned, ranges, found, path)
        yield from _check_random(planned, planned.outputs[found.output])
        yield from _check_others(reading, planned, ranges, found, path)


def _check_others(
    reading: Reading, planned: Plan, ranges: list[Range], found: Term, path: SpecPath
) -> Iterator[Problem]:
    """Refuse another output, or a number, for which a loss is not defined; the values of the data are looked at when
    they are loaded."""
    loss, answer, least = found.loss, found.answer, found.loss.lowest_target
    for setting, name in loss.further.items():
        if ranges[planned.outputs[name]][0] < 0:
            message = f"{loss.kind} needs a {setting} that is never below 0, and the output '{name}' can be"
            yield reading.problem(message, (*path, loss.kind, setting), f"end '{name}' in `- softplus`")
    path = (*path, loss.kind, "target")
    if answer.origin == "output":
        if loss.target_sum is not None and output_form(planned, answer.name) != "distribution":
            message = f"{loss.kind} compares with probabilities, and the output '{answer.name}' ends in no softmax"
            yield reading.problem(message, path, f"end '{answer.name}' in `- softmax`")
        elif least is not None and ranges[planned.outputs[answer.name]][0] < least:
            message = f"{loss.kind} needs targets of {least:g} or more, and the output '{answer.name}' can be less"
            yield reading.problem(message, path, f"end '{answer.name}' in `- softplus`")
    elif answer.origin == "number":
        if loss.target_sum is not None:
            message = f"{loss.kind} compares with the probabilities of classes, and a number is none"
            yield reading.problem(message, path, "name an output that ends in a softmax")
        elif least is not None and answer.number < least:
            message = f"{loss.kind} needs targets of {least:g} or more; received {answer.number:g}"
            yield reading.problem(message, path)


def _check_range(
    reading: Reading, planned: Plan, ranges: list[Range], found: Term, path: SpecPath
) -> Iterator[Problem]:
    """Refuse outputs that cannot come near a probability of 0 or 1, and note those that are limited."""
    index = planned.outputs[found.output]
    last, taken = limiting(planned, ranges, index), ranges[index]
    notes = ((f"this {last.kind}", last.place),) if last.place else ()
    if last.layer is None or not last.layer.differentiable:  # gradients.py has an error for it
        return
    output = planned.output_shape(found.output)
    if found.positions:
        output = at_one_position(output, found.positions) or output
    reached = found.loss.probabilities(output, taken, found.output_form)
    if reached is not None and (reached[0] > UNREACHED or reached[1] < 1 - UNREACHED):
        message = (
            f"the network ends in {last.kind}, whose outputs {in_words(taken)}: {found.loss.kind} gets "
            f"probabilities from {reached[0]:.2g} to {reached[1]:.2g} of them"
        )
        yield Problem(message, reading.place(path), unlimited(last), notes)
    elif reached is not None and not found.output_form and taken != EVERY:
        message = (
            f"the network ends in {last.kind}, whose outputs {in_words(taken)}, and {found.loss.kind} takes logits"
        )
        hint = f"{unlimited(last)}: logits are any numbers"
        yield Problem(message, reading.place(path), hint, notes, note="limited_logits")


def unlimited(last: Step) -> str:
    """The way out where a step limits an output: a layer that learns stays, and one that does not is left out."""
    if isinstance(last.layer, WeightedLayer):
        return f"write `- linear: {last.output[-1] if last.output else 1}` after the final `{last.kind}`"
    return f"remove the final `{last.kind}`"


def _check_random(planned: Plan, index: int) -> Iterator[Problem]:
    """Note an output that a dropout or a noise makes random in training."""
    random = planned.steps[index]
    while random.layer is not None and not isinstance(random.layer, Container) and random.layer.accepts == "any":
        random = planned.steps[random.inputs[0]]
    if random.layer is not None and random.layer.room == "dropout":
        message = f"the network ends in {random.kind}, so its outputs are random in training"
        hint = f"put `{random.kind}` before the last layer with weights"
        yield Problem(message, random.place, hint, note="random_output")


def _check_metrics(
    reading: Reading, planned: Plan, data_info: DataInfo, terms: list[Term], seen: set[str]
) -> Iterator[Problem]:
    for index, metric in enumerate(reading.sections.get("metrics", ())):
        assert isinstance(metric, Metric)
        path = ("metrics", index)
        try:
            found = watched(metric, planned, terms, data_info)
        except ObjectiveError as error:
            yield reading.problem(error.message, (*path, metric.kind, *error.at) if error.at else path, error.hint)
            continue
        loss = next(item.loss for item in terms if item.output == found.output)
        if not loss.predicts:
            message = f"the outputs for {loss.kind} are no predictions, so {metric.kind} cannot measure them"
            yield reading.problem(message, path, "remove the metric, or watch the loss alone")
            continue
        if loss.wants not in metric.suits:
            hint = f"metrics for {' or '.join(sorted(metric.suits))}"
            yield reading.problem(
                f"{metric.kind} does not fit the loss {loss.kind}, whose target is {IN_WORDS[loss.wants]}",
                path,
                f"{metric.kind} is one of the {hint}",
            )
            continue
        try:
            metric.check(found.shape, loss.wants)
        except ShapeError as error:
            yield reading.problem(error.message, path, error.hint)
        target = data_info.targets[found.answer.name] if found.answer.of_data else None
        labels = target.labels if target else None
        over_all = metric.needs_every_class and found.of is None and loss.wants == "classes"
        if over_all and labels is not None and len(labels) < found.shape[0]:
            message = f"{metric.kind} is over the {found.shape[0]} outputs, and the data has {len(labels)} classes"
            hint = f"end in `- linear: $classes`, or name one class: `{metric.kind}: {{of: {in_spec(labels[0])}}}`"
            yield reading.problem(message, path, hint)
        if target is not None and labels is not None and target.ignored is not None:
            ignored = labels[target.ignored]
            if over_all or found.label == ignored:
                about = "about" if found.label else "over all classes, also"
                message = f"{metric.kind} is {about} '{ignored}', whose positions do not count"
                other = next((label for label in labels if label != ignored), ignored)
                yield reading.problem(message, path, f"name another class: `{metric.kind}: {{of: {in_spec(other)}}}`")
        if found.name in seen:
            yield reading.problem(f"{found.name} is listed twice", path, "each value in the journal needs its own name")
        seen.add(found.name)


def value_names(reading: Reading, planned: Plan) -> dict[str, bool]:
    """The names of a split's metrics, and of its losses where there are several, and whether more, or less, of a value
    is better."""
    losses, data_info = as_tuple(reading.sections.get("loss")), reading.data.info
    names = {called(loss, loss.output or "", planned): True for loss in losses} if len(losses) > 1 else {}
    if data_info is None:
        return names
    with contextlib.suppress(ObjectiveError):  # reported by check_objective, as that of a metric is
        terms = [term(loss, planned, data_info) for loss in losses]
        for metric in reading.sections.get("metrics", ()):
            with contextlib.suppress(ObjectiveError):
                found = watched(metric, planned, terms, data_info)
                names |= dict.fromkeys(found.names, metric.greater_is_better is not None)
    return names
