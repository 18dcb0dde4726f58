"""The losses of a batch, each computed on its output."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import torch

from dlrun.data.batches import Batch
from dlrun.plan.objective import Answer, Term, logits_of

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

    def __init__(self, inputs: Iterable[str]):
        """`inputs` are the names of the network's inputs, in order."""
        self.places = {name: place for place, name in enumerate(inputs)}

    def answer(self, answer: Answer, batch: Batch) -> torch.Tensor:
        """The rows of a batch that an output is compared with."""
        return batch.inputs[self.places[answer.name]] if answer.is_input else batch.targets[answer.name]

    def compared(self, name: str, answer: Answer, outputs: Outputs, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        """An output, and the answer that it is compared with: number by number, or a class for each row.

        Raises:
            RuntimeError: their shapes differ; torch would repeat the smaller of the two.
        """
        output, target = self.output(name, outputs), self.answer(answer, batch)
        if output.shape != target.shape and (target.is_floating_point() or target.shape != output.shape[:1]):
            shapes = f"{tuple(output.shape)}, and the values that it is compared with {tuple(target.shape)}"
            raise RuntimeError(f"the output '{name}' has the shape {shapes}")
        return output, target

    @staticmethod
    def output(name: str, outputs: Outputs) -> torch.Tensor:
        """One output of a network."""
        return outputs[name] if isinstance(outputs, dict) else outputs


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
            weighted = value if term.loss.coefficient == 1 else term.loss.coefficient * value
            total = weighted if total is None else total + weighted
        assert total is not None
        return [total, *values] if self.names else [total]

    def _value(self, term: Term, outputs: Outputs, batch: Batch) -> torch.Tensor:
        name, form = (logits_of(term.output), "") if term.from_logits else (term.output, term.output_form)
        return term.loss(*self.pairing.compared(name, term.answer, outputs, batch), form)
