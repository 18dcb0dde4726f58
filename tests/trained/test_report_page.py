"""The page of a report: it stands alone, shows what is in the data as text, and its plots are where they should be."""

from __future__ import annotations

import math
import re
from html.parser import HTMLParser
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import draws

from dlrun.trained.answers import Answers
from dlrun.trained.report import plots, tables
from dlrun.trained.report.figures import Bin, Calibration, Curve, Histogram
from dlrun.trained.report.lines import lines
from dlrun.trained.report.page import as_html
from dlrun.trained.report.report import report
from dlrun.trained.report.words import NO_TRUTH

EVIL = "<script>alert('x')</script>&\"\x1b[2J"
VOID = {"meta", "br"}


class Nesting(HTMLParser):
    """Which elements are open, and which text there is."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.seen.append(tag)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: Any) -> None:
        self.seen.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def stands_alone(page: str) -> Nesting:
    """The page is well formed, asks nobody for anything, runs nothing, and every number in a plot is one."""
    found = Nesting()
    found.feed(page)
    found.close()
    assert found.open == [] and page.startswith("<!doctype html>")
    assert not {"script", "link", "iframe", "object", "img"} & {*found.seen}
    assert not re.search(r"@import|url\(|https?://|\son\w+=", page)
    for svg in re.findall(r"<svg.*?</svg>", page, re.S):
        ElementTree.fromstring(svg)
        assert not re.search(r'[" ]-?(nan|inf)\b', svg.lower())
    return found


def answers(kind: str, rows: int, seed: int, count: int = 4, broken: float = 0.1, sure: bool = True) -> Answers:
    """Of one output, with unknown truths and outputs that are no numbers among them."""
    random = np.random.default_rng(seed)
    names = tuple(f"{EVIL}{number}" for number in range(count))
    bad = random.random((rows, count)) < broken
    if kind == "classes":
        values = np.where(bad, math.nan, random.dirichlet(np.ones(count), rows))
        true = random.integers(-1, count, rows)
        return Answers(EVIL, "classes", (EVIL,), names, values, true=true, are_probabilities=sure)
    if kind == "yes_or_no":
        values = np.where(bad, math.nan, random.random((rows, count)).round(1))
        true = random.integers(-1, 2, bad.shape)
        return Answers(EVIL, "yes_or_no", names, (), values, true=true, are_probabilities=sure)
    true = random.normal(size=bad.shape) * 10.0 ** random.integers(-5, 5, count)
    values = true + random.normal(size=bad.shape)
    return Answers("numbers", "numbers", names, (), np.where(bad, math.inf, values), true=true)


KINDS = ("classes", "yes_or_no", "numbers")


@pytest.mark.parametrize("count", [1, 2, 3, 30])
@pytest.mark.parametrize("kind", KINDS)
def test_the_page_stands_alone_and_shows_what_is_written_as_text(kind: str, count: int) -> None:
    groups = {EVIL: np.array([EVIL, "b", "c"] * 20)}
    whole = report([answers(kind, 60, 1, count)], {EVIL: math.nan}, np.arange(60), groups)
    found = stands_alone(as_html(whole, EVIL, {EVIL: EVIL}))
    assert any("<script>alert('x')</script>&\"\\x1b[2J" in text for text in found.texts)
    assert "svg" in found.seen and "\x1b" not in "".join(found.texts)


@draws(60)
@given(
    st.sampled_from(KINDS),
    st.integers(0, 12),
    st.integers(1, 25),
    st.sampled_from([0.0, 0.3, 1.0]),
    st.integers(0, 2**32 - 1),
)
def test_any_answers_have_a_page_tables_and_lines(kind: str, rows: int, count: int, broken: float, seed: int) -> None:
    both = [answers(kind, rows, seed, count, broken, sure=seed % 3 > 0)] * (1 + seed % 2)
    whole = report(both, {"loss": 0.5}, np.arange(rows), {"part": np.array(["a"] * rows)})
    stands_alone(as_html(whole, "title", {}))
    assert all(len(row) == len(grid.columns) for grid in tables.whole(whole, 80) for row in grid.rows)
    assert len(lines(whole, 80)) <= 12


def test_the_page_of_classes_has_its_parts() -> None:
    found = Answers(
        "out", "classes", ("pet",), ("cat", "dog", "emu"), np.eye(3)[[0, 0, 1, 2]], true=np.array([0, 1, 1, 2])
    )
    page = as_html(report([found], {"accuracy": 0.75}, np.arange(4)), "pets", {"run": "runs/pets", "split": "test"})
    assert "<h1>pets</h1>" in page and "run: runs/pets · split: test" in page
    titles = re.findall("<h2>(.*?)</h2>", page)
    assert titles[:4] == ["Metrics", "Classes of pet", "Confusion matrix", "Curves and calibration"]
    assert titles[4:] == ["Wrong, with the highest probability", "Highest loss"]
    assert page.count("<svg") == 3
    # Of the two dogs, one is taken for a cat: the root of a half of 60 %.
    assert '<td style="background:rgb(168 68 58/42%)" title="dog predicted as cat: 50.0%">1</td>' in page
    assert '<td style="background:rgb(47 97 153/60%)" title="cat predicted as cat: 100.0%">1</td>' in page


def test_all_others_are_neither_right_nor_wrong() -> None:
    page = as_html(report([answers("classes", 200, 0, 40, 0.0)], {}, np.arange(200)), "many", {})
    (cell,) = re.findall(r'<td([^>]*) title="all others predicted as all others[^>]*>', page)
    assert cell == "" and "Most frequent confusions" in page
    assert "the 10 classes with the lowest average precision" in page
    assert page.count('stroke-width="1.8"') == 10 + 10 + 1


def test_the_page_of_numbers_has_two_plots_for_each_field() -> None:
    page = as_html(report([answers("numbers", 30, 0, 2, 0.0)], {}, np.arange(30)), "numbers", {})
    assert page.count("<svg") == 4 and page.count("<circle") == 60
    assert re.findall("<h2>(.*?)</h2>", page) == [
        *("Numbers", "Residuals", "Predicted and true numbers", "Largest errors")
    ]


def test_rows_whose_truth_is_not_known_are_said() -> None:
    unknown = Answers("out", "numbers", ("a",), (), np.zeros((2, 1)))
    assert NO_TRUTH in as_html(report([unknown], {}, np.arange(2)), "nothing", {})


def test_the_ticks_of_an_axis_are_round_numbers() -> None:
    for low, high, expected in (
        (0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (-16.2, 14.1, [-10, 0, 10]),
        (0, 29, [0, 10, 20]),
        (3.001, 3.0042, [3.001, 3.002, 3.003, 3.004]),
        (0, 4e9, [0, 1e9, 2e9, 3e9, 4e9]),
    ):
        np.testing.assert_allclose(plots.Axis("", low, high).ticks(), expected)


def paths(svg: str) -> list[str]:
    return list(re.findall(r'<path d="(M.*?)"', svg))


def test_curves_are_drawn_from_corner_to_corner() -> None:
    left, right, bottom, top = 56, 328, 256, 12
    curve = Curve("", 0.75, (0.0, 0.0, 0.5, 1.0), (0.0, 0.5, 1.0, 1.0))
    middle, half = (left + right) / 2, (bottom + top) / 2
    (drawn,) = paths(plots.roc([curve]))
    assert drawn == f"M{left:.1f} {bottom:.1f}L{left:.1f} {half:.1f}L{middle:.1f} {top:.1f}L{right:.1f} {top:.1f}"
    falling = Curve("", 0.75, (0.0, 0.5, 1.0), (1.0, 1.0, 0.5))
    (drawn,) = paths(plots.precision_recall([falling]))
    assert drawn == f"M{left:.1f} {top:.1f}V{top:.1f}H{middle:.1f}V{half:.1f}H{right:.1f}"


def test_a_curve_without_points_is_not_drawn_and_the_others_keep_their_colours() -> None:
    both = [Curve("a", math.nan), Curve("b", 1.0, (0.0, 0.0, 1.0), (0.0, 1.0, 1.0))]
    assert paths(plots.roc(both)) == paths(plots.roc(both[1:])) and "var(--colour-1)" in plots.roc(both)


def test_the_point_of_a_bin_is_as_large_as_the_root_of_its_count() -> None:
    empty = Bin(0, math.nan, math.nan)
    bins = (Bin(4, 0.05, 0.0), *[empty] * 8, Bin(16, 0.95, 1.0))
    drawn = plots.calibration([Calibration("", 0.05, bins)])
    assert re.findall(r' r="(.*?)"', drawn) == ["4.5", "7.0"]
    assert "16 with mean probability 0.950; 1.000 true" in drawn


def test_what_is_too_far_apart_is_not_drawn() -> None:
    assert plots.predicted_against_true([1e308], [-1e308]) == ""
    assert plots.histogram(Histogram(-1e308, 1e308, (2,))) == ""


def test_one_point_alone_is_in_the_middle() -> None:
    drawn = plots.predicted_against_true([5.0], [5.0])
    assert '<circle cx="192.0" cy="134.0"' in drawn
