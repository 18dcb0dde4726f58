from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from dlrun.components.layers import Container, Layers, Wiring
from dlrun.errors import SpecPath
from dlrun.language.fields import Positive


class Repeat(Container):
    """Repeat the same layers several times, each time with separate weights.

    When the spec is read, this becomes a `sequential` with one `sequential` for each repetition.

    Shape: that of the last repetition
    Reference: none; a loop.
    Example: repeat: {times: 3, as: i, layers: [{linear: $(8 * (i + 1))}, relu]}
    """

    unrolled: ClassVar[bool] = True
    synonyms = ("loop",)

    times: Positive
    """Number of repetitions."""
    counter: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")] | None = Field(default=None, alias="as")
    """The name of the counter of the repetitions, from 0: `as: i` defines `$i`."""
    layers: Layers
    """The layers to repeat."""

    def wire(self, wiring: Wiring, value: int, path: SpecPath) -> int:
        raise AssertionError("a repeat is unrolled when the spec is read")
