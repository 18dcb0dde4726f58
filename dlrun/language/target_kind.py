"""The ways to read a target: a loss chooses one, a metric is made for some, a source reads the data so."""

from __future__ import annotations

from typing import Literal

from dlrun.shapes import Shape

TargetKind = Literal["classes", "probabilities", "binary", "numbers", "nothing"]
"""A class number for each row, or at each of its positions; a probability for each class, which sum to 1; 0 or 1 for
each output; numbers; or no target at all."""

IN_WORDS: dict[TargetKind, str] = {
    "classes": "classes",
    "probabilities": "probabilities of classes",
    "binary": "yes or no",
    "numbers": "numbers",
    "nothing": "nothing",
}
"""Each kind as messages name it."""


def at_one_position(output: Shape, positions: Shape) -> Shape | None:
    """The shape of the outputs for one class number, (classes,); None where the outputs are not at these positions.

    Outputs for a sequence (steps,) are (steps, classes), as recurrent layers and attention give them; those for an
    image (height, width) are (classes, height, width), as convolutions give them.

    Args:
        output: the shape of one row's outputs.
        positions: the shape of one row's target: () for one class a row.
    """
    if len(output) != len(positions) + 1:
        return None
    classes, others = (output[0], output[1:]) if len(positions) > 1 else (output[-1], output[:-1])
    return (classes,) if others == positions else None
