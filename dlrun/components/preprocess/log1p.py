from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dlrun.components.preprocess import FittedState, Map, TrainingRows
from dlrun.shapes import Shape, numel

if TYPE_CHECKING:
    import numpy as np

    from dlrun.modules.bent_maps import Log1p as Module


class Log1p(Map):
    """Take the logarithm of 1 plus each number of a row: for numbers of very different sizes, as counts and prices are.

    A number of -1 or less has none, and is an error: in training rows, in validation and test rows, and in the rows
    that a saved network takes.

    Shape: same as the input. y = log(1 + x)
    Reference: Tukey, Exploratory data analysis, 1977, chapter 3.
    Example: log1p: {columns: [income, "visits_*"]}
    """

    elementwise, one_way = True, ""
    synonyms = ("log", "log1p_transform", "log_transform")

    def formulas(self, shape: Shape, output: Shape) -> list[str]:
        return [f"log(1 + x) for each of {numel(shape)} numbers"]

    def fit(self, rows: TrainingRows, target: np.ndarray[Any, Any], classes: int | None) -> FittedState:
        import torch

        from dlrun.modules.frozen_map import OutOfDomainError

        module, start = self.build({}), 0
        for block in rows.blocks():
            try:
                module.exact(torch.from_numpy(block))
            except OutOfDomainError as error:
                raise OutOfDomainError(error.message, start + error.row, error.number, error.value) from None
            start += len(block)
        return {}

    def build(self, state: FittedState) -> Module:
        from dlrun.modules.bent_maps import Log1p as Module

        return Module()
