"""The losses of a batch, each computed on its output."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import torch

from dlrun.data.batches import Batch
from dlrun.modules.affine import Affine, back
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

    def __init__(self, inputs: Iterable[str], scales: Mapping[str, Sequence[Affine]] | None = None):
        """`inputs` are the names of the network's inputs, in order; `scales` each scaled target's steps."""
        self.places = {name: place for place, name in enumerate(inputs)}
        self.back = {name: back(steps) for name, steps in (scales or {}).items()}
        """For each scaled target what brings outputs back to its units."""

    def tensors(self) -> list[torch.Tensor]:
        """The tensors that it computes with."""
        return [tensor for module in self.back.values() for tensor in module.buffers()]

    def measured(self, one: Watched, outputs: Outputs, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        """An output and its answer as a metric compares them: in the units of the data, not rounded."""
        output, name = self.output(one.output, outputs), one.answer.name
        if one.answer.is_input:
            return output, self.answer(one.answer, batch)
        output = self.back[name](output) if name in self.back else output
        return output, batch.exact[name] if name in batch.exact else batch.targets[name]

    def answer(self, answer: Answer, batch: Batch) -> torch.Tensor:
        """The rows of a batch that an output is compared with."""
        return batch.inputs[self.places[answer.name]] if answer.is_input else batch.targets[answer.name]

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
        return term.loss(self.pairing.output(name, outputs), self.pairing.answer(term.answer, batch), form)
