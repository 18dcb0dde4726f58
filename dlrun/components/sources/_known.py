"""A table of columns of numbers of which all is known before a row is there: sets of scikit-learn, and drawn ones."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dlrun.components.sources import Field, SourceError, Table, Texts
from dlrun.errors import SpecPath

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

TARGET = "target"
"""The field to predict, in each set."""


class Known(Table):
    """Columns and a target, loaded once a value of them is asked for.

    Args:
        name: what the data is called.
        rows: how many rows there are.
        columns: the names of the columns but the target.
        classes: how many rows each class 0, 1, … has, by its name; empty where the target is a number.
        load: makes the columns (rows, columns) and the target (rows,).
        targets: each row's target, where it is known without `load`, which takes long.
    """

    at = ("source",)
    own_target = TARGET

    def __init__(
        self,
        name: str,
        rows: int,
        columns: tuple[str, ...],
        classes: Mapping[str, int],
        load: Callable[[], tuple[Array, Array]],
        targets: Sequence[float] | None = None,
    ):
        self.name, self.columns, self.classes = name, columns, classes
        self.rows = self.read_rows = rows
        self.fields = {column: Field(column, "number") for column in (*columns, TARGET)}
        self._load, self._targets = load, targets
        self._loaded: tuple[Array, Array] | None = None

    def read(
        self, numbers: Mapping[str, SpecPath], texts: Mapping[str, SpecPath], lacking: Collection[str] = ()
    ) -> None:
        for name, at in texts.items():
            if name != TARGET or not self.classes:
                what = "target" if name == TARGET else f"column '{name}'"
                message = f"the {what} of {self.name} is a number"
                hint = "use `loss: mse` or `l1`, or a data set with classes"
                raise SourceError(f"{message}, but the loss needs classes", at, hint)

    def numbers(self, names: Sequence[str]) -> Array:
        import numpy as np

        if list(names) == [TARGET] and self._targets is not None and self._loaded is None:
            return np.array(self._targets)[:, np.newaxis]
        features, target = self._columns_and_target()
        if list(names) == [*self.columns]:
            return features
        columns = [target if name == TARGET else features[:, self.columns.index(name)] for name in names]
        return np.stack(columns, axis=1)

    def texts(self, name: str) -> Texts:
        import numpy as np

        numbers = self._columns_and_target()[1] if self._targets is None else np.array(self._targets)
        return Texts(tuple(self.classes), numbers.astype(np.int64))

    def is_cheap(self, names: Sequence[str]) -> bool:
        return list(names) == [TARGET] and self._targets is not None

    def counts(self, name: str) -> Mapping[str, int] | None:
        return self.classes

    def _columns_and_target(self) -> tuple[Array, Array]:
        if self._loaded is None:
            self._loaded = self._load()
        return self._loaded
