"""What is added to the loss of a batch besides the losses: penalties on weights, on layers' outputs, on predictions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch

from dlrun.components.regularizers import PredictionRegularizer, WeightRegularizer
from dlrun.data.batches import Batch
from dlrun.plan.losses import Term
from dlrun.plan.outputs import value_of
from dlrun.training.chosen_weights import Pairs, as_taken
from dlrun.training.objective import Outputs, Pairing


class Penalty(Protocol):
    """One of the penalties."""

    def __call__(self, outputs: Outputs, batch: Batch) -> torch.Tensor:
        """Its value for a batch, a tensor with no axes."""
        ...


@dataclass(frozen=True, slots=True)
class WeightPenalty:
    """A penalty on weights as they are; the batch does not matter."""

    regularizer: WeightRegularizer
    weights: Pairs

    def __call__(self, outputs: Outputs, batch: Batch) -> torch.Tensor:
        return self.regularizer.penalty(as_taken(self.regularizer, self.weights))


@dataclass(frozen=True, slots=True)
class OutputPenalty:
    """A penalty on the outputs of layers: the mean over the rows."""

    regularizer: WeightRegularizer
    steps: Sequence[int]

    def __call__(self, outputs: Outputs, batch: Batch) -> torch.Tensor:
        values = [Pairing.output(value_of(step), outputs) for step in self.steps]
        return self.regularizer.penalty(values) / len(batch)


@dataclass(frozen=True, slots=True)
class PredictionPenalty:
    """A penalty on predictions, which are read as the output's loss reads them."""

    regularizer: PredictionRegularizer
    term: Term
    pairing: Pairing

    def __call__(self, outputs: Outputs, batch: Batch) -> torch.Tensor:
        output, answer = self.pairing.compared(self.term, outputs, batch)
        form = "" if self.term.from_logits else self.term.output_form
        counted = answer >= 0 if self.term.positions and self.term.is_uneven else None
        return self.regularizer.penalty(output, self.term.loss.wants, form, counted)


def sum_of_penalties(penalties: Sequence[Penalty], outputs: Outputs, batch: Batch) -> torch.Tensor:
    """All penalties added up; there is at least one."""
    first, *others = (penalty(outputs, batch) for penalty in penalties)
    total = first
    for penalty in others:
        total = total + penalty
    return total
