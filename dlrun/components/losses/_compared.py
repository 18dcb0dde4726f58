"""The base of the losses that compare outputs with values of the same shape, wherever these come from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.losses import DATA, Compared, Loss
from dlrun.language.fields import NameOrNumber
from dlrun.shapes import Shape, ShapeError, show

if TYPE_CHECKING:
    import torch


class ComparingLoss(Loss):
    """Compares outputs with values of the same shape, number by number."""

    target: NameOrNumber = DATA
    """What the outputs are compared with: the target of the data (`data`), the network's `input` (an autoencoder), or
    where there are several the name of one; another output by its name; or a number, such as `1`."""
    target_gradient: bool = False
    """Whether the gradient reaches the other output that the outputs are compared with; it then learns too."""

    @property
    def compared_with(self) -> str | float:
        return self.target

    @property
    def follows_target(self) -> bool:
        return self.target_gradient

    def compare(self, output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """The mean loss of outputs and of what they are compared with."""
        raise NotImplementedError

    def mean(self, batch: Compared) -> torch.Tensor:
        return self.compare(batch.output, batch.target)


def need_same_shape(output: Shape, target: Shape) -> None:
    """Hold outputs to the shape of what they are compared with.

    Raises:
        ShapeError: they have another one.
    """
    wanted = target or (1,)
    if output != wanted:
        raise ShapeError(
            f"the target needs outputs of shape {show(wanted)}; the network outputs {show(output)}",
            f"end in `- linear: {wanted[0]}`" if len(wanted) == 1 else "",
        )
