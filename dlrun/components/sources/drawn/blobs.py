from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from dlrun.components.sources import SourceError, Table
from dlrun.components.sources.drawn._drawn import Drawn
from dlrun.language.fields import NonNegative, Positive

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


class Blobs(Drawn):
    """Round Gaussian clusters, a class each, with centers between -10 and 10; scikit-learn draws them.

    Shape: (features,)
    Reference: scikit-learn user guide, section Generated datasets: make_blobs.
    Example: blobs: {rows: 500, classes: 4, features: 3, noise: 2.0}
    """

    synonyms = ("make_blobs", "clusters")

    classes: Annotated[int, Field(ge=2)] = 3
    """How many clusters."""
    features: Positive = 2
    """How many numbers in each row."""
    noise: NonNegative = 1.0
    """The standard deviation of the points around the center of their cluster."""

    def open(self, folder: Path, whole: bool = True) -> Table:
        if self.classes > self.rows:
            message = f"{self.rows} rows are too few for {self.classes} classes"
            raise SourceError(message, ("source", self.kind, "classes"), "each class needs a row")
        return super().open(folder, whole)

    def width(self) -> int:
        return self.features

    def counts(self) -> Mapping[str, int]:
        each, more = divmod(self.rows, self.classes)
        return {str(number): each + (number < more) for number in range(self.classes)}

    def draw(self) -> tuple[Array, Array]:
        return self.by_scikit_learn(n_features=self.features, centers=self.classes, cluster_std=self.noise)
