"""How much of the network's input each step sees.

Over a window that spans k places, one every s: size_out = size_in + (k - 1)*jump_in, jump_out = jump_in*s.
Reference: Dumoulin and Visin, A guide to convolution arithmetic for deep learning, 2016; Araujo, Norris and Sim,
Computing receptive fields of convolutional neural networks, 2019.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from dlrun.components.layers import Merging
from dlrun.plan.steps import Step
from dlrun.shapes import Window

if TYPE_CHECKING:
    from fractions import Fraction


class Reach(NamedTuple):
    """What a place of a value sees of one axis of the input, with the padding around it."""

    size: int | Fraction = 1
    """How many places it covers, of the input or of the source."""
    jump: int | Fraction = 1
    """How many of those places two neighbours are apart."""
    source: Reach | None = None
    """The reach before the value was enlarged; places are counted from there."""
    stride: int | Fraction = 1
    """How many places of the source there are for one place here; below 1."""

    def through(self, window: Window) -> Reach:
        """The reach after a layer with this window."""
        size = self.size + (window.span - 1) * self.jump
        if window.stride < 1:
            return Reach(source=self._replace(size=size), stride=window.stride)
        return self._replace(size=size, jump=self.jump * window.stride)

    def seen(self, places: int = 1) -> int:
        """How many places of the input that many neighbours cover together; the most, where that differs."""
        size = self.size + (places - 1) * self.jump
        if self.source is None:
            return math.ceil(size)
        return self.source.seen(math.ceil((size - 1) * self.stride) + 1)


Field = tuple[Reach | None, ...]
"""A step's receptive field, axis by axis of its output; None where it sees all of the input."""

ITSELF = Reach()
"""The reach of the input itself."""


def receptive_fields(steps: Sequence[Step]) -> list[Field]:
    """The receptive field of every step; where paths meet, the largest."""
    fields: list[Field] = []
    for step in steps:
        before = [fields[index] for index in step.inputs]
        if step.layer is None:
            fields.append((ITSELF,) * len(step.output))
        elif isinstance(step.layer, Merging):
            fields.append(_merged(before, len(step.output)))
        elif len(before) > 1:
            fields.append((None,) * len(step.output))
        elif step.layer.accepts == "any" and all(reach == ITSELF for reach in before[0]):
            fields.append((ITSELF,) * len(step.output))  # the input itself, in another shape
        else:
            fields.append(_through(step.layer.window(step.input_shapes[0]), before[0]))
    return fields


def _through(windows: Sequence[Window | None], before: Field) -> Field:
    found: list[Reach | None] = []
    for position, window in enumerate(windows):
        reach = window and before[position if window.axis is None else window.axis]
        found.append(reach.through(window) if window and reach else None)
    return tuple(found)


def _merged(before: list[Field], axes: int) -> Field:
    if any(len(field) != axes for field in before):
        return (None,) * axes
    return tuple(_largest(reaches) for reaches in zip(*before, strict=True))


def _largest(reaches: Sequence[Reach | None]) -> Reach | None:
    known = [reach for reach in reaches if reach is not None]
    if len(known) < len(reaches):
        return None
    largest = max(known, key=Reach.seen)
    if any(reach.source for reach in known):
        return largest
    return largest._replace(jump=max(reach.jump for reach in known))


def show_field(field: Field) -> str:
    """``7``, or ``7 x 3`` where the axes differ; ``all`` for a whole axis. An image's channels are left out."""
    shown = list(field[1:] if len(field) > 2 else field)
    if len(shown) == 2 and len(field) == 2 and None in shown:
        shown.remove(None)  # a sequence's features, or its channels
    if not shown:
        return "1"
    sizes = ["all" if reach is None else str(reach.seen()) for reach in shown]
    return sizes[0] if len(set(sizes)) == 1 else " x ".join(sizes)


def field_data(field: Field) -> list[int | None]:
    """The sizes, axis by axis of the output; None where all is seen."""
    return [None if reach is None else reach.seen() for reach in field]


def sees_all(field: Field) -> bool:
    """Whether it is the whole input."""
    return show_field(field) == "all"
