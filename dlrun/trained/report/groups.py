"""The main figure of each output in each group of rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from dlrun.trained.answers import Answers, Array
from dlrun.trained.report.figures import FigureName, Group, GroupFigure, Grouping


def grouping(column: str, values: Array, answers: Sequence[Answers]) -> Grouping:
    """The groups of a column, the largest first.

    Groups of one row are joined where there are several, since a figure of one row says nothing of its group. The
    joined one comes last.

    Args:
        column: its name.
        values: (N,), a text for each row.
        answers: of the same rows.
    """
    names, number = np.unique(np.asarray(values, dtype=str), return_inverse=True)
    sizes = np.bincount(number, minlength=len(names))
    alone = np.flatnonzero(sizes == 1) if (sizes == 1).sum() > 1 else sizes[:0]
    place = np.arange(len(names))
    place[alone] = len(names)
    number = place[number]
    sizes = np.bincount(number, minlength=len(names) + 1)
    columns: list[tuple[str, str, FigureName, Array]] = [
        (output, field, name, _means(sums, counts, number, len(sizes)))
        for output, field, name, sums, counts in _figures(answers)
    ]
    found = []
    for one in [*np.argsort(-sizes[:-1], kind="stable").tolist(), len(names)]:
        if sizes[one]:
            joined = len(alone) if one == len(names) else 0
            figures = tuple(GroupFigure(output, field, name, float(mean[one])) for output, field, name, mean in columns)
            found.append(Group("" if joined else str(names[one]), int(sizes[one]), joined, figures))
    return Grouping(column, tuple(found))


def _means(sums: Array, counts: Array, number: Array, size: int) -> Array:
    """The mean in each group, of the sum over each row and of how many it is."""
    with np.errstate(invalid="ignore"):
        return np.bincount(number, sums, size) / np.bincount(number, counts, size)


def _figures(answers: Sequence[Answers]) -> Iterator[tuple[str, str, FigureName, Array, Array]]:
    """The output, the field, and the figure's name; its sum over each row, and how many answers of the row count."""
    for one in answers:
        if one.true is None:
            continue
        if one.kind == "numbers":
            with np.errstate(over="ignore", invalid="ignore"):
                errors = np.abs(one.true - one.values)
            used = np.isfinite(errors)
            for place, field in enumerate(one.fields):
                yield one.output, field, "mae", np.where(used, errors, 0)[:, place], used[:, place]
            continue
        finite = np.isfinite(one.values)
        used = (one.true >= 0) & (finite.all(-1) if one.kind == "classes" else finite)
        right = used & (one.decided == one.true)
        yield one.output, "", "accuracy", _of_rows(right), _of_rows(used)


def _of_rows(values: Array) -> Array:
    return values.sum(tuple(range(1, values.ndim)))
