"""The tables of a report: for the screen and for the page alike."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from dlrun.language.labels import shown
from dlrun.trained.report.figures import (
    ClassesReport,
    ClassFigures,
    Counted,
    Grouping,
    NotKnown,
    NumberField,
    NumbersReport,
    OutputReport,
    Report,
    WrongClass,
    YesOrNoReport,
)
from dlrun.trained.report.means import Scored
from dlrun.views.grid import Grid, and_more, distinct, fitting, show_value

LONGEST = 24
"""Characters of a name or a label."""
MOST_LINES = 20
"""Classes, fields and groups that a table shows."""
MOST_PROBABILITIES = 3
"""Of a row, on the screen."""
OTHERS = "all others"
NO_TRUTH = "The true values of these rows are not known, so there is nothing to compare with."


def whole(report: Report, width: int) -> Iterator[Grid]:
    """All tables, as wide as the screen is."""
    if report.metrics:
        yield metrics(report)
    for one in report.outputs:
        for grid in of_output(one, prefix(report, one), width):
            yield _cut(grid, width)
    for one in report.groups:
        yield _cut(groups(one), width)


def metrics(report: Report) -> Grid:
    """The metrics, one below the other."""
    rows = tuple((shown(name), show_value(value)) for name, value in report.metrics.items())
    return Grid("Metrics", ("metric", "value"), rows, ("value",))


def prefix(report: Report, output: OutputReport) -> str:
    """What stands before the titles of an output; '' where there is only one."""
    return f"{output.output}: " if len(report.outputs) > 1 else ""


def of_output(one: OutputReport, before: str, width: int) -> Iterator[Grid]:
    """The tables of an output for a screen."""
    if isinstance(one, NotKnown):
        yield not_known(one)
    elif isinstance(one, ClassesReport):
        if not one.counted.used:
            yield nothing_counts(one, before)
            return
        yield classes(one, before)
        table = matrix(one, before)
        yield table if fitting(table.columns, table.rows, width) == len(table.columns) else confusions(one, before)
        yield calibration(one, before)
        yield from wrong_classes(one, before, MOST_PROBABILITIES)
    elif isinstance(one, YesOrNoReport):
        yield yes_or_no(one, before)
        yield wrong_yes(one, before)
    else:
        yield numbers(one, before)
        if any(item.details for item in one.fields):
            yield residuals(one, before)
            yield largest_errors(one, before)


def not_known(one: NotKnown) -> Grid:
    """What is said of an output whose truth is not known."""
    return Grid(one.output, (), (), below=NO_TRUTH)


# Classes


def nothing_counts(one: ClassesReport, before: str) -> Grid:
    """What is said where no answer counts."""
    return Grid(f"{before}Classes of {name_of(one.field)}", (), (), below="; ".join(_left(one)) or "There are no rows.")


def classes(one: ClassesReport, before: str) -> Grid:
    """A line for each class, and the means over the classes."""
    listed = [item for item in one.classes if item.label in set(one.matrix.labels)]
    areas = {roc.label: (roc.area, both.area) for roc, both in zip(one.roc, one.precision_recall, strict=True)}
    head = ("class", what(one), "recall", "precision", "f1", "ROC area", "average precision", "most often")
    if len(one.classes) <= 2:
        head = (*head[:5], *head[7:])
    rows = []
    for item in listed:
        cells = [name_of(item.label), f"{item.rows:,}", *scores(item)]
        if len(one.classes) > 2:
            cells += [show_value(area) for area in areas[item.label]]
        rows.append((*cells, taken(item)))
    spare = [""] * (len(head) - 5)
    for name, means in (("mean", one.macro), ("mean by rows", one.weighted)):
        rows.append((name, f"{one.counted.used:,}", *scores(means), *spare))
    remarks = [f"accuracy {show_value(one.accuracy)}"]
    if len(one.classes) == 2 and one.roc:
        remarks.append(
            f"for {name_of(one.roc[0].label)}: ROC area {show_value(one.roc[0].area)}, "
            f"average precision {show_value(one.precision_recall[0].area)}"
        )
    if len(listed) < len(one.classes):
        remarks.append(f"{and_more(len(one.classes) - len(listed), 'class', 'classes')}, with fewer errors")
    remarks += _left(one)
    return Grid(f"{before}Classes of {name_of(one.field)}", head, tuple(rows), head[1:-1], "; ".join(remarks))


def _left(one: ClassesReport) -> list[str]:
    return left_out(one.counted, what(one))


def what(one: ClassesReport) -> str:
    """What an answer is for."""
    return "positions" if one.positions else "rows"


def left_out(counted: Counted, of: str) -> list[str]:
    """What the figures leave out, in words; `of` is what an answer is for, in the plural."""
    found = []
    if counted.unknown:
        found.append(f"{_are(counted.unknown, of)} left out, without a known true value")
    if counted.not_finite:
        found.append(f"{_are(counted.not_finite, of)} left out, for which the network gives no finite number")
    return found


def _are(count: int, of: str) -> str:
    return f"1 {of.removesuffix('s')} is" if count == 1 else f"{count:,} {of} are"


def scores(one: Scored) -> list[str]:
    """Its recall, precision and f1."""
    return [show_value(getattr(one, name)) for name in ("recall", "precision", "f1")]


def taken(one: ClassFigures) -> str:
    """The class that it is taken for most often, and how often."""
    return f"taken for {name_of(one.taken_for)}, {times(one.taken)}" if one.taken else ""


def times(count: int) -> str:
    """How often."""
    return "once" if count == 1 else f"{count:,} times"


def name_of(label: str) -> str:
    """A label or a name, shortened."""
    text = shown(label)
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def matrix(one: ClassesReport, before: str) -> Grid:
    """The confusion matrix."""
    names = [name_of(label) for label in one.matrix.labels] + [OTHERS] * one.matrix.others
    columns = distinct(("true, then predicted", *names))
    rows = tuple(
        (name, *(f"{count:,}" for count in counts)) for name, counts in zip(names, one.matrix.counts, strict=True)
    )
    return Grid(f"{before}Confusion matrix", columns, rows, columns[1:])


def confusions(one: ClassesReport, before: str) -> Grid:
    """The most frequent confusions."""
    rows = tuple((name_of(two.true), name_of(two.predicted), f"{two.count:,}") for two in one.confusions)
    none = "" if rows else NOTHING_WRONG
    return Grid(f"{before}Most frequent confusions", ("true", "predicted", what(one)), rows, (what(one),), none)


NOTHING_WRONG = "No answer is wrong."


def calibration(one: ClassesReport, before: str) -> Grid:
    """The bins of the calibration that have an answer."""
    found = one.calibration
    rows = tuple(
        (
            f"{number / 10:.1f} to {(number + 1) / 10:.1f}",
            f"{bin.count:,}",
            *map(show_value, (bin.probability, bin.share)),
        )
        for number, bin in enumerate(found.bins)
        if bin.count
    )
    of = f"of {name_of(found.of)}" if found.of else "of the predicted class"
    columns = (f"probability {of}", what(one), "mean probability", "share that is true")
    return Grid(
        f"{before}Calibration", columns, rows, columns[1:], f"expected calibration error {show_value(found.error)}"
    )


def wrong_classes(one: ClassesReport, before: str, most: int | None = None) -> Iterator[Grid]:
    """The answers that are furthest from the truth, each with `most` of its probabilities.

    With two classes the wrong answers with the highest probability often are those with the highest loss.
    """
    yield _far(f"{before}Wrong, with the highest probability", one.most_certain, most)
    if one.highest_loss != one.most_certain:
        yield _far(f"{before}Highest loss", one.highest_loss, most)


def _far(title: str, found: Sequence[WrongClass], most: int | None) -> Grid:
    rows = tuple(
        (
            place(one),
            name_of(one.true),
            name_of(one.predicted),
            show_value(one.loss),
            ", ".join(f"{name_of(label)}: {p:.3f}" for label, p in list(one.probabilities.items())[:most]),
        )
        for one in found
    )
    columns = ("row", "true", "predicted", "loss", "probabilities")
    return Grid(title, columns, rows, ("row", "loss"), "" if rows else NOTHING_WRONG)


def place(one: WrongClass) -> str:
    """The row, and the position in it."""
    return " ".join([f"{one.row:,}", *([str(list(one.position))] if one.position else [])])


# Yes or no


def yes_or_no(one: YesOrNoReport, before: str) -> Grid:
    """A line for each field, and the means over the fields."""
    listed = [item for item in one.fields if item.details]
    head = ("field", "rows", "yes", "accuracy", "recall", "precision", "f1", "ROC area", "average precision")
    rows = []
    for item in listed:
        assert item.details is not None
        areas = (item.details.roc.area, item.details.precision_recall.area)
        cells = (name_of(item.field), f"{item.counted.used:,}", f"{sum(item.counts[1]):,}", show_value(item.accuracy))
        rows.append((*cells, *scores(item), *map(show_value, areas)))
    rows.append(("mean", "", "", show_value(one.accuracy), *scores(one.macro), "", ""))
    remarks = []
    if len(listed) < len(one.fields):
        remarks.append(f"{and_more(len(one.fields) - len(listed), 'field')}, with fewer errors")
    remarks += [f"{name_of(item.field)}: {text}" for item in listed for text in left_out(item.counted, "rows")]
    return Grid(f"{before}Yes or no", head, tuple(rows), head[1:], "; ".join(remarks))


def wrong_yes(one: YesOrNoReport, before: str) -> Grid:
    """The answers that are furthest from the truth, of all fields."""
    found = [(item.field, wrong) for item in one.fields if item.details for wrong in item.details.highest_loss]
    found.sort(key=lambda pair: -pair[1].loss)
    rows = tuple(
        (
            f"{wrong.row:,}",
            name_of(field),
            _yes(wrong.true),
            _yes(wrong.predicted),
            show_value(wrong.loss),
            f"{wrong.probability:.3f}",
        )
        for field, wrong in found[:MOST_LINES]
    )
    columns = ("row", "field", "true", "predicted", "loss", "probability of yes")
    return Grid(f"{before}Highest loss", columns, rows, ("row", "loss", "probability of yes"))


def _yes(value: bool) -> str:
    return "yes" if value else "no"


# Numbers


def numbers(one: NumbersReport, before: str) -> Grid:
    """A line for each field."""
    listed = _detailed(one)
    head = ("field", "rows", "MAE", "RMSE", "R2")
    rows = tuple(
        (name_of(item.field), f"{item.counted.used:,}", *map(show_value, (item.mae, item.rmse, item.r2)))
        for item in listed
    )
    remarks = []
    if len(listed) < len(one.fields):
        remarks.append(f"{and_more(len(one.fields) - len(listed), 'field')}, with a higher R2 or none")
    remarks += [f"{name_of(item.field)}: {text}" for item in listed for text in left_out(item.counted, "rows")]
    return Grid(f"{before}Numbers", head, rows, head[1:], "; ".join(remarks))


def _detailed(one: NumbersReport) -> list[NumberField]:
    """The fields that are shown: those with details, or else the first ones."""
    return [item for item in one.fields if item.details] or list(one.fields[:MOST_LINES])


QUANTILES = {"0": "lowest", "50": "median", "100": "highest"}
"""The names of some of the quantiles."""


def residuals(one: NumbersReport, before: str) -> Grid:
    """The quantiles of the residuals of each field."""
    listed = [(item.field, item.details.quantiles) for item in one.fields if item.details]
    head = ("field", *(QUANTILES.get(share, f"{share} %") for share in listed[0][1]))
    rows = tuple((name_of(field), *map(show_value, quantiles.values())) for field, quantiles in listed)
    below = "the true number minus the predicted one; so many percent of them are lower"
    return Grid(f"{before}Residuals", head, rows, head[1:], below)


def largest_errors(one: NumbersReport, before: str) -> Grid:
    """The rows with the largest errors: some of each field."""
    listed = [item for item in one.fields if item.details]
    most = max(2, MOST_LINES // max(1, len(listed)))
    rows = tuple(
        (name_of(item.field), f"{wrong.row:,}", *map(show_value, (wrong.true, wrong.predicted, wrong.residual)))
        for item in listed
        if item.details
        for wrong in item.details.largest_errors[:most]
    )
    columns = ("field", "row", "true", "predicted", "residual")
    return Grid(f"{before}Largest errors", columns, rows, columns[1:])


# Groups


def groups(one: Grouping) -> Grid:
    """A line for each group of a column."""
    listed = one.groups[:MOST_LINES]
    figures = one.groups[0].figures if one.groups else ()
    several = len(figures) > 1
    names = distinct(
        tuple(
            f"{figure.name} of {name_of(figure.field or figure.output)}" if several else figure.name
            for figure in figures
        )
    )
    rows = tuple(
        (
            f"{group.joined:,} values of one row each" if group.joined else name_of(group.name),
            f"{group.rows:,}",
            *(show_value(figure.value) for figure in group.figures),
        )
        for group in listed
    )
    more = and_more(len(one.groups) - len(listed), "group") if len(listed) < len(one.groups) else ""
    return Grid(f"By {name_of(one.column)}", (name_of(one.column), "rows", *names), rows, ("rows", *names), more)


# As wide as the screen


def _cut(grid: Grid, width: int) -> Grid:
    """The columns that fit; the line below names the others."""
    count = max(1, fitting(grid.columns, grid.rows, width)) if grid.columns else 0
    if count == len(grid.columns):
        return grid
    missing = f"too wide for the screen: {', '.join(grid.columns[count:])}"
    rows = tuple(row[:count] for row in grid.rows)
    below = f"{grid.below}; {missing}" if grid.below else missing
    return replace(grid, columns=grid.columns[:count], rows=rows, below=below)
