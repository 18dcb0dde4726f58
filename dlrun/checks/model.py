"""Whether the network has the weights that the spec wants to freeze, penalize or initialize."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations

from dlrun.checks.reading import Reading
from dlrun.components.constraints import Constraint
from dlrun.components.initializers import Initializer
from dlrun.components.layers import WeightedLayer
from dlrun.components.regularizers import PredictionRegularizer, WeightRegularizer
from dlrun.errors import Problem
from dlrun.language.component import Component
from dlrun.language.experiment import ModelSection, as_tuple
from dlrun.language.kinds import synonyms
from dlrun.language.suggestions import did_you_mean
from dlrun.plan.length import Length
from dlrun.plan.losses import predicted, term
from dlrun.plan.names import around, is_named, matches
from dlrun.plan.network import Plan
from dlrun.plan.outputs import ObjectiveError
from dlrun.plan.weights import acting, fitting_init, is_meant, penalized_values
from dlrun.shapes import show


def check_freeze(reading: Reading, planned: Plan) -> Iterator[Problem]:
    """Hold each pattern to a weight or a statistic, and the network to one that is trained where there is data."""
    model: ModelSection = reading.sections["model"]
    names = [name for name, _, _ in planned.weights()]
    layers = [layer for step in planned.steps if step.weights for layer in around(step.name)]
    for index, pattern in enumerate(model.frozen):
        if not any(matches(name, pattern) for name in (*names, *planned.frozen, *planned.late)):
            message = f"no weight matches '{pattern}'{did_you_mean(pattern, layers, {})}"
            hint = "`dlrun params` shows the names; `*` matches anything"
            path = ("freeze", index) if model.frozen_until is None else ("freeze", "names", index)
            yield reading.problem(message, ("model", *path), hint)
    if planned.at_first().trainable == 0 and "data" in reading.written:
        what = "every weight is frozen" if names else "no layer has weights"
        what += " at first" if planned.late else ""
        path = ("model", "freeze" if names else "layers")
        yield reading.problem(f"{what}, so there is nothing to train", path, at_key=True)


def check_unfreezing(reading: Reading, planned: Plan, length: Length) -> Iterator[Problem]:
    """Hold the moment at which frozen weights begin to move to the length of the training."""
    until = reading.sections["model"].frozen_until
    if until is None:
        return
    step, path = until.in_steps(length.per_epoch), ("model", "freeze", "until")
    if step < 1:
        yield reading.problem(f"{until} are less than one step, so nothing is frozen", path, "freeze for a whole step")
    if step >= length.steps:
        message = f"the training ends after {length.steps} steps, and these weights would be trained after {step}"
        yield reading.problem(message, path, "train longer, or write the names alone to keep the weights as they are")


def check_acting(reading: Reading, planned: Plan, setting: str) -> Iterator[Problem]:
    """Hold each component that acts on weights, such as a regularizer, to a weight that it acts on.

    One of the section needs a trained weight; a layer's own may be frozen with the layer.
    """
    components = reading.sections.get(setting, ())
    known = [step.name for step in planned.steps if step.weights]
    for component, names, owner in acting(planned, setting, components):
        pattern = component.weights
        if not names:
            message = f"{component.kind} acts on no weight: '{pattern}'{did_you_mean(pattern, known, {})}"
            hint = "biases and norm scales are left out unless asked for; `dlrun params` shows the names"
            if component.least_rank > 1:
                hint += f"; {component.kind} needs a weight with {component.least_rank} axes"
        elif owner is None and planned.frozen.issuperset(names):
            message = f"{component.kind} has no effect: all its weights are frozen: '{pattern}'"
            hint = "name weights that are trained, or change `model.freeze`"
        else:
            continue
        if owner is None:
            yield reading.problem(message, (setting, _place(components, component)), hint)
        else:
            yield Problem(message, owner.place, hint)


def _place(components: Sequence[Component], component: Component) -> int | None:
    """The place of a component in a list; None where it is not in it, though an equal one may be."""
    return next((index for index, one in enumerate(components) if one is component), None)


def check_constraints(reading: Reading, planned: Plan) -> Iterator[Problem]:
    """Hold each constraint to a weight that it acts on, and those on one weight to each other."""
    yield from check_acting(reading, planned, "constraints")
    section = reading.sections.get("constraints", ())
    on_weight: dict[str, list[Constraint]] = {}
    for constraint, names, _ in acting(planned, "constraints", section):
        for name in names:
            on_weight.setdefault(name, []).append(constraint)
    seen: set[tuple[int, int]] = set()
    for name, _, step in planned.weights():
        for former, latter in combinations(on_weight.get(name, ()), 2):
            if latter.keeps(former) or (id(former), id(latter)) in seen:
                continue
            seen.add((id(former), id(latter)))
            message = f"{name} cannot obey both constraints: {latter.kind} is applied after {former.kind} and breaks it"
            indices = [_place(section, one) for one in (former, latter)]
            hint = "remove one of them, or change its settings"
            if former.keeps(latter):
                where = "" if None not in indices or indices == [None, None] else " in the section `constraints`"
                hint = f"write {latter.kind} before {former.kind}{where}"
            if indices[1] is None:
                yield Problem(message, step.place, hint)
            else:
                yield reading.problem(message, ("constraints", indices[1]), hint)


def check_penalties(reading: Reading, planned: Plan) -> Iterator[Problem]:
    """Hold each regularizer to a weight, to an output of a layer that training changes, or to a prediction."""
    yield from check_acting(reading, planned, "regularizers")
    regularizers = reading.sections.get("regularizers", ())
    for regularizer, steps in penalized_values(planned, regularizers):
        if not steps:
            pattern, index = regularizer.layer_outputs, _place(regularizers, regularizer) or 0
            if any(is_named(name, pattern) for name in planned.values):
                message = f"{regularizer.kind} has no effect: training does not change the output of '{pattern}'"
                hint = "name a layer that has a trained weight, or comes after one"
            else:
                message = f"no layer is called '{pattern}'{did_you_mean(pattern, planned.values, {})}"
                hint = "`dlrun params` shows the names; `*` matches anything"
            yield reading.problem(message, ("regularizers", index), hint)
    yield from _check_places(planned)
    yield from _check_predictions(reading, planned, regularizers)


def _check_places(planned: Plan) -> Iterator[Problem]:
    """Hold the regularizers in a layer's settings to those that are on weights."""
    for step in planned.steps:
        own = step.layer.regularizers if isinstance(step.layer, WeightedLayer) and not step.shared else ()
        for regularizer in own:
            if not isinstance(regularizer, WeightRegularizer) or regularizer.layer_outputs is not None:
                message = f"the `regularizers` of a layer are on its weights; this {regularizer.kind} is on outputs"
                yield Problem(message, step.place, "write it in the section `regularizers`")


