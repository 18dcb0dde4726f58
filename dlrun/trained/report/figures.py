"""What a report holds, as plain values. A figure that is not defined is NaN, and null in the data."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Counted:
    """How many answers the figures are of. An answer is that for a row, or for a position of a row."""

    used: int
    """Those that count."""
    unknown: int = 0
    """Those whose truth is not known, or does not count, such as padding."""
    not_finite: int = 0
    """Those in which the network gives no number, or an infinite one: they are in no figure."""


@dataclass(frozen=True, slots=True)
class Curve:
    """A curve of one class against the rest, as points from x = 0 to x = 1; no points where it is not defined."""

    label: str
    area: float
    x: tuple[float, ...] = ()
    y: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Bin:
    """The answers whose probability is in one part of the range from 0 to 1."""

    count: int
    probability: float
    """The mean."""
    share: float
    """The share of them that come true."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """Whether probabilities are the shares of answers that come true."""

    of: str
    """The class whose probability it is; '' for the predicted one, of more than two."""
    error: float
    """The expected calibration error: the difference of both, weighted by the counts of the bins."""
    bins: tuple[Bin, ...]
    """Of equal width, from 0 to 1."""


@dataclass(frozen=True, slots=True)
class Means:
    """The means over the classes. Classes without a value are left out."""

    precision: float
    recall: float
    f1: float


@dataclass(frozen=True, slots=True)
class ClassFigures:
    """How good the answers are for one class."""

    label: str
    rows: int
    """How often it is true."""
    predicted: int
    """How often it is predicted."""
    right: int
    """How often it is both."""
    precision: float
    recall: float
    f1: float
    taken_for: str
    """The class that is predicted most often where this one is true, of all others; '' where there is none."""
    taken: int
    """How often."""

    @property
    def errors(self) -> int:
        """How often it is true and not predicted, or predicted and not true."""
        return self.rows + self.predicted - 2 * self.right


@dataclass(frozen=True, slots=True)
class Matrix:
    """How often each true class (a row) is predicted as each class (a column)."""

    labels: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]
    others: bool
    """Whether the last row and the last column, which have no label, are those of all other classes together."""


@dataclass(frozen=True, slots=True)
class Confusion:
    """How often one class is taken for another."""

    true: str
    predicted: str
    count: int


@dataclass(frozen=True, slots=True)
class WrongClass:
    """An answer that is far from the truth."""

    row: int
    """Its place in the data."""
    position: tuple[int, ...]
    """In the row; () where the whole row is one answer."""
    true: str
    predicted: str
    loss: float
    """Minus the logarithm of the probability of the true class; not defined for scores."""
    values: dict[str, float]
    """The probabilities, or the scores, of the classes with the highest ones and of the true one, from the highest
    on."""


@dataclass(frozen=True, slots=True)
class ClassesReport:
    """How good the answers of an output are that predicts one of several classes."""

    output: str
    field: str
    counted: Counted
    positions: bool
    """Whether a row has several answers."""
    probabilities: bool
    """Whether the network gives probabilities. Of scores there are no curves, no calibration and no losses, since the
    scores of one row cannot be compared with those of another."""
    accuracy: float
    classes: tuple[ClassFigures, ...]
    macro: Means
    """Each class counts the same."""
    weighted: Means
    """Each class counts as often as it is true."""
    matrix: Matrix
    """Of many classes, that of the classes with the most errors."""
    confusions: tuple[Confusion, ...]
    """The most frequent ones."""
    roc: tuple[Curve, ...]
    """The share of the rows of the class that are found (y) against that of the others that are taken for it (x), for
    the classes of the matrix; of two classes, of the second one alone."""
    precision_recall: tuple[Curve, ...]
    """The precision (y) against the recall (x), for the same; the area is the average precision."""
    calibration: Calibration | None
    most_certain: tuple[WrongClass, ...]
    """The wrong answers with the highest probabilities, or scores."""
    highest_loss: tuple[WrongClass, ...]
    kind: Literal["classes"] = "classes"
    known: Literal[True] = True


@dataclass(frozen=True, slots=True)
class WrongYes:
    """An answer that is far from the truth."""

    row: int
    true: bool
    predicted: bool
    probability: float
    """That of a yes."""
    loss: float


@dataclass(frozen=True, slots=True)
class YesOrNoDetails:
    """What plots and tables show of a field."""

    roc: Curve
    precision_recall: Curve
    calibration: Calibration | None
    highest_loss: tuple[WrongYes, ...]


@dataclass(frozen=True, slots=True)
class YesOrNoField:
    """How good the answers for one field are. Precision, recall and f1 are those of yes."""

    field: str
    counted: Counted
    accuracy: float
    precision: float
    recall: float
    f1: float
    counts: tuple[tuple[int, int], tuple[int, int]]
    """How often no, then yes, is true and predicted as no, then yes."""
    details: YesOrNoDetails | None
    """Of many fields, those with the most errors alone have them."""

    @property
    def errors(self) -> int:
        """How many answers are wrong."""
        return self.counts[0][1] + self.counts[1][0]


@dataclass(frozen=True, slots=True)
class YesOrNoReport:
    """How good the answers of an output are that says yes or no for each of its fields."""

    output: str
    probabilities: bool
    """Whether the network gives probabilities; if not, there are no curves, no calibration and no losses."""
    accuracy: float
    """The share of all answers, for any field, that are right."""
    macro: Means
    """Each field counts the same."""
    fields: tuple[YesOrNoField, ...]
    kind: Literal["yes_or_no"] = "yes_or_no"
    known: Literal[True] = True


@dataclass(frozen=True, slots=True)
class WrongNumber:
    """An answer that is far from the truth."""

    row: int
    true: float
    predicted: float
    residual: float
    """The true number minus the predicted one."""


@dataclass(frozen=True, slots=True)
class Histogram:
    """How many numbers are in each of several parts of equal width."""

    low: float
    high: float
    counts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class NumberDetails:
    """What plots and tables show of a field. A residual is the true number minus the predicted one."""

    quantiles: dict[str, float]
    """Of the residuals, by the share of residuals below each, in percent."""
    histogram: Histogram
    """Of the residuals."""
    true: tuple[float, ...]
    """Of some rows, evenly chosen among all in the order of the true numbers."""
    predicted: tuple[float, ...]
    """Of the same rows."""
    largest_errors: tuple[WrongNumber, ...]


@dataclass(frozen=True, slots=True)
class NumberField:
    """How good the answers for one field are, in its unit."""

    field: str
    counted: Counted
    mae: float
    rmse: float
    r2: float
    """Not defined where the true number is the same in all rows."""
    details: NumberDetails | None
    """Of many fields, those with the lowest r2 alone have them."""


@dataclass(frozen=True, slots=True)
class NumbersReport:
    """How good the answers of an output are that predicts numbers."""

    output: str
    fields: tuple[NumberField, ...]
    kind: Literal["numbers"] = "numbers"
    known: Literal[True] = True


@dataclass(frozen=True, slots=True)
class NotKnown:
    """An output of rows whose truth is not known: nothing can be said of it."""

    output: str
    kind: Literal["classes", "yes_or_no", "numbers"]
    known: Literal[False] = False


FigureName = Literal["accuracy", "mae"]
OutputReport = ClassesReport | YesOrNoReport | NumbersReport | NotKnown


@dataclass(frozen=True, slots=True)
class Risk:
    """The mean cost of deciding in some way."""

    of: str
    expected: float
    """By the probabilities that the network gives."""
    observed: float
    """By what is true; not defined where that is not known."""


@dataclass(frozen=True, slots=True)
class Rate:
    """A share of some rows, with the interval that holds the share of all rows with a confidence of 95%."""

    count: int
    rows: int
    share: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class DecisionReport:
    """What the decision of an output comes to."""

    output: str
    kind: str
    rows: int
    """Without those for which the network gives no finite number."""
    rejected: int
    threshold: float | None
    """For the probability of `positive`; None for a decision by costs."""
    positive: str
    detection: Rate | None
    """How many rows of `positive` are taken for it."""
    false_alarm: Rate | None
    """How many of the other rows are."""
    risks: tuple[Risk, ...]
    """First that of the network's decisions, then those of always deciding for one class."""
    may_reject: bool


@dataclass(frozen=True, slots=True)
class GroupFigure:
    """The main figure of an output, or of a field, in a group."""

    output: str
    field: str
    """'' where it is that of the whole output."""
    name: FigureName
    value: float


@dataclass(frozen=True, slots=True)
class Group:
    """The rows with one value in a column."""

    name: str
    """The value; '' where several groups are joined."""
    rows: int
    joined: int
    """How many groups of one row each are joined in this one; 0 where it is a group of its own."""
    figures: tuple[GroupFigure, ...]


@dataclass(frozen=True, slots=True)
class Grouping:
    """The groups of a column: the largest first, and at the end those of one row, joined."""

    column: str
    groups: tuple[Group, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """How good the answers of a network are on some rows."""

    rows: int
    metrics: dict[str, float]
    outputs: tuple[OutputReport, ...]
    groups: tuple[Grouping, ...]
    decisions: tuple[DecisionReport, ...] = ()
    """Of the outputs that have one."""

    def as_data(self) -> dict[str, Any]:
        """The report as JSON-ready data: a number that is not finite is None."""
        return _finite(asdict(self))


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
