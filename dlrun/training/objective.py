"""The losses of a batch, each computed on its output."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import torch

from dlrun.data.batches import Batch
from dlrun.modules.frozen_map import FrozenMap, back
from dlrun.plan.objective import Answer, Term, Watched, logits_of

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

    def answer(self, answer: Answer, batch: Batch) -> torch.Tensor:
        """The rows of a batch that an output is compared with."""
        return batch.inputs[self.places[answer.name]] if answer.is_input else batch.targets[answer.name]

    def compared(self, pair: Term | Watched, outputs: Outputs, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        """An output, and the answer that it is compared with: number by number, or a class for each row.

        Where rows have a class at each of several positions, each position is a row here.

        Raises:
            RuntimeError: their shapes differ; torch would repeat the smaller of the two.
        """
        name, answer = pair.output, self.answer(pair.answer, batch)
        if isinstance(pair, Term):
            output = self.output(logits_of(name) if pair.from_logits else name, outputs)
        else:
            output, answer = self._in_units(pair, self.output(name, outputs), answer, batch)
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
        if one.answer.is_input:
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

    def __init__(self, terms: Sequence[Term], pairing: Pairing):
        self.terms, self.pairing = tuple(terms), pairing
        self.names = tuple(term.name for term in terms) if len(terms) > 1 else ()
        """The names of the losses, where there are several."""

    def __call__(self, outputs: Outputs, batch: Batch) -> list[torch.Tensor]:
        """The mean loss over a batch; then, where there are several, each loss without its coefficient."""
        values = [self._value(term, outputs, batch) for term in self.terms]
        total: torch.Tensor | None = None
        for term, value in zip(self.terms, values, strict=True):
            coefficient = term.loss.coefficient  # a tensor where a schedule changes it, and then it is not read
            is_one = isinstance(coefficient, float) and coefficient == 1
            weighted = value if is_one else coefficient * value
            total = weighted if total is None else total + weighted
        assert total is not None
        return [total, *values] if self.names else [total]

    def _value(self, term: Term, outputs: Outputs, batch: Batch) -> torch.Tensor:
        return term.loss(*self.pairing.compared(term, outputs, batch), "" if term.from_logits else term.output_form)
