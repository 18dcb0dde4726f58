"""Where things are: nothing overlaps, nothing leaves its frame, edges go from box to box."""

from itertools import combinations, pairwise
from pathlib import Path

import pytest
from places import DRAWN_SPECS

from dlrun.checks.check import check_model
from dlrun.views.drawing.picture import Frame, Picture, picture
from dlrun.views.drawing.placing import Placed, Rectangle, place

SKIPS = """
model:
  input: [4, 16, 16]
  layers:
    - {conv2d: {out_channels: 4, kernel_size: 3, padding: 1, name: a}}
    - sequential:
        name: a_long_title_for_a_frame
        layers: [{max_pool2d: 2}, {conv2d: {out_channels: 4, kernel_size: 1}}]
    - {conv2d: {out_channels: 4, kernel_size: 1, name: b}}
    - {max_pool2d: 2}
    - concat:
        - []
        - [{conv2d: {out_channels: 4, kernel_size: 1}}]
        - [{conv2d: {out_channels: 4, kernel_size: 1}}, tanh, {max_pool2d: {kernel_size: 3, stride: 1, padding: 1}}]
    - {conv_transpose2d: {out_channels: 4, kernel_size: 2, stride: 2}}
    - {sequential: {name: up, layers: [{conv2d: {out_channels: 4, kernel_size: 1}}, {concat: [[], b]}]}}
    - {conv_transpose2d: {out_channels: 4, kernel_size: 2, stride: 2}}
    - {concat: [a, [], {from: a, layers: [{conv2d: {out_channels: 9, kernel_size: 1}}]}]}
"""


def overlap(one: Rectangle, other: Rectangle) -> bool:
    return (
        one.x < other.x + other.width - 1e-6
        and other.x < one.x + one.width - 1e-6
        and one.y < other.y + other.height - 1e-6
        and other.y < one.y + one.height - 1e-6
    )


def inside(inner: Rectangle, outer: Rectangle) -> bool:
    return (
        outer.x <= inner.x
        and outer.y <= inner.y
        and inner.x + inner.width <= outer.x + outer.width
        and inner.y + inner.height <= outer.y + outer.height
    )


def assert_well_placed(drawn: Picture, placed: Placed) -> None:
    things = [*placed.boxes.values(), *placed.labels.values(), *placed.titles.values(), *placed.badges.values()]
    for one, other in combinations(things, 2):
        assert not overlap(one, other), (one, other)
    sheet = Rectangle(0, 0, placed.width, placed.height)
    pending: list[tuple[Frame, Rectangle]] = [(drawn.root, sheet)]
    while pending:
        frame, around = pending.pop()
        for child in frame.children:
            if isinstance(child, Frame):
                pending.append((child, placed.frames[child.id]))
                assert inside(placed.frames[child.id], around)
                assert inside(placed.titles[child.id], placed.frames[child.id])
            else:
                kept = [placed.boxes, placed.labels, placed.badges]
                assert all(inside(found[child.id], around) for found in kept if child.id in found)
        siblings = [placed.frames[c.id] if isinstance(c, Frame) else placed.boxes[c.id] for c in frame.children]
        assert not any(overlap(one, other) for one, other in combinations(siblings, 2))


def assert_edges_meet_their_boxes(drawn: Picture, placed: Placed) -> None:
    assert list(placed.edges) == drawn.edges
    for edge, points in placed.edges.items():
        source, target = placed.boxes[edge.source], placed.boxes[edge.target]
        assert points[0] == pytest.approx((source.x + source.width / 2, source.y + source.height))
        assert points[-1] == pytest.approx((target.x + target.width / 2, target.y))
        heights = [y for _, y in points]
        assert heights == sorted(heights)
        assert points[-1] == placed.own[edge][-1]
        for one, other in pairwise(points):
            # Where an edge swings there is no box; where it stands it passes none.
            span = Rectangle(min(one[0], other[0]), one[1] + 0.5, abs(one[0] - other[0]), other[1] - one[1] - 1)
            crossed = [name for name, box in placed.boxes.items() if overlap(span, box)]
            assert not crossed, (edge, crossed)
            texts = [name for name, at in {**placed.titles, **placed.labels}.items() if overlap(span, at)]
            assert not texts, (edge, texts)


