from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from dlrun.components.layers import Container, Layers, Wiring
from dlrun.errors import SpecPath
from dlrun.language.fields import Positive


class Repeat(Container):
    """The same layers several times, each time with weights of their own.

    Unrolled before anything else is looked at, into a `sequential` of one `sequential` a turn.

    Shape: that of the last turn
    Reference: none; a loop.
    Example: repeat: {times: 3, as: i, layers: [{linear: $(8 * (i + 1))}, relu]}
    """

    unrolled: ClassVar[bool] = True
    synonyms = ("loop",)

    times: Positive
    """How many times."""
    counter: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")] | None = Field(default=None, alias="as")
    """The name that counts the turns, from 0: `as: i` makes `$i`."""
    layers: Layers
    """What is repeated."""

    def wire(self, wiring: Wiring, value: int, path: SpecPath) -> int:
        raise AssertionError("a repeat is unrolled when the spec is read")
