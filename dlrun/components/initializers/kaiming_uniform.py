from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.initializers._kaiming import Kaiming

if TYPE_CHECKING:
    import torch


class KaimingUniform(Kaiming):
    """Uniform distribution, with a spread that keeps the variance through layers that are followed by relu.

    Shape: w ~ U(-b, b), b = gain*sqrt(3 / fan); gain is sqrt(2) for relu
    Reference: He, Zhang, Ren and Sun, Delving deep into rectifiers, 2015.
    Example: kaiming_uniform
    """

    synonyms = ("he_uniform",)

    def fill(self, weight: torch.Tensor) -> None:
        from torch.nn import init

        init.kaiming_uniform_(weight, self.a, self.mode, self.nonlinearity)
