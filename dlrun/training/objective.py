"""The losses of a batch, each computed on its output."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch

from dlrun.data.batches import Batch
from dlrun.modules.frozen_map import FrozenMap, back
from dlrun.plan.answers import Answer
from dlrun.plan.losses import Term
from dlrun.plan.metrics import Watched
from dlrun.plan.outputs import logits_of

Outputs = torch.Tensor | dict[str, torch.Tensor]
"""The result of a network: a batch, or one for each output by its name."""
Forward = Callable[..., Outputs]
"""A network's forward pass: from a batch for each input to the outputs, float32."""


def each(outputs: Outputs, change: Callable[[torch.Tensor], torch.Tensor]) -> Outputs:
    """Apply `change` to every output."""
    if isinstance(outputs, dict):
        return {name: change(value) for name, value in outputs.items()}
    return change(outputs)


class Pairing:
    """Finds the answer that an output is compared with."""

    def __init__(self, inputs: Iterable[str], scales: Mapping[str, Sequence[FrozenMap]] | None = None):
        """`inputs` are the names of the network's inputs, in order; `scales` each scaled target's steps."""
        self.places = {name: place for place, name in enumerate(inputs)}
        self.back = {name: back(steps) for name, steps in (scales or {}).items()}
        """For each scaled target what brings outputs back to its units."""

    def tensors(self) -> list[torch.Tensor]:
        """The tensors that it computes with."""
        return [tensor for module in self.back.values() for tensor in module.buffers()]

    def given(self, answer: Answer, batch: Batch) -> torch.Tensor:
        """The rows of a batch that an output is compared with, where it is a target or an input."""
        return batch.targets[answer.name] if answer.of_data else batch.inputs[self.places[answer.name]]

    def answer(self, answer: Answer, output: torch.Tensor, outputs: Outputs, batch: Batch) -> torch.Tensor:
        """What an output is compared with."""
        if answer.origin == "number":
            return torch.full_like(output, answer.number)
        if answer.origin == "output":
            other = self.output(answer.name, outputs)
            return other if answer.follows else other.detach()
        return self.given(answer, batch)

    def compared(self, pair: Term | Watched, outputs: Outputs, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        """An output, and the answer that it is compared with: number by number, or a class for each row.

        Where rows have a class at each of several positions, each position is a row here.

        Raises:
            RuntimeError: their shapes differ; torch would repeat the smaller of the two.
        """
        name = pair.output
        output = self.output(logits_of(name) if isinstance(pair, Term) and pair.from_logits else name, outputs)
        answer = self.answer(pair.answer, output, outputs, batch)
        if isinstance(pair, Watched):
            output, answer = self._in_units(pair, output, answer, batch)
            answer = answer.argmax(1) if pair.most_probable else answer
        if isinstance(pair, Term) and pair.loss.by_row:
            return output, answer
        if pair.positions:
            output, answer = _by_position(output, answer)
        if output.shape != answer.shape and (answer.is_floating_point() or answer.shape != output.shape[:1]):
            shapes = f"{tuple(output.shape)}, and the values that it is compared with {tuple(answer.shape)}"
            raise RuntimeError(f"the output '{pair.output}' has the shape {shapes}")
        return output, answer

    def _in_units(
        self, one: Watched, output: torch.Tensor, answer: torch.Tensor, batch: Batch
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """An output and its answer as a metric compares them: in the units of the data, not rounded."""
        name = one.answer.name
        if not one.answer.of_data:
            return output, answer
        return self.back[name](output) if name in self.back else output, batch.exact.get(name, answer)

    @staticmethod
    def output(name: str, outputs: Outputs) -> torch.Tensor:
        """One output of a network."""
        return outputs[name] if isinstance(outputs, dict) else outputs


def _by_position(output: torch.Tensor, answer: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Outputs (M, classes) and class numbers (M,) for the M positions of all rows; see `at_one_position`."""
    if answer.dim() > 2:
        output = output.movedim(1, -1)
    return (output.flatten(0, -2), answer.flatten()) if output.shape[:-1] == answer.shape else (output, answer)


class Objective:
    """The quantity to minimise: the sum of the losses, each times its coefficient."""

    def __init__(self, terms: Sequence[Term], pairing: Pairing, device: torch.device | None = None):
        self.terms, self.pairing = tuple(terms), pairing
        self.names = tuple(term.name for term in terms) if len(terms) > 1 else ()
        """The names of the losses, where there are several."""
        self.weights = [None if t.weight is None else torch.tensor(t.weight, device=device) for t in terms]
        self.uneven = [place for place, term in enumerate(terms) if term.is_uneven]
        """The places of the losses whose rows count unequally."""
        self.moving = [
            place
            for place, term in enumerate(terms)
            if self.names and self.uneven and isinstance(term.loss.coefficient, torch.Tensor)
        ]
        """The places of the losses whose coefficients schedules change, where the total cannot be added up without."""

    @property
    def width(self) -> int:
        """How many values a call returns."""
        return 1 + len(self.names) + len(self.uneven) + len(self.moving)

    def tensors(self) -> list[torch.Tensor]:
        """The tensors that it computes with."""
        return [*self.pairing.tensors(), *(weight for weight in self.weights if weight is not None)]

    def __call__(self, outputs: Outputs, batch: Batch) -> list[torch.Tensor]:
        """The mean loss over a batch; then, where there are several, each loss without its coefficient; then how much
        of the batch counts, for each loss whose rows count unequally; then the coefficients of `moving`."""
        compared = [self.pairing.compared(term, outputs, batch) for term in self.terms]
        values = [self._value(place, *pair, outputs) for place, pair in enumerate(compared)]
        total: torch.Tensor | None = None
        for term, value in zip(self.terms, values, strict=True):
            coefficient = term.loss.coefficient  # a tensor where a schedule changes it, and then it is not read
            is_one = isinstance(coefficient, float) and coefficient == 1
            weighted = value if is_one else coefficient * value
            total = weighted if total is None else total + weighted
        assert total is not None
        amounts = [self.terms[place].loss.amount(compared[place][1], self.weights[place]) for place in self.uneven]
        coefficients: list[Any] = [self.terms[place].loss.coefficient for place in self.moving]
        return [total, *(values if self.names else ()), *amounts, *(number.clone() for number in coefficients)]

    def of_one_step(self, batches: Sequence[Batch]) -> list[Batch]:
        """The batches of a step with `factors`, one for each loss whose rows count unequally.

        A factor is how much the rows of the batch count on average, divided by that of the rows of all batches: with
        it, the mean over all rows of the batches' losses is the loss of all of them.
        """
        factors: list[list[torch.Tensor]] = [[] for _ in batches]
        for place in self.uneven:
            term = self.terms[place]
            amounts = [term.loss.amount(self.pairing.given(term.answer, one), self.weights[place]) for one in batches]
            total = torch.stack(amounts).sum()
            mean = torch.where(total > 0, total, 1.0) / sum(map(len, batches))
            for own, amount, batch in zip(factors, amounts, batches, strict=True):
                own.append(amount / len(batch) / mean)
        return [replace(batch, factors=tuple(own)) for batch, own in zip(batches, factors, strict=True)]

    def in_step(self, losses: Sequence[torch.Tensor], batch: Batch) -> torch.Tensor:
        """The quantity to minimise for a batch, as a part of its step, from what a call returned."""
        if not batch.factors:
            return losses[0]
        if not self.names:
            return losses[0] * batch.factors[0]
        factors = dict(zip(self.uneven, batch.factors, strict=True))
        parts = [
            term.loss.coefficient * losses[1 + place] * factors.get(place, 1.0) for place, term in enumerate(self.terms)
        ]
        return torch.stack(parts).sum()

    def summed(self, values: Sequence[float], rows: int) -> list[float]:
        """What adds up over batches, for `means`.

        Args:
            values: what a call returned.
            rows: of its batch.
        """
        count = len(self.names)
        if not self.uneven:
            return [value * rows for value in values]
        amounts = dict(zip(self.uneven, values[1 + count :], strict=False))
        if not count:
            return [values[0] * amounts[0], amounts[0]]
        counted = [amounts.get(place, rows) for place in range(count)]
        each = [value * amount for value, amount in zip(values[1:], counted, strict=False)]
        moved = dict(zip(self.moving, values[1 + count + len(self.uneven) :], strict=False))
        factors = [moved.get(place, term.loss.coefficient) for place, term in enumerate(self.terms)]
        return [*each, *(value * factor for value, factor in zip(each, factors, strict=True)), *counted]

    def means(self, sums: Sequence[float], rows: int) -> list[float]:
        """The mean loss over many batches, then that of each loss where there are several; NaN where nothing counts.

        Args:
            sums: of what `summed` returned for each batch.
            rows: of all batches.
        """
        if not self.uneven:
            return [value / rows for value in sums]
        count = len(self.terms)
        *values, amounts = (sums[start : start + count] for start in range(0, len(sums), count))
        means = [[value / (amount or math.nan) for value, amount in zip(some, amounts, strict=True)] for some in values]
        return [math.fsum(means[-1]), *(means[0] if self.names else ())]

    def _value(self, place: int, output: torch.Tensor, answer: torch.Tensor, outputs: Outputs) -> torch.Tensor:
        term, weight = self.terms[place], self.weights[place]
        further = [self.pairing.output(name, outputs) for name in term.loss.further.values()]
        return term.loss(output, answer, "" if term.from_logits else term.output_form, weight, further)
