from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from dlrun.components.preprocess import FittedState, Map, TrainingRows
from dlrun.components.preprocess._affine import Samples, fitting, need_finite
from dlrun.components.preprocess._quantiles import quantiles, quantiles_bytes
from dlrun.shapes import Shape, numel

if TYPE_CHECKING:
    import numpy as np

    from dlrun.modules.bent_maps import Quantiles


class Quantile(Map):
    """Give each number of a row a uniform or normal distribution over the training rows, whatever it was before: a
    number becomes the share of the training rows that are below it.

    A number below or above all training rows becomes the end of the distribution: 0 or 1, or -5.2 or 5.2. A number
    that is the same in all training rows becomes 0, also where it differs in other rows.

    Shape: same as the input. y = F(x), for `normal` the inverse normal distribution function of F(x); F is linear
        between the quantiles
    Reference: Conover, Practical nonparametric statistics, 1999, section 5.10; scikit-learn's QuantileTransformer.
    Example: quantile: normal
    """

    elementwise, one_way = True, ""
    synonyms = ("quantile_transformer", "quantile_transform", "rank_gauss")

    output_distribution: Literal["uniform", "normal"] = "uniform"
    """Uniform from 0 to 1, or normal with mean 0 and variance 1."""
    n_quantiles: Annotated[int, Field(ge=2)] = 1000
    """How many quantiles are learned; no more than there are training rows."""

    def fitted(self, shape: Shape, output: Shape, rows: int) -> dict[str, Shape]:
        return {"quantiles": (self._count(rows), *shape)}

    def formulas(self, shape: Shape, output: Shape) -> list[str]:
        share = "share of the training rows below x"
        return [
            f"{share if self.output_distribution == 'uniform' else f'normal quantile of the {share}'}"
            f" for each of {numel(shape)} numbers"
        ]

    def fit(self, rows: TrainingRows, target: np.ndarray[Any, Any], classes: int | None) -> FittedState:
        import numpy as np

        count = self._count(len(rows))
        with fitting():
            found = quantiles(Samples(rows), 100 * np.linspace(0, 1, count))
            found = np.maximum.accumulate(found)  # where rounding turned the order around
        return need_finite({"quantiles": found.reshape(count, *rows.shape)})

    def fit_bytes(self, rows: int, numbers: int) -> int:
        return quantiles_bytes(rows, numbers, self._count(rows))

    def build(self, state: FittedState) -> Quantiles:
        import torch

        from dlrun.modules.bent_maps import Quantiles

        return Quantiles(torch.tensor(state["quantiles"]), self.output_distribution)

    def _count(self, rows: int) -> int:
        return max(2, min(self.n_quantiles, rows))
