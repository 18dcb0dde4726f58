"""The base of the regularizers that penalize each number by itself."""

from __future__ import annotations

from typing import Self

from pydantic import model_validator

from dlrun.components.regularizers import WeightRegularizer
from dlrun.language.weight_choice import WeightChoice


class NumbersRegularizer(WeightRegularizer):
    """A sum over numbers: those of weights, or those of the outputs of layers."""

    output: str | None = None
    """Penalize the outputs of layers in place of weights: the name of a layer, or a pattern (`*` and `?`) of names. The
    sum over all numbers is divided by the rows of the batch; steps that are padding do not count."""

    @model_validator(mode="after")
    def _either(self) -> Self:
        fields = WeightChoice.model_fields
        both = [name for name, field in fields.items() if getattr(self, name) != field.default]
        if self.output is not None and both:
            raise ValueError(f"'output' is for the outputs of layers and '{both[0]}' for weights: write one of them")
        return self

    @property
    def layer_outputs(self) -> str | None:
        return self.output
