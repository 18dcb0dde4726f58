from __future__ import annotations

import gzip
from array import array
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from dlrun.components.sources import Source, Table
from dlrun.components.sources._known import Known

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


class Sklearn(Source):
    """One of the small data sets that are part of scikit-learn; nothing is downloaded.

    The columns have scikit-learn's names; the one to predict is `target`, and so it is unless `data.target` names
    another.

    Shape: (64,) for digits, (4,) for iris, (13,) for wine, (30,) for breast_cancer, (10,) for diabetes
    Reference: scikit-learn user guide, section Toy datasets; Pedregosa et al., Scikit-learn: machine learning
        in Python, 2011.
    Example: sklearn: digits
    """

    synonyms = ("sk", "scikit_learn", "dataset")

    name: Literal["digits", "iris", "wine", "breast_cancer", "diabetes"]
    """digits: handwritten digits of 8x8 points, from 0 to 16. iris, wine, breast_cancer: measurements with
    classes. diabetes: measurements with a number to predict."""

    def open(self, folder: Path, whole: bool = True) -> Table:
        published = PUBLISHED[self.name]

        def load() -> tuple[Array, Array]:
            from sklearn import datasets

            return getattr(datasets, f"load_{self.name}")(return_X_y=True)

        counts = dict(zip(published.labels, published.counts, strict=True))
        return Known(self.name, published.rows, published.columns, counts, load, _targets(published))

    def origin(self) -> tuple[str, str]:
        return self.name, f"{self.kind}:{self.name}"


@dataclass(frozen=True, slots=True)
class _Published:
    """A data set as scikit-learn's documentation describes it, so nothing needs to be loaded."""

    rows: int
    columns: tuple[str, ...]
    labels: tuple[str, ...] = ()
    """The names of classes 0, 1, …; empty where the target is a number."""
    counts: tuple[int, ...] = ()
    """How many rows each class has."""
    file: str = ""
    """The file of scikit-learn that has each row's target in its last column."""


_CELL = (
    *("radius", "texture", "perimeter", "area", "smoothness", "compactness", "concavity", "concave points"),
    *("symmetry", "fractal dimension"),
)
_WINE = (
    *("alcohol", "malic_acid", "ash", "alcalinity_of_ash", "magnesium", "total_phenols", "flavanoids"),
    *("nonflavanoid_phenols", "proanthocyanins", "color_intensity", "hue", "od280/od315_of_diluted_wines", "proline"),
)
PUBLISHED = {
    "digits": _Published(
        1797,
        tuple(f"pixel_{row}_{column}" for row in range(8) for column in range(8)),
        tuple("0123456789"),
        (178, 182, 177, 183, 181, 182, 181, 179, 174, 180),
        "digits.csv.gz",
    ),
    "iris": _Published(
        150,
        ("sepal length (cm)", "sepal width (cm)", "petal length (cm)", "petal width (cm)"),
        ("setosa", "versicolor", "virginica"),
        (50, 50, 50),
        "iris.csv",
    ),
    "wine": _Published(178, _WINE, ("class_0", "class_1", "class_2"), (59, 71, 48), "wine_data.csv"),
    "breast_cancer": _Published(
        569,
        (*(f"mean {n}" for n in _CELL), *(f"{n} error" for n in _CELL), *(f"worst {n}" for n in _CELL)),
        ("malignant", "benign"),
        (212, 357),
        "breast_cancer.csv",
    ),
    "diabetes": _Published(
        442, ("age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6"), file="diabetes_target.csv.gz"
    ),
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
