"""What the screen shows of a report: all tables, and the few lines that a training ends with."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from dlrun.trained.answers import Answers
from dlrun.trained.report import tables
from dlrun.trained.report.figures import Report
from dlrun.trained.report.lines import lines
from dlrun.trained.report.report import report
from dlrun.trained.report.words import NO_TRUTH
from dlrun.views.grid import Grid, fitting

NAN = math.nan
PETS = Answers(
    "pet",
    "classes",
    ("pet",),
    ("cat", "dog", "emu"),
    np.array([[0.7, 0.2, 0.1], [0.8, 0.1, 0.1], [0.1, 0.6, 0.3], [0.1, 0.1, 0.8], [NAN, 0, 0], [0.5, 0.5, 0]]),
    true=np.array([1, 0, 1, 1, 0, -1]),
)
"""Of dog, cat, dog, dog: cat, cat, dog, emu."""
SIZES = Answers("size", "numbers", ("size",), (), np.array([[1.0], [4.0], [2.5]]), true=np.array([[1.0], [2.0], [3.0]]))
TAGS = Answers(
    *("tags", "yes_or_no", ("wild", "tame"), ()),
    np.array([[0.9, 0.2], [0.6, 0.9], [0.3, 0.75]]),
    true=np.array([[1, 0], [0, 0], [0, 1]]),
)


def of(*answers: Answers, metrics: dict[str, float] | None = None, groups: Any = None) -> Report:
    return report(answers, metrics or {}, np.arange(len(answers[0].values)) + 100, groups)


def random_classes(count: int, rows: int) -> Answers:
    random = np.random.default_rng(0)
    values = random.dirichlet(np.ones(count), rows)
    labels = tuple(f"class {number}" for number in range(count))
    return Answers("out", "classes", ("kind",), labels, values, true=random.integers(0, count, rows))


def test_the_lines_of_classes() -> None:
    assert lines(of(PETS), 200) == [
        "  2 of 4 rows wrong; 1 row is left out, without a known true value; 1 row is left out, for which the network "
        "gives no finite number",
        "  worst  rows  recall  precision      f1  most often",
        "  emu       0       -     0.0000  0.0000",
        "  dog       3  0.3333     1.0000  0.5000  taken for cat, once",
        "  cat       1  1.0000     0.5000  0.6667",
        "  most certain error: row 103, probability 0.8000, dog taken for emu",
    ]


def test_of_classes_that_are_as_bad_the_one_with_the_most_errors_comes_first() -> None:
    true = np.array([0, 1, 1, 1, 2])
    found = lines(of(Answers("out", "classes", ("x",), ("a", "b", "c"), np.eye(3)[[2, 2, 2, 2, 2]], true=true)), 100)
    assert [line.split()[0] for line in found[2:5]] == ["b", "a", "c"]


def test_the_lines_of_yes_or_no_and_of_numbers_together() -> None:
    assert lines(of(TAGS, SIZES), 120) == [
        "  tags: 2 of 6 answers wrong",
        "  worst  rows  wrong  recall  precision      f1",
        "  wild      3      1  1.0000     0.5000  0.6667",
        "  size: 3 numbers compared",
        "  field  rows     MAE    RMSE       R2  largest error",
        "  size      3  0.8333  1.1902  -1.1250  row 101: 4.0000, true 2.0000",
    ]


def test_an_output_whose_truth_is_not_known_has_no_lines() -> None:
    assert not lines(of(replace(PETS, true=None)), 120)
    assert lines(of(replace(PETS, true=None), SIZES), 120) == [
        f"  size: {lines(of(SIZES), 120)[0].strip()}",
        *lines(of(SIZES), 120)[1:],
    ]


def test_nothing_wrong_needs_one_line() -> None:
    right = Answers("out", "classes", ("pet",), ("a", "b"), np.eye(2), true=np.arange(2))
    assert lines(of(right), 80) == ["  0 of 2 rows wrong"]


@pytest.mark.parametrize("width", [60, 80, 200])
@pytest.mark.parametrize("answers", [(random_classes(50, 300),) * 5, (random_classes(50, 300),), (SIZES, TAGS)])
def test_there_are_few_lines_and_none_is_wider_than_the_screen(answers: tuple[Answers, ...], width: int) -> None:
    found = lines(of(*answers), width)
    assert len(found) <= 11 and max(map(len, found)) <= width


def test_the_table_of_classes_and_what_it_leaves_out() -> None:
    grid = next(tables.whole(of(PETS), 200))
    assert grid.title == "Classes of pet"
    assert [row[:5] for row in grid.rows] == [
        ("cat", "1", "1.0000", "0.5000", "0.6667"),
        ("dog", "3", "0.3333", "1.0000", "0.5000"),
        ("emu", "0", "-", "0.0000", "0.0000"),
        ("mean", "4", "0.6667", "0.5000", "0.3889"),
        ("mean by rows", "4", "0.5000", "0.8750", "0.5417"),
    ]
    assert grid.rows[1][-1] == "taken for cat, once" and grid.rows[2][5:7] == ("-", "-")
    assert "accuracy 0.5000" in grid.below and "1 row is left out, without a known true value" in grid.below


def titled(found: Report, width: int = 200) -> dict[str, Grid]:
    return {grid.title: grid for grid in tables.whole(found, width)}


def test_the_whole_has_a_table_for_each_part() -> None:
    found = titled(of(PETS, metrics={"accuracy": 0.5}))
    assert list(found) == [
        *("Metrics", "Classes of pet", "Confusion matrix", "Calibration", "Wrong, with the highest probability"),
        "Highest loss",
    ]
    assert found["Confusion matrix"].rows[1] == ("dog", "1", "1", "1")
    far = found["Wrong, with the highest probability"].rows
    assert far[0] == ("103", "dog", "emu", "2.3026", "emu: 0.800, cat: 0.100, dog: 0.100")
    assert sum(int(row[1]) for row in found["Calibration"].rows) == 4


def test_metrics_of_many_values_are_cut_on_the_screen() -> None:
    grid = titled(of(PETS, metrics={f"f1/{number}": 0.5 for number in range(100)}))["Metrics"]
    assert len(grid.rows) == 30 and grid.below == "and 70 more values"


def test_several_outputs_are_named_and_groups_come_last() -> None:
    towns = {"town": np.array(["Rome", "Oslo", "Rome"])}
    found = titled(of(TAGS, SIZES, groups=towns))
    assert [title for title in found if not title.startswith(("tags: ", "size: "))] == ["By town"]
    assert found["By town"].columns == ("town", "rows", "accuracy of tags", "mae of size")
    assert found["By town"].rows == (("Rome", "2", "1.0000", "0.2500"), ("Oslo", "1", "0.0000", "2.0000"))
    assert found["tags: Yes or no"].rows[0][:4] == ("wild", "3", "1", "0.6667")
    assert found["tags: Highest loss"].rows[0][:4] == ("101", "tame", "no", "yes")
    assert found["size: Residuals"].rows[0][1] == "-2.0000"
    assert [row[1] for row in found["size: Largest errors"].rows] == ["101", "102", "100"]


def test_groups_of_one_row_each_are_one_line() -> None:
    grid = titled(of(SIZES, groups={"id": np.array(["a", "b", "c"])}))["By id"]
    assert grid.rows == (("3 values of one row each", "3", "0.8333"),)


def test_a_table_that_is_too_wide_loses_columns_and_says_which() -> None:
    found = titled(of(random_classes(8, 400)), 70)
    grid = found["Classes of kind"]
    assert grid.columns == ("class", "rows", "recall", "precision", "f1", "ROC area")
    assert grid.below.endswith("too wide for the screen: average precision, most often")
    assert "Confusion matrix" not in found
    frequent = found["Most frequent confusions"]
    assert len(frequent.rows) == 10 and frequent.columns == ("true", "predicted", "rows")
    for one in found.values():
        assert fitting(one.columns, one.rows, 70) == len(one.columns)


def test_of_many_classes_and_fields_some_are_shown_and_the_others_counted() -> None:
    grid = titled(of(random_classes(50, 300)))["Classes of kind"]
    assert len(grid.rows) == 22 and "and 30 more classes, with fewer errors" in grid.below
    true = np.random.default_rng(0).normal(size=(20, 30))
    many = Answers("out", "numbers", tuple(map(str, range(30))), (), true + 1, true=true)
    assert "and 18 more fields, with a higher R2 or none" in titled(of(many))["Numbers"].below
    binary = Answers(
        "out", "yes_or_no", tuple(map(str, range(30))), (), np.full((20, 30), 0.7), true=(true > 0).astype(int)
    )
    assert "and 18 more fields, with fewer errors" in titled(of(binary))["Yes or no"].below


def test_rows_of_which_none_counts_are_said_and_have_no_tables() -> None:
    (grid,) = tables.whole(of(replace(PETS, true=np.full(6, -1))), 200)
    assert grid.rows == () and grid.below == "6 rows are left out, without a known true value"
    (grid,) = tables.whole(of(replace(PETS, true=None)), 200)
    assert (grid.title, grid.below) == ("pet", NO_TRUTH)
    (grid,) = tables.whole(of(replace(SIZES, values=np.full((3, 1), NAN))), 200)
    assert grid.rows == (("size", "0", "-", "-", "-"),) and "no finite number" in grid.below


def test_scores_are_called_scores() -> None:
    scores = replace(PETS, are_probabilities=False)
    found = titled(of(scores))
    assert list(found) == ["Classes of pet", "Confusion matrix", "Wrong, with the highest score"]
    assert "no probabilities" in found["Classes of pet"].below and "ROC area" not in found["Classes of pet"].columns
    assert found["Wrong, with the highest score"].rows[0][3:] == ("-", "emu: 0.800, cat: 0.100, dog: 0.100")
    assert lines(of(scores), 200)[-1] == "  most certain error: row 103, score 0.8000, dog taken for emu"
    found = titled(of(replace(TAGS, are_probabilities=False)))
    assert list(found) == ["Yes or no"] and "no probabilities" in found["Yes or no"].below


def test_a_long_or_blank_label_is_shown_as_one_cell() -> None:
    odd = replace(PETS, labels=(" ", "a\nb", "x" * 100))
    rows = next(tables.whole(of(odd), 200)).rows
    assert [row[0] for row in rows[:3]] == ["' '", "'a\\nb'", "x" * 23 + "…"]
