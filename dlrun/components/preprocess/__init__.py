"""Preprocessing: the components of `data.preprocess`, fitted on the training rows only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

from dlrun.components.preprocess._rows import TrainingRows
from dlrun.errors import LocatedError
from dlrun.language.component import Component
from dlrun.language.field_type import FieldType
from dlrun.language.fields import Names
from dlrun.shapes import Shape

if TYPE_CHECKING:
    import numpy as np

    from dlrun.modules.frozen_map import FrozenMap

    Array = np.ndarray[Any, Any]

Learned = dict[str, Any]
"""What an encoder has learned of a column, as JSON has it."""
FittedState = dict[str, "np.ndarray[Any, Any]"]
"""The numbers that a step has learned, by name; float64, so nothing is rounded before the network's own precision."""


class FitError(LocatedError):
    """The step cannot be fitted on the training rows; `hint` is a way out."""


class EncodeError(LocatedError):
    """A column cannot be encoded. With `row`, the message is about the value in that row, which is shown before it."""

    def __init__(self, message: str, hint: str = "", row: int | None = None):
        super().__init__(message, hint)
        self.row = row


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """A named column on the way to the network: numbers, or texts."""

    name: str
    numbers: Array | None = None
    """(N,) float64, NaN where the value is missing, or int32 of indices; None where the column is of texts."""
    texts: tuple[str, ...] = ()
    """The distinct texts, where the column is of texts."""
    codes: Array | None = None
    """(N,) for each row the index of its text, -1 where it is missing."""

    @property
    def missing(self) -> Array:
        """(N,) whether the value is missing."""
        import numpy as np

        return self.codes < 0 if self.codes is not None else np.isnan(self.numbers)  # type: ignore[arg-type]


class Preprocess(Component):
    """A step between the data and the network, learned from the training rows."""

    family: ClassVar[str] = "preprocess"

    input: str | None = None
    """The name of the network's input whose rows it changes; required where there are several, unless `columns` names
    columns of one of them."""
    columns: Names | None = None
    """Names or patterns (`*`, `?`) of the columns that it changes; all that it suits unless given."""


class Encoder(Preprocess):
    """Turns columns of texts, or of numbers with missing values, into columns of numbers, on the processor.

    What it learns is kept as JSON with the run.
    """

    takes: ClassVar[tuple[FieldType, ...]]
    """The types of the columns that it changes unless `columns` names them."""
    reads: ClassVar[FieldType | None] = None
    """The type as which it reads a column that `columns` names; None: the type that the column has."""
    fills: ClassVar[bool] = False
    """Whether it gives values to rows that have none."""
    own_input: ClassVar[bool] = False
    """Whether the columns that it makes of one are an input of their own."""

    def learn(self, column: Column) -> Learned:
        """Learn from the training rows of a column, whose texts are all of which some training row has.

        Raises:
            EncodeError: there is nothing to learn from.
        """
        raise NotImplementedError

    def index_count(self, learned: Learned) -> int | None:
        """How many indices, from 0 on, a column that it makes can have; None where it does not make indices."""
        return None

    def encode(self, column: Column, learned: Learned) -> list[Column]:
        """The columns that come in place of a column, for any rows.

        Raises:
            EncodeError: a row cannot be encoded.
        """
        raise NotImplementedError


class Map(Preprocess):
    """A map of each row whose numbers, if it has any, are learned from the training rows.

    It is planned like a layer and becomes a frozen module before the network.
    """

    elementwise: ClassVar[bool] = False
    """Whether each number is changed by itself."""
    one_way: ClassVar[str] = "mixes the numbers of a row"
    """Why what it does to a row cannot be computed back; '' where it can."""

    def output_shape(self, shape: Shape, rows: int, classes: int | None) -> tuple[Shape, bool]:
        """The output shape, and whether it is known before fitting; if not, it is the largest possible one.

        Args:
            shape: the shape of one row.
            rows: number of training rows.
            classes: number of classes of the target; None where it is numbers.

        Raises:
            ShapeError: the step cannot be fitted on this number of rows of this shape.
        """
        return shape, True

    def fitted(self, shape: Shape, output: Shape, rows: int) -> dict[str, Shape]:
        """The shapes of the learned numbers, under the keys of the result of `fit`."""
        return {}

    def formulas(self, shape: Shape, output: Shape) -> list[str]:
        """The formulas of the step with the numbers of this input."""
        return []

    def fit(self, rows: TrainingRows, target: np.ndarray[Any, Any], classes: int | None) -> FittedState:
        """Learn from the training rows.

        Args:
            rows: (N, ...), in float64, block by block.
            target: their class numbers (N,), or their numbers (N, ...).
            classes: number of classes of the target; None where it is numbers.

        Raises:
            FitError: the step cannot be fitted on these rows.
            OutOfDomainError: the step is not defined for a number of a row.
        """
        return {}

    def fit_bytes(self, rows: int, numbers: int) -> int:
        """About the bytes that fitting takes besides the loaded rows; `numbers` is how many a training row has."""
        return 0

    def settled(self, state: FittedState) -> Self:
        """The step with every size that fitting has decided as a setting, to plan again."""
        return self

    def build(self, state: FittedState) -> FrozenMap:
        """The frozen module: maps raw rows (N, ...) to preprocessed rows."""
        raise NotImplementedError
