"""The tables of an output that predicts one of several classes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dlrun.trained.report.figures import Calibration, ClassesReport, ClassFigures, WrongClass
from dlrun.trained.report.words import NO_PROBABILITIES, NOTHING_WRONG, left_out, name_of, scores, times
from dlrun.views.grid import Grid, and_more, distinct, fitting, show_value

MOST_VALUES = 3
"""Of a row, on the screen."""
OTHERS = "all others"


def tables_of_classes(one: ClassesReport, before: str, width: int) -> Iterator[Grid]:
    """All of them for a screen; `before` stands before their titles."""
    if not one.counted.used:
        yield nothing_counts(one, before)
        return
    yield classes(one, before)
    table = matrix(one, before)
    yield table if fitting(table.columns, table.rows, width) == len(table.columns) else confusions(one, before)
    if one.calibration:
        yield calibration(one.calibration, one, before)
    yield from wrong_classes(one, before, MOST_VALUES)


def nothing_counts(one: ClassesReport, before: str) -> Grid:
    """What is said where no answer counts."""
    return Grid(f"{before}Classes of {name_of(one.field)}", (), (), below="; ".join(_left(one)) or "There are no rows.")


def classes(one: ClassesReport, before: str) -> Grid:
    """A line for each class, and the means over the classes."""
    chosen = set(one.matrix.labels)
    listed = [item for item in one.classes if item.label in chosen]
    areas = {roc.label: (roc.area, both.area) for roc, both in zip(one.roc, one.precision_recall, strict=True)}
    head = ("class", what(one), "recall", "precision", "f1", "ROC area", "average precision", "most often")
    if not areas or len(one.classes) <= 2:
        head = (*head[:5], *head[7:])
    rows = []
    for item in listed:
        cells = [name_of(item.label), f"{item.rows:,}", *scores(item)]
        if item.label in areas and len(one.classes) > 2:
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
    remarks += [] if one.probabilities else [NO_PROBABILITIES]
    remarks += _left(one)
    return Grid(f"{before}Classes of {name_of(one.field)}", head, tuple(rows), head[1:-1], "; ".join(remarks))


def taken(one: ClassFigures) -> str:
    """The class that it is taken for most often, and how often."""
    return f"taken for {name_of(one.taken_for)}, {times(one.taken)}" if one.taken else ""


def what(one: ClassesReport) -> str:
    """What an answer is for."""
    return "positions" if one.positions else "rows"


def _left(one: ClassesReport) -> list[str]:
    return left_out(one.counted, what(one))


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


def calibration(found: Calibration, one: ClassesReport, before: str) -> Grid:
    """The bins of the calibration that have an answer."""
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
    """The answers that are furthest from the truth, each with `most` of its probabilities or scores.

    With two classes the wrong answers with the highest probability often are those with the highest loss.
    """
    if not one.probabilities:
        yield _far(f"{before}Wrong, with the highest score", one.most_certain, "scores", most)
        return
    yield _far(f"{before}Wrong, with the highest probability", one.most_certain, "probabilities", most)
    if one.highest_loss != one.most_certain:
        yield _far(f"{before}Highest loss", one.highest_loss, "probabilities", most)


def _far(title: str, found: Sequence[WrongClass], values: str, most: int | None) -> Grid:
    rows = tuple(
        (
            place(one),
            name_of(one.true),
            name_of(one.predicted),
            show_value(one.loss),
            ", ".join(f"{name_of(label)}: {value:.3f}" for label, value in list(one.values.items())[:most]),
        )
        for one in found
    )
    columns = ("row", "true", "predicted", "loss", values)
    return Grid(title, columns, rows, ("row", "loss"), "" if rows else NOTHING_WRONG)


def place(one: WrongClass) -> str:
    """The row, and the position in it."""
    return " ".join([f"{one.row:,}", *([str(list(one.position))] if one.position else [])])
