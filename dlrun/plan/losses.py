"""Each loss with its output, the answer that it compares, and the weights of classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dlrun.components.losses import Loss, WeightError
from dlrun.components.regularizers import PredictionRegularizer
from dlrun.language.fields import OutputForm
from dlrun.language.labels import in_spec
from dlrun.language.suggestions import did_you_mean
from dlrun.language.target_kind import TargetKind
from dlrun.plan.answers import Answer, answer_of, need_class
from dlrun.plan.data_info import DataInfo, Target
from dlrun.plan.network import Plan
from dlrun.plan.outputs import ObjectiveError, called, output_form, output_of, steps_to_form
from dlrun.plan.split_sizes import ClassCounts
from dlrun.shapes import Shape, show


@dataclass(frozen=True, slots=True)
class Term:
    """A loss at its output."""

    loss: Loss
    output: str
    answer: Answer
    output_form: OutputForm
    """The output's."""
    name: str
    """The name of its value where there are several losses."""
    from_logits: bool
    """Whether it is computed from the logits under the output's sigmoid."""
    label: str
    """The class for which the target is 1; '' where there is none."""
    positions: Shape = ()
    """Those of a row at which the target has a class; () for one class a row."""
    weight: tuple[float, ...] | None = None
    """What `Loss.weights` gives; ones where only some positions count."""
    wants: TargetKind = "numbers"
    """How the target is read."""

    @property
    def is_uneven(self) -> bool:
        """Whether rows, or positions, count unequally."""
        return self.weight is not None and self.loss.wants == "classes"


def term(loss: Loss, plan: Plan, data_info: DataInfo, counts: ClassCounts | None = None) -> Term:
    """A loss with the output and the target that it compares.

    `counts` are the rows of each class, where they are known.

    Raises:
        ObjectiveError: it names none of several, or one that does not exist.
    """
    output = output_of(loss, plan)
    answer, form = answer_of(loss, output, plan, data_info), output_form(plan, output)
    layer = steps_to_form(plan, output)[-1].layer
    from_logits = loss.wants == "binary" and layer is not None and layer.logit_slope is not None
    target = data_info.targets[answer.name] if answer.of_data else None
    if loss.named_class is not None:
        need_class(loss.named_class, target)
    _need_ignored(loss, target)
    _need_further(loss, output, plan)
    label = target.labels[target.positive] if target and target.labels and target.positive is not None else ""
    wants = target.wants if target else loss.wants
    positions = target.shape if target and wants == "classes" else ()
    weight = _weight(loss, target, answer, counts)
    return Term(loss, output, answer, form, called(loss, output, plan), from_logits, label, positions, weight, wants)


def _weight(loss: Loss, target: Target | None, answer: Answer, counts: ClassCounts | None) -> tuple[float, ...] | None:
    """The weights of a loss; ones where only some positions count."""
    labels: tuple[str, ...] = target.labels or () if target else ()
    rows: Sequence[int | None] | None = None
    if target is not None and target.wants == "probabilities":
        rows = ()
    elif target is not None and counts is not None and answer.name in counts:
        found = [counts[answer.name][label][0] for label in labels]
        rows = [None if number == target.ignored else count for number, count in enumerate(found)]
    if target is not None and target.positive == 0:  # the first class is that for which the target is 1
        labels, rows = labels[::-1], rows[::-1] if rows else rows
    try:
        weights = loss.weights(labels, rows)
    except WeightError as error:
        raise ObjectiveError(error.message, error.hint, error.at) from None
    is_partial = target is not None and target.ignored is not None
    return (1.0,) * len(labels) if weights is None and is_partial else weights


def _need_ignored(loss: Loss, target: Target | None) -> None:
    """Hold the class that a loss ignores to those of the target, at several positions.

    Raises:
        ObjectiveError: there is no such class, or one class a row.
    """
    if loss.ignored_class is None:
        return
    assert target is not None
    if not target.shape:
        weighed = f"`weight: {{{in_spec(loss.ignored_class)}: 0}}`"
        message = "'ignore_index' is for a class at each of several positions, and the target is one class a row"
        hint = f"leave the rows of this class out of the data, or give it the weight 0: {weighed}"
        raise ObjectiveError(message, hint, ("ignore_index",))
    need_class(loss.ignored_class, target, "ignore_index")


def _need_further(loss: Loss, output: str, plan: Plan) -> None:
    """Hold further outputs that a loss takes to outputs of the same shape.

    Raises:
        ObjectiveError: there is no such output, or it has another shape.
    """
    for setting, name in loss.further.items():
        if name not in plan.outputs or name == output:
            others = [one for one in plan.outputs if one != output]
            meant = did_you_mean(name, others, {})
            hint = f"the other outputs are {', '.join(others)}" if others else "`model.outputs` lists several"
            raise ObjectiveError(f"the network has no other output '{name}'{meant}", hint, (setting,))
        shapes = plan.output_shape(output), plan.output_shape(name)
        if shapes[0] != shapes[1]:
            message = f"the output '{name}' is {show(shapes[1])}, and '{output}' is {show(shapes[0])}"
            raise ObjectiveError(message, "end both in layers of one size", (setting,))


def predicted(regularizer: PredictionRegularizer, plan: Plan, terms: Sequence[Term]) -> Term:
    """The loss that says how the output that a regularizer penalizes is read.

    Raises:
        ObjectiveError: it names none of several outputs, or the output's loss is not on probabilities.
    """
    output = output_of(regularizer, plan)
    for found in terms:
        if found.output == output and found.loss.of_probabilities:
            return found
    message = f"{regularizer.kind} is for predicted probabilities, and no loss takes the output '{output}' as such"
    raise ObjectiveError(message, "it goes with `cross_entropy` and `binary_cross_entropy`")
