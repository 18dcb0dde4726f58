from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.metrics import Metric, OutputForm
from dlrun.language.target_kind import TargetKind
from dlrun.shapes import Shape

if TYPE_CHECKING:
    import torch


class Perplexity(Metric):
    """The exponential of the mean cross entropy, without label smoothing: among how many equally likely classes a guess
    would be as hard.

    Shape: exp(-mean(log(p[y]))), p = softmax(outputs)
    Reference: Jelinek, Mercer, Bahl and Baker, Perplexity: a measure of the difficulty of speech recognition tasks,
        1977.
    Example: perplexity
    """

    synonyms = ("ppl",)
    suits = frozenset({"classes"})
    greater_is_better = False

    def measure(self, output: torch.Tensor, target: torch.Tensor, output_form: OutputForm) -> torch.Tensor:
        import torch
        from torch.nn import functional

        each = functional.cross_entropy(output, target, reduction="none")
        return torch.stack((each.sum(dtype=torch.float64), each.new_full((), len(target), dtype=torch.float64)))

    def held_bytes(self, rows: int, output: Shape, wants: TargetKind) -> int:
        return 8 * 2

    def value(self, measured: torch.Tensor, output: Shape, of: int | None) -> torch.Tensor:
        return (measured[0] / measured[1]).exp()
