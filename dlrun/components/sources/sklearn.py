from __future__ import annotations

import gzip
from array import array
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from dlrun.components.sources import Field, Source, SourceError, Table, Texts
from dlrun.errors import SpecPath

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

TARGET = "target"
"""The field to predict, in each set."""


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
        return _Set(self.name)

    def origin(self) -> tuple[str, str]:
        return self.name, f"{self.kind}:{self.name}"


class _Set(Table):
    """A set of scikit-learn, loaded once a value of it is asked for."""

    at = ("source",)
    own_target = TARGET

    def __init__(self, name: str):
        self.name, self.published = name, PUBLISHED[name]
        self.rows = self.read_rows = self.published.rows
        self.fields = {column: Field(column, "number") for column in (*self.published.columns, TARGET)}
        self._loaded: tuple[Array, Array] | None = None
        self._targets = _targets(self.published)

    def read(
        self, numbers: Mapping[str, SpecPath], texts: Mapping[str, SpecPath], lacking: Collection[str] = ()
    ) -> None:
        for name, at in texts.items():
            if name != TARGET or not self.published.labels:
                what = "target" if name == TARGET else f"column '{name}'"
                message = f"the {what} of {self.name} is a number"
                hint = "use `loss: mse` or `l1`, or a data set with classes"
                raise SourceError(f"{message}, but the loss needs classes", at, hint)

    def numbers(self, names: Sequence[str]) -> Array:
        import numpy as np

        if list(names) == [TARGET] and self._targets is not None and self._loaded is None:
            return np.array(self._targets)[:, np.newaxis]
        features, target = self._load()
        if list(names) == [*self.published.columns]:
            return features
        columns = [target if name == TARGET else features[:, self.published.columns.index(name)] for name in names]
        return np.stack(columns, axis=1)

    def texts(self, name: str) -> Texts:
        import numpy as np

        numbers = self._load()[1] if self._targets is None else np.array(self._targets)
        return Texts(self.published.labels, numbers.astype(np.int64))

    def is_cheap(self, names: Sequence[str]) -> bool:
        return list(names) == [TARGET] and self._targets is not None

    def counts(self, name: str) -> Mapping[str, int] | None:
        return dict(zip(self.published.labels, self.published.counts, strict=True))

    def _load(self) -> tuple[Array, Array]:
        if self._loaded is None:
            from sklearn import datasets

            self._loaded = getattr(datasets, f"load_{self.name}")(return_X_y=True)
            assert self._loaded is not None
        return self._loaded


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
