from __future__ import annotations

import gzip
from array import array
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from dlrun.components.sources import Request, Rows, Source, SourceError, SourceInfo
from dlrun.components.sources._labels import need_labels


class Sklearn(Source):
    """One of the small data sets that are part of scikit-learn; nothing is downloaded.

    Shape: (64,) for digits, (4,) for iris, (13,) for wine, (30,) for breast_cancer, (10,) for diabetes
    Reference: scikit-learn user guide, section Toy datasets; Pedregosa et al., Scikit-learn: machine learning
        in Python, 2011.
    Example: sklearn: digits
    """

    synonyms = ("sk", "scikit_learn", "dataset")

    name: Literal["digits", "iris", "wine", "breast_cancer", "diabetes"]
    """digits: handwritten digits of 8x8 points, from 0 to 16. iris, wine, breast_cancer: measurements with
    classes. diabetes: measurements with a number to predict."""

    def describe(self, request: Request) -> SourceInfo:
        for setting, names in (("features", request.features), ("target", request.target)):
            if names is not None:
                message = f"{self.name} comes with its own features and target"
                raise SourceError(message, (setting,), f"remove `{setting}`")
        published = PUBLISHED[self.name]
        labels = None
        if request.wants in ("classes", "binary"):
            if not published.labels:
                message = f"the target of {self.name} is a number, but the loss needs classes"
                raise SourceError(message, ("source",), "use `loss: mse` or `l1`, or a data set with classes")
            labels = need_labels(published.labels, request.wants, self.name, ("source",))
        info = SourceInfo(published.rows, (published.features,), (), labels)
        targets = _targets(published)
        if labels is None:
            return replace(info, values=targets)
        return replace(info, counts=published.counts, classes=targets and array("i", map(int, targets)))

    def origin(self) -> tuple[str, str]:
        return self.name, f"{self.kind}:{self.name}"

    def load(self, request: Request) -> Rows:
        import numpy as np
        from sklearn import datasets

        labels = self.describe(request).labels
        features, target = getattr(datasets, f"load_{self.name}")(return_X_y=True)
        return Rows(features, np.array(labels)[target] if labels else target)


@dataclass(frozen=True, slots=True)
class _Published:
    """A data set as scikit-learn's documentation describes it, so nothing needs to be loaded."""

    rows: int
    features: int
    labels: tuple[str, ...]
    """The names of classes 0, 1, …; empty where the target is a number."""
    counts: tuple[int, ...] = ()
    """How many rows each class has."""
    file: str = ""
    """The file of scikit-learn that has each row's target in its last column."""


PUBLISHED = {
    "digits": _Published(
        1797, 64, tuple("0123456789"), (178, 182, 177, 183, 181, 182, 181, 179, 174, 180), "digits.csv.gz"
    ),
    "iris": _Published(150, 4, ("setosa", "versicolor", "virginica"), (50, 50, 50), "iris.csv"),
    "wine": _Published(178, 13, ("class_0", "class_1", "class_2"), (59, 71, 48), "wine_data.csv"),
    "breast_cancer": _Published(569, 30, ("malignant", "benign"), (212, 357), "breast_cancer.csv"),
    "diabetes": _Published(442, 10, (), (), "diabetes_target.csv.gz"),
}


def _targets(published: _Published) -> array[float] | None:
    """Each row's target, read without importing scikit-learn, which takes a second; None where it is not known, because
    scikit-learn is not installed, or has another file."""
    package = find_spec("sklearn")
    for folder in (package.submodule_search_locations or ()) if package else ():
        file = Path(folder) / "datasets" / "data" / published.file
        try:
            content = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
            cells = [line.rpartition(b",")[2] for line in content.splitlines()[-published.rows :]]
            targets = array("d", map(float, cells))
        except (OSError, EOFError, ValueError):
            continue
        counts = tuple(targets.count(number) for number in range(len(published.labels)))
        if len(targets) == published.rows and counts == published.counts:
            return targets
    return None
