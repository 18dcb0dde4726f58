from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from dlrun.components.sources import Source, Table
from dlrun.components.sources._known import Known

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


class Drawn(Source):
    """Points drawn at random: columns x1, x2, … and `target`, which is predicted unless `data.target` names another."""

    rows: Annotated[int, Field(ge=2)] = 500
    """How many points."""
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    """Decides which points are drawn; the experiment's seed does not, so that its runs learn from the same data."""

    def open(self, folder: Path, whole: bool = True) -> Table:
        columns = tuple(f"x{number}" for number in range(1, self.width() + 1))
        return Known(self.kind, self.rows, columns, self.counts(), self.draw)

    def width(self) -> int:
        """How many columns there are besides the target."""
        raise NotImplementedError

    def counts(self) -> Mapping[str, int]:
        """How many rows each class has; empty where the target is a number."""
        raise NotImplementedError

    def draw(self) -> tuple[Array, Array]:
        """The columns (rows, width) and the target (rows,)."""
        raise NotImplementedError

    def by_scikit_learn(self, **settings: Any) -> tuple[Array, Array]:
        """What scikit-learn's function for this kind draws."""
        from sklearn import datasets

        found = getattr(datasets, f"make_{self.kind}")(self.rows, random_state=self.seed, **settings)
        return found[0], found[1]


def halves(rows: int) -> dict[str, int]:
    """Two classes, the second one row larger where the rows are odd."""
    return {"0": rows // 2, "1": rows - rows // 2}
