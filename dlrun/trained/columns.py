"""The columns of a table of predictions: the row, what is predicted, and the probability of each class."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dlrun.errors import SpecError
from dlrun.trained.answers import Answers, Array
from dlrun.trained.predict import Predicted
from dlrun.trained.run import TrainedOutput

ROW, POSITION = "row", "position"
"""The columns of the number of a row, and of the place in it where rows have an answer at each of several positions."""
Columns = dict[str, Array]
"""Texts as objects, None where there is no answer; numbers."""


def columns_of(predicted: Predicted) -> Columns:
    """The columns for some rows.

    Raises:
        SpecError: two columns would have one name; outputs have answers at different positions.
    """
    positions = {answers.values.shape[1:-1] for answers in predicted.answers}
    if len(positions) > 1:
        raise SpecError("the outputs have answers at different positions, so one table cannot hold them; write an .npz")
    (shape,) = positions
    count = int(np.prod(shape))
    numbers = predicted.numbers
    found: Columns = {ROW: numbers.repeat(count)}
    if shape:
        places = [",".join(map(str, place)) for place in np.ndindex(*shape)]
        found[POSITION] = (
            np.array(places * len(numbers), object) if len(shape) > 1 else np.tile(np.arange(count), len(numbers))
        )
    for answers in predicted.answers:
        for name, values in _columns(answers):
            if name in found:
                raise SpecError(f"two columns of the predictions would be called '{name}'")
            found[name] = values
    return found


def _columns(answers: Answers) -> Sequence[tuple[str, Array]]:
    given = answers.chances
    values = given.reshape(-1, given.shape[-1]).astype(np.float32)  # more digits say nothing
    if answers.kind == "numbers":
        return [(name, values[:, place]) for place, name in enumerate(answers.fields)]
    if answers.kind == "yes_or_no":
        decided = answers.decided.reshape(values.shape)
        found = [(name, _unless_nan(decided[:, place], values[:, place])) for place, name in enumerate(answers.fields)]
        return found + [(name, values[:, place]) for place, name in enumerate(names_of_chances(answers))]
    (field,) = answers.fields
    chosen = answers.chosen.reshape(-1)
    labels = np.array(answers.labels, object)[chosen]
    labels[np.isnan(values).any(1) | (chosen < 0)] = None
    found = [(field, labels)]
    return found + [(name, values[:, place]) for place, name in enumerate(names_of_chances(answers))]


def names_of_chances(says: Answers | TrainedOutput) -> tuple[str, ...]:
    """The columns of probabilities of an output: of each class, or of a yes for each field."""
    if says.kind == "yes_or_no":
        return tuple(f"{name}=1" for name in says.fields)
    if says.kind == "numbers" or not says.are_probabilities:
        return ()
    return tuple(f"{says.fields[0]}={label}" for label in says.labels)


def _unless_nan(decided: Array, values: Array) -> Array:
    """Decisions, None where the network's number is not one."""
    found = decided.astype(object)
    found[np.isnan(values)] = None
    return found