@pytest.mark.parametrize("file", DRAWN_SPECS, ids=lambda file: file.stem)
@pytest.mark.parametrize("with_weights", [False, True])
def test_nothing_overlaps_in_a_shipped_spec(file: Path, with_weights: bool) -> None:
    drawn = picture(check_model(file), file.stem, with_weights=with_weights)
    placed = place(drawn)
    assert_well_placed(drawn, placed)
    assert_edges_meet_their_boxes(drawn, placed)


@pytest.mark.parametrize("depth", [None, 0])
def test_nothing_overlaps_where_skips_cross_frames_and_branches(planned, depth: int | None) -> None:
    drawn = picture(planned(SKIPS), "net", depth)
    placed = place(drawn)
    assert_well_placed(drawn, placed)
    assert_edges_meet_their_boxes(drawn, placed)


def test_a_chain_is_straight(planned) -> None:
    placed = place(picture(planned("model: {input: 4, layers: [{linear: 1000}, {linear: 2}, {linear: 30}]}"), "net"))
    middles = {round(box.x + box.width / 2, 6) for box in placed.boxes.values()}
    assert len(middles) == 1
    assert all(len(points) == 2 for points in placed.edges.values())


def test_the_main_path_is_straight_and_the_skip_curves_to_the_right(planned) -> None:
    drawn = picture(planned("model: {input: 4, layers: [{residual: [{linear: 8}, {linear: 4}]}]}"), "net")
    placed = place(drawn)
    middles = {round(box.x + box.width / 2, 6) for box in placed.boxes.values()}
    assert len(middles) == 1
    (skip,) = (points for points in placed.edges.values() if len(points) > 2)
    rightmost = max(box.x + box.width for box in placed.boxes.values())
    assert max(x for x, _ in skip) > rightmost


def test_branches_are_side_by_side_around_the_middle(planned) -> None:
    text = "model: {input: 4, layers: [{concat: [[{linear: 5}], [{linear: 6}], [{linear: 7}], [{linear: 8}]]}]}"
    drawn = picture(planned(text), "net")
    placed = place(drawn)
    start, *branches, join, _ = (box.x + box.width / 2 for box in placed.boxes.values())
    assert branches == sorted(branches)
    assert start == pytest.approx(sum(branches) / 4, abs=0.5)
    assert join == pytest.approx(sum(branches) / 4, abs=0.5)


def test_the_layers_of_a_long_skip_are_aside_and_the_main_path_is_straight(planned) -> None:
    deep = ", ".join(["{linear: 9}"] * 5)
    layers = (
        f"{{linear: {{out_features: 8, name: a}}}}, {deep}, {{linear: 8}}, {{add: [[], {{from: a, layers: [relu]}}]}}"
    )
    drawn = picture(planned(f"model: {{input: 4, layers: [{layers}]}}"), "net")
    placed = place(drawn)
    middles = {
        box.lines[0][0]: placed.boxes[name].x + placed.boxes[name].width / 2 for name, box in drawn.boxes().items()
    }
    aside = middles.pop("relu")
    assert len({round(middle, 6) for middle in middles.values()}) == 1
    assert aside > middles["add"]


def test_nested_skips_are_arcs_within_arcs(planned) -> None:
    text = """
model:
  input: 4
  layers:
    - {linear: {out_features: 8, name: a}}
    - {linear: {out_features: 8, name: b}}
    - {linear: {out_features: 8, name: c}}
    - {linear: 8}
    - {linear: 8}
    - {add: [[], c]}
    - {linear: 8}
    - {add: [[], b]}
    - {linear: 8}
    - {add: [[], a]}
"""
    placed = place(picture(planned(text), "net"))
    arcs = [points for points in placed.edges.values() if len(points) > 2]
    reach = {points[0][1]: max(x for x, _ in points) for points in arcs}
    assert len(arcs) == 3
    assert [reach[start] for start in sorted(reach)] == sorted(reach.values(), reverse=True)
