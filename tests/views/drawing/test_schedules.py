"""Learning rates as text and as SVG."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from dlrun.components.schedules.linear import Linear
from dlrun.plan.length import Length
from dlrun.plan.schedules import Curve, curve
from dlrun.views.drawing import plots
from dlrun.views.drawing.plots import HEIGHT, LABEL, SIZE
from dlrun.views.drawing.schedules import plots as plots_of
from dlrun.views.drawing.schedules import title

LENGTH = Length(8, 10, 120, 80)
FALLING = curve("a", 0.3, Linear(end_factor=0.0), LENGTH)
STEADY = curve("b & c", 0.1, None, LENGTH)


def text(curves: dict[str, list[Curve]], length: Length, width: int) -> str:
    return "\n".join(line for plot in plots_of(curves, length) for line in plots.text(plot, width))


def svg(curves: dict[str, list[Curve]], length: Length, name: str) -> str:
    return plots.svg(plots_of(curves, length), title(list(curves), name))


def test_a_curve_has_the_rate_of_every_step() -> None:
    assert STEADY.values == (0.1,) * 120
    assert FALLING.values[0] == 0.3 and FALLING.values[60] == 0.15


def test_the_text_has_the_largest_rate_above_and_the_length_below() -> None:
    lines = text({"lr": [FALLING]}, LENGTH, 73).splitlines()
    assert lines[0].split() == ["0.3", "|***"] and lines[HEIGHT - 1].startswith(f"{'0':>{LABEL}} |")
    assert lines[HEIGHT + 1].split() == ["0", "12", "epochs"]
    assert max(map(len, lines)) == 72
    plot = [line[LABEL + 2 :].ljust(60) for line in lines[:HEIGHT]]
    assert all(any(row[column] == "*" for row in plot) for column in range(60))  # no gap
    firsts = [row.index("*") for row in plot]
    assert firsts == sorted(firsts)  # it falls


def test_a_rate_that_jumps_within_a_column_fills_all_between() -> None:
    jumping = Curve("a", (0.0, 1.0) * 60)
    assert text({"lr": [jumping]}, LENGTH, 33).count("*") == 20 * HEIGHT


def test_several_curves_have_marks_of_their_own_and_names() -> None:
    lines = text({"lr": [FALLING, STEADY]}, LENGTH, 73).splitlines()
    assert [line.split() for line in lines[-2:]] == [["*", "a"], ["o", "b", "&", "c"]]
    assert any("oooo" in line for line in lines)


def test_the_svg_is_valid_and_its_curve_stays_in_the_picture() -> None:
    root = ElementTree.fromstring(svg({"lr": [FALLING, STEADY]}, LENGTH, "x & y"))
    drawn = [part for part in root.iter() if part.tag.endswith("polyline")]
    assert len(drawn) == 2
    for part in drawn:
        points = [(float(x), float(y)) for x, y in re.findall(r"([\d.]+),([\d.]+)", part.attrib["points"])]
        assert all(0 <= x <= SIZE[0] and 0 <= y <= SIZE[1] for x, y in points)
        assert len(points) == 120


def test_a_rate_of_zero_alone_is_drawn_at_zero() -> None:
    lines = text({"lr": [Curve("a", (0.0,) * 120)]}, LENGTH, 73).splitlines()
    assert lines[HEIGHT - 1].endswith("*" * 60) and "*" not in lines[0]


def test_a_number_below_0_is_drawn_from_its_least_value_up_to_0() -> None:
    rising = curve("a", -4.0, Linear(end_factor=0.5), LENGTH)
    lines = text({"a": [rising]}, LENGTH, 73).splitlines()
    assert lines[0].split() == ["0", "|"] and lines[HEIGHT - 1].split()[:2] == ["-4", "|" + "*" * 6]
    assert [bool(line.count("*")) for line in lines[:HEIGHT]] == [False] * 6 + [True] * 6  # up to -2, the middle


def test_the_ends_of_a_short_plot_stand_apart() -> None:
    short = Length(8, 1, 3, 8)
    assert text({"lr": [curve("a", 0.3, None, short)]}, short, 73).splitlines()[-1].split() == ["0", "3", "epochs"]


def test_each_number_has_a_plot_with_its_name() -> None:
    curves = {"lr": [FALLING], "betas.0": [STEADY]}
    lines = text(curves, LENGTH, 73).splitlines()
    assert [lines[0], lines[HEIGHT + 3]] == ["lr", "betas.0"]
    root = ElementTree.fromstring(svg(curves, LENGTH, "x"))
    assert float(root.attrib["height"]) == 2 * SIZE[1]
    drawn = [part.attrib["points"] for part in root.iter() if part.tag.endswith("polyline")]
    heights = [[float(y) for y in re.findall(r",([\d.]+)", points)] for points in drawn]
    assert max(heights[0]) < SIZE[1] < min(heights[1]) and max(heights[1]) < 2 * SIZE[1]
    assert root[0].text == "The learning rate, betas.0 of x"
