"""Whether the network has the weights that the spec wants to freeze, penalize, initialize or load."""

from __future__ import annotations

from collections.abc import Iterator

from dlrun.checks.reading import Reading
from dlrun.checks.weights_file import WeightsError, compare_header
from dlrun.components.initializers import Initializer
from dlrun.components.layers import WeightedLayer
from dlrun.errors import Problem
from dlrun.language.suggestions import did_you_mean
from dlrun.plan.names import matches
from dlrun.plan.network import Plan
from dlrun.plan.weights import penalties
from dlrun.shapes import show


def check_freeze(reading: Reading, planned: Plan) -> Iterator[Problem]:
    """Hold each pattern to a weight or a statistic, and the network to one that is trained where there is data."""
    patterns = reading.sections["model"].freeze or ()
    names = [name for name, _, _ in planned.weights()]
    layers = [step.name for step in planned.steps if step.weights]
    for index, pattern in enumerate(patterns):
        if not any(matches(name, pattern) for name in (*names, *planned.frozen)):
            message = f"no weight matches '{pattern}'{did_you_mean(pattern, layers, {})}"
            hint = "`dlrun params` shows the names; `*` matches anything"
            yield reading.problem(message, ("model", "freeze", index), hint)
    if planned.trainable == 0 and "data" in reading.written:
        what = "every weight is frozen" if names else "no layer has weights"
        path = ("model", "freeze" if names else "layers")
        yield reading.problem(f"{what}, so there is nothing to train", path, at_key=True)


def check_regularizers(reading: Reading, planned: Plan) -> Iterator[Problem]:
    """Hold each regularizer to a weight that it acts on."""
    regularizers = reading.sections.get("regularizers", ())
    if "regularizers" in reading.written and "regularizers" not in reading.sections:
        return
    for regularizer, names in penalties(planned, regularizers):
        if names:
            continue
        known = [step.name for step in planned.steps if step.weights]
        for index, own in enumerate(regularizers):
            if own is regularizer:
                message = f"{own.kind} acts on no weight: '{own.weights}'{did_you_mean(own.weights, known, {})}"
                hint = "biases and norm scales are left out unless asked for; `dlrun params` shows the names"
                yield reading.problem(message, ("regularizers", index), hint)


def check_initializers(planned: Plan) -> Iterator[Problem]:
    """Hold each layer's own initializer to weights with as many axes as it needs."""
    for step in planned.steps:
        own = step.layer.init if isinstance(step.layer, WeightedLayer) else None
        if step.layer is None or not isinstance(own, Initializer):
            continue
        for name, shape in step.weights.items():
            if step.layer.role(name) == "weight" and not own.suits(shape):
                message = f"{own.kind} needs a weight with {own.least_rank} axes; {name} is {show(shape)}"
                yield Problem(message, step.place, "use normal or uniform")


def check_weights_file(reading: Reading, planned: Plan) -> Iterator[Problem]:
    """Hold the file that the weights start from to the network's names and shapes."""
    path = reading.sections["model"].weights
    if path is None:
        return
    try:
        compare_header(reading.folder / path, planned)
    except WeightsError as error:
        yield reading.problem(error.message, ("model", "weights"), error.hint)
