from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import PlainValidator, model_validator

from dlrun.components.preprocess import FittedState, Map, TrainingRows
from dlrun.components.preprocess._affine import Samples, fitting, need_finite
from dlrun.components.preprocess._quantiles import in_order, pair_schema, quantiles, quantiles_bytes
from dlrun.language.component import checked
from dlrun.shapes import Shape, numel

if TYPE_CHECKING:
    import numpy as np

    from dlrun.modules.bent_maps import Clip as Module


class Clip(Map):
    """Put a bound in place of each number of a row that is beyond it: bounds that are given, or quantiles of the
    training rows.

    Shape: same as the input. y = min(max(x, low), high)
    Reference: Tukey, The future of data analysis, 1962, on winsorizing.
    Example: clip: {quantiles: [0.01, 0.99]}
    """

    elementwise, one_way = True, "makes one number of all those beyond a bound"
    synonyms = ("clamp", "winsorize", "clip_by_value")

    min: float | None = None
    """The lower bound of all numbers; none unless given."""
    max: float | None = None
    """The upper bound of all numbers; none unless given."""
    quantiles: Annotated[
        tuple[float, float] | None,
        PlainValidator(checked(in_order("'quantiles' is a list of two shares from 0 to 1 in order, [0.01, 0.99]", 1))),
        pair_schema(1),
    ] = None
    """[low, high]: instead of given bounds, for each number its quantiles of these shares of the training rows."""

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        given = self.min is not None or self.max is not None
        if given == (self.quantiles is not None):
            raise ValueError("give either bounds, `min` or `max` or both, or `quantiles`")
        if self.min is not None and self.max is not None and not self.min < self.max:
            raise ValueError(f"min is below max; received {self.min:g} and {self.max:g}")
        return self

    def fitted(self, shape: Shape, output: Shape, rows: int) -> dict[str, Shape]:
        return {"min": shape, "max": shape} if self.quantiles is not None else {}

    def formulas(self, shape: Shape, output: Shape) -> list[str]:
        if self.quantiles is not None:
            low, high = (f"quantile {share:g}" for share in self.quantiles)
        else:
            low, high = ("" if bound is None else f"{bound:g}" for bound in (self.min, self.max))
        words = f"from {low} to {high}" if low and high else f"at least {low}" if low else f"at most {high}"
        return [f"{words} for each of {numel(shape)} numbers"]

    def fit(self, rows: TrainingRows, target: np.ndarray[Any, Any], classes: int | None) -> FittedState:
        import numpy as np

        if self.quantiles is None:
            return {}
        with fitting():
            low, high = quantiles(Samples(rows), 100 * np.array(self.quantiles))
        return need_finite({"min": low.reshape(rows.shape), "max": high.reshape(rows.shape)})

    def fit_bytes(self, rows: int, numbers: int) -> int:
        return quantiles_bytes(rows, numbers, 2) if self.quantiles is not None else 0

    def build(self, state: FittedState) -> Module:
        import torch

        from dlrun.modules.bent_maps import Clip as Module

        if self.quantiles is None:
            return Module(self.min, self.max)
        return Module(torch.tensor(state["min"]), torch.tensor(state["max"]))
