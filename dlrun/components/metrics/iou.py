from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.metrics._class_score import ClassScore

if TYPE_CHECKING:
    import torch


class Iou(ClassScore):
    """The intersection over the union of what a class is predicted for and where it is: the Jaccard index.

    For the class of every pixel it is over all pixels of all rows together. NaN for a class that neither occurs nor is
    predicted. For several binary outputs, for each output.

    Shape: TP / (TP + FP + FN), for each class, then averaged
    Reference: Jaccard, The distribution of the flora in the alpine zone, 1912; as sklearn.metrics.jaccard_score.
    Example: iou: macro
    """

    synonyms = ("jaccard", "jaccard_score", "jaccard_index", "mean_iou", "miou", "intersection_over_union")

    def ratio(
        self, hits: torch.Tensor, answers: torch.Tensor, occurrences: torch.Tensor, rows: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        return hits, answers + occurrences - hits