def _check_predictions(reading: Reading, planned: Plan, regularizers: Sequence[Component]) -> Iterator[Problem]:
    losses, data_info = as_tuple(reading.sections.get("loss")), reading.data.info
    if data_info is None or not losses:
        return
    try:
        terms = [term(loss, planned, data_info) for loss in losses]
    except ObjectiveError:  # reported by check_objective
        return
    for index, regularizer in enumerate(regularizers):
        if isinstance(regularizer, PredictionRegularizer):
            try:
                predicted(regularizer, planned, terms)
            except ObjectiveError as error:
                path = ("regularizers", index)
                yield reading.problem(
                    error.message, (*path, regularizer.kind, *error.at) if error.at else path, error.hint
                )


def check_initializers(planned: Plan) -> Iterator[Problem]:
    """Hold each layer's own initializers to weights, and biases, with as many axes as they need."""
    for step in planned.steps:
        layer = step.layer
        if not isinstance(layer, WeightedLayer):
            continue
        for setting, role in (("init", "weight"), ("bias_init", "bias")):
            own = getattr(layer, setting)
            if not isinstance(own, Initializer):
                continue
            for name, shape in step.weights.items():
                if layer.role(name) == role and not own.suits(shape):
                    message = f"{own.kind} needs {own.needed()}; {name} is {show(shape)}"
                    yield Problem(message, step.place, "use normal or uniform")


def check_init_entries(reading: Reading, planned: Plan) -> Iterator[Problem]:
    """Hold each entry of `model.init`, where that is a mapping, to a weight that it fills."""
    entries = reading.sections["model"].init
    if not isinstance(entries, dict):
        return
    weights = [(step, name.removeprefix(f"{step.name}."), shape) for name, shape, step in planned.weights()]
    weights = [one for one in weights if one[0].layer is not None and one[0].layer.role(one[1]) == "weight"]
    free = [one for one in weights if not (isinstance(one[0].layer, WeightedLayer) and one[0].layer.init)]
    used = {fitting_init(*one, entries) for one in free}
    for key, initializer in entries.items():
        if key in used:
            continue
        meant = [one for one in weights if is_meant(key, *one[:2])]
        unsuited = next((one for one in meant if not initializer.suits(one[2])), None)
        if not meant:
            known = [*dict.fromkeys(one[0].kind for one in weights), *dict.fromkeys(one[0].name for one in weights)]
            message = f"no weight is of '{key}'{did_you_mean(key, known, synonyms('layers'))}"
            hint = "write a kind of layer, or a pattern of weights, which `dlrun params` shows; biases have `bias_init`"
        elif unsuited and not any(initializer.suits(one[2]) for one in meant):
            name = f"{unsuited[0].name}.{unsuited[1]}"
            message = f"{initializer.kind} needs {initializer.needed()}; {name} is {show(unsuited[2])}"
            hint = "use normal or uniform"
        else:
            message = f"'{key}' fills no weight: entries before it, or `init` of a layer, fill all that it fits"
            hint = "the first entry that fits a weight fills it"
        yield reading.problem(message, ("model", "init", key), hint, at_key=True)
