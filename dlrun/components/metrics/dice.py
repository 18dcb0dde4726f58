from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.metrics._class_score import ClassScore

if TYPE_CHECKING:
    import torch


class Dice(ClassScore):
    """The Dice coefficient: twice the intersection of what a class is predicted for and where it is, over their sizes.

    It is the f1 of the pixels, over all pixels of all rows together. NaN for a class that neither occurs nor is
    predicted. For several binary outputs, for each output.

    Shape: 2*TP / (2*TP + FP + FN), for each class, then averaged
    Reference: Dice, Measures of the amount of ecologic association between species, 1945.
    Example: dice: macro
    """

    synonyms = ("dice_score", "dice_coefficient", "dsc", "sorensen_dice")

    def ratio(
        self, hits: torch.Tensor, answers: torch.Tensor, occurrences: torch.Tensor, rows: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        return 2 * hits, answers + occurrences
