from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.losses import Compared, OutputForm
from dlrun.components.losses._numbers import NumbersLoss
from dlrun.shapes import Shape, ShapeError

if TYPE_CHECKING:
    import torch


class KlDivergence(NumbersLoss):
    """The Kullback-Leibler divergence of the target's probabilities from the predicted ones: `cross_entropy` less the
    entropy of the target, so that its least value is 0.

    The target has the probability of each class. The outputs are logits, or probabilities or their logs after a final
    `softmax` or `log_softmax`. The target may be another output that ends in a softmax, such as that of a teacher.

    Shape: output (classes,), target (classes,). sum(y * (log(y) - log(p))), the mean over the rows
    Reference: Kullback and Leibler, On information and sufficiency, 1951.
    Example: kl_divergence
    """

    synonyms = ("kl_div", "kl_div_loss", "kld", "kullback_leibler_divergence")
    target_sum = 1.0
    lowest_target = 0.0

    def check(self, output: Shape, target: Shape, classes: int | None, output_form: OutputForm) -> None:
        if output_form in ("probabilities", "log_probabilities"):
            raise ShapeError(
                "kl_divergence is for probabilities that sum to 1, and a sigmoid makes independent ones",
                "remove the final sigmoid: the loss applies the softmax itself",
            )
        super().check(output, target, classes, output_form)

    def mean(self, batch: Compared) -> torch.Tensor:
        import torch

        output, target = batch.output, batch.target
        if batch.output_form == "distribution":
            logs = output.clamp(min=torch.finfo(output.dtype).tiny).log()
        else:
            logs = output if batch.output_form == "log_distribution" else output.log_softmax(-1)
        return (torch.special.xlogy(target, target) - target * logs).sum() / len(output)
