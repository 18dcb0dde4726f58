"""The few lines of a report that a training ends with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dlrun.trained.report.figures import (
    ClassesReport,
    Counted,
    NotKnown,
    NumberField,
    NumbersReport,
    OutputReport,
    Report,
    YesOrNoField,
    YesOrNoReport,
)
from dlrun.trained.report.tables_of_classes import place, taken, what
from dlrun.trained.report.tables_of_decisions import line as line_of
from dlrun.trained.report.words import left_out, name_of, prefix, scores
from dlrun.views.grid import and_more, show_value
from dlrun.views.text_table import grid

MOST_OUTPUTS = 3
MOST_WORST = 3
"""The worst classes or fields, where there is one output; with several outputs one of each."""
WORST = "worst"
INDENT = "  "


def lines(report: Report, width: int) -> list[str]:
    """At most fourteen lines: where the network is worst. An output whose truth is not known is left out.

    Args:
        report: of the rows.
        width: how many characters fit in a line; a line that is longer is cut.
    """
    found: list[str] = []
    known = [one for one in report.outputs if not isinstance(one, NotKnown)]
    shown = known[:MOST_OUTPUTS]
    for one in shown:
        found += _output(one, MOST_WORST if len(known) == 1 else 1, prefix(report, one))
    if len(shown) < len(known):
        found.append(INDENT + and_more(len(known) - len(shown), "output"))
    found += [INDENT + prefix(report, one) + line_of(one) for one in report.decisions[:MOST_OUTPUTS]]
    return [line if len(line) <= width else line[: width - 1] + "…" for line in found]


def _output(one: OutputReport, most: int, before: str) -> Iterator[str]:
    if isinstance(one, ClassesReport):
        yield from _classes(one, most, before)
    elif isinstance(one, YesOrNoReport):
        yield from _yes_or_no(one, most, before)
    elif isinstance(one, NumbersReport):
        yield from _numbers(one, most, before)


def _classes(one: ClassesReport, most: int, before: str) -> Iterator[str]:
    answers = what(one)
    yield _wrong(one.counted.used - sum(item.right for item in one.classes), one.counted, answers, before)
    worst = sorted((item for item in one.classes if item.errors), key=lambda item: (item.f1, -item.errors))[:most]
    rows = [(name_of(item.label), f"{item.rows:,}", *scores(item), taken(item)) for item in worst]
    yield from _table((WORST, answers, "recall", "precision", "f1", "most often"), rows, words=1)
    if most > 1:
        for far in one.most_certain[:1]:
            value = f"{'probability' if one.probabilities else 'score'} {show_value(far.values[far.predicted])}"
            names = f"{name_of(far.true)} taken for {name_of(far.predicted)}"
            yield f"{INDENT}most certain error: row {place(far)}, {value}, {names}"


def _yes_or_no(one: YesOrNoReport, most: int, before: str) -> Iterator[str]:
    yield _wrong(sum(item.errors for item in one.fields), _together(one.fields), "answers", before)
    worst = sorted((item for item in one.fields if item.errors), key=lambda item: -item.errors)[:most]
    rows = [(name_of(item.field), f"{item.counted.used:,}", f"{item.errors:,}", *scores(item)) for item in worst]
    yield from _table((WORST, "rows", "wrong", "recall", "precision", "f1"), rows)


def _numbers(one: NumbersReport, most: int, before: str) -> Iterator[str]:
    counted = _together(one.fields)
    yield f"{INDENT}{before}{'; '.join([f'{counted.used:,} numbers compared', *left_out(counted, 'numbers')])}"
    worst = [item for item in sorted(one.fields, key=lambda item: (item.r2 != item.r2, item.r2)) if item.details]
    rows = []
    for item in worst[:most]:
        assert item.details is not None
        far = item.details.largest_errors[0]
        said = f"row {far.row:,}: {show_value(far.predicted)}, true {show_value(far.true)}"
        rows.append(
            (name_of(item.field), f"{item.counted.used:,}", *map(show_value, (item.mae, item.rmse, item.r2)), said)
        )
    first = WORST if len(rows) < len(one.fields) else "field"
    yield from _table((first, "rows", "MAE", "RMSE", "R2", "largest error"), rows, words=1)


def _wrong(wrong: int, counted: Counted, of: str, before: str) -> str:
    texts = [f"{wrong:,} of {counted.used:,} {of} wrong", *left_out(counted, of)]
    return f"{INDENT}{before}{'; '.join(texts)}"


def _together(fields: Sequence[YesOrNoField] | Sequence[NumberField]) -> Counted:
    counts = [one.counted for one in fields]
    return Counted(*(sum(getattr(one, name) for one in counts) for name in ("used", "unknown", "not_finite")))


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], words: int = 0) -> Iterator[str]:
    """A table, if it has rows. The first column is words, and so are as many of the last ones."""
    if rows:
        for part in grid(head, rows, head[1 : len(head) - words]):
            yield from (INDENT + line for line in part)
