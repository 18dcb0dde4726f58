"""Regularizers: penalties on weights, on the outputs of layers or on predictions, added to the loss in training."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from dlrun.language.component import Component
from dlrun.language.fields import NonNegative, OutputForm
from dlrun.language.target_kind import TargetKind
from dlrun.language.weight_choice import WeightChoice

if TYPE_CHECKING:
    import torch


class Regularizer(Component):
    """A penalty that is added to the loss."""

    family: ClassVar[str] = "regularizers"
    main: ClassVar[str | None] = "coefficient"

    coefficient: NonNegative
    """The factor on the sum before it is added to the loss."""

    def changeable(self) -> dict[str, float]:
        return {"coefficient": self.coefficient}


class WeightRegularizer(WeightChoice, Regularizer):
    """A penalty on weights."""

    @property
    def layer_outputs(self) -> str | None:
        """The pattern of the layers whose outputs it penalizes in place of weights; None for weights."""
        return None

    def penalty(self, weights: list[torch.Tensor]) -> torch.Tensor:
        """The penalty on all these weights together, a tensor with no axes; with `by_unit`, the first axis of each is
        that of the output units."""
        raise NotImplementedError


class PredictionRegularizer(Regularizer):
    """A penalty on the predictions of an output of the network, whatever the target is."""

    output: str | None = None
    """The name of the network's output that it penalizes; required where there are several."""

    def penalty(
        self, output: torch.Tensor, wants: TargetKind, output_form: OutputForm, counted: torch.Tensor | None = None
    ) -> torch.Tensor:
        """The penalty, a tensor with no axes.

        Args:
            output: (N, classes) for `classes`; otherwise a yes or no for each number.
            wants: what the output's loss reads the target as: `classes` or `binary`.
            output_form: what the outputs are: logits, unless it is `probabilities`.
            counted: (N,) whether each row of the classes counts in the loss; None where all do.
        """
        raise NotImplementedError
