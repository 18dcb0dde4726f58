from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.losses import OutputForm
from dlrun.components.losses._classes import ClassesLoss, need_class_outputs
from dlrun.shapes import Shape, ShapeError

if TYPE_CHECKING:
    import torch


class Nll(ClassesLoss):
    """Minus the log likelihood of the correct class, for a network that ends in `log_softmax`.

    `cross_entropy` of the logits under it is the same value.

    Shape: as `cross_entropy`. -x[y], where x are the logs of probabilities
    Reference: Bishop, Pattern Recognition and Machine Learning, 2006, section 4.3.4.
    Example: nll
    """

    synonyms = ("nll_loss", "negative_log_likelihood")

    def check(self, output: Shape, target: Shape, classes: int | None, output_form: OutputForm) -> None:
        if output_form != "log_distribution":
            raise ShapeError(
                "nll takes the logs of probabilities, as `log_softmax` gives them",
                "end in `- log_softmax`, or use `cross_entropy`, which takes logits",
            )
        need_class_outputs(self.kind, output, target, classes)

    def rows(self, output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        if target.is_floating_point():
            return -(output * target).sum(1)
        return -output.gather(1, target[:, None]).squeeze(1)
