"""The texts: SVG that parses and is safe, Mermaid and DOT word for word."""

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from places import DRAWN_SPECS

from dlrun.checks.check import check_model
from dlrun.views.drawing.dot import dot
from dlrun.views.drawing.mermaid import mermaid
from dlrun.views.drawing.picture import Picture, picture
from dlrun.views.drawing.placing import place
from dlrun.views.drawing.svg import svg
from dlrun.views.drawing.text_width import text_width

SVG = "{http://www.w3.org/2000/svg}"
SMALL = """
model:
  input: [1, 4, 4]
  layers:
    - {conv2d: {out_channels: 2, kernel_size: 3, padding: 1}}
    - relu
    - sequential: {name: tail, layers: [{residual: [{conv2d: {out_channels: 2, kernel_size: 1}}]}, flatten]}
"""


def drawn_svg(drawn: Picture) -> str:
    return svg(drawn, place(drawn))


@pytest.mark.parametrize("file", DRAWN_SPECS, ids=lambda file: file.stem)
def test_a_shipped_spec_draws_in_every_format(file: Path) -> None:
    drawn = picture(check_model(file), file.stem)
    root = ElementTree.fromstring(drawn_svg(drawn))
    assert {g.get("data-box") for g in root.iter(f"{SVG}g") if g.get("data-box")} == set(drawn.boxes())
    ways = [path.get("data-edge") for path in root.iter(f"{SVG}path") if path.get("data-edge")]
    assert ways == [f"{edge.source} {edge.target}" for edge in drawn.edges]
    for text, arrow in ((mermaid(drawn), r"^    (\w+) -->(?:\|[^|]*\|)? (\w+)$"), (dot(drawn), r"^    (\w+) -> (\w+)")):
        assert re.findall(arrow, text, re.MULTILINE) == [(edge.source, edge.target) for edge in drawn.edges]


@pytest.mark.parametrize("file", DRAWN_SPECS, ids=lambda file: file.stem)
def test_the_same_spec_gives_the_same_picture(file: Path) -> None:
    assert drawn_svg(picture(check_model(file), "net")) == drawn_svg(picture(check_model(file), "net"))


def test_a_picture_has_a_title_and_describes_each_step_when_pointed_at(planned) -> None:
    root = ElementTree.fromstring(drawn_svg(picture(planned(SMALL), "small")))
    assert (root.get("role"), root.get("aria-labelledby")) == ("img", "title")
    titles = [title.text for title in root.iter(f"{SVG}title")]
    assert titles[0] == "The network small"
    assert "conv2d_1: 1×4×4 → 2×4×4, 20 weights\nrelu_1: 2×4×4 → 2×4×4" in titles


def test_what_xml_would_take_for_markup_is_escaped(planned) -> None:
    name = "a<b>&\"'\x00c"
    root = ElementTree.fromstring(drawn_svg(picture(planned(SMALL), name)))
    (title, *_) = root.iter(f"{SVG}title")
    assert title.text == "The network a<b>&\"'\N{REPLACEMENT CHARACTER}c"


def test_the_text_of_every_line_fits_in_its_box(planned) -> None:
    text = "model: {input: [6, 30, 30], layers: [{conv_transpose2d: {out_channels: 128, kernel_size: [11, 13], \
stride: [2, 3], groups: 2, name: W}}, batch_norm, {sequential: {name: WWWWWWWWWWMMMMMMMMMM, layers: [flatten, relu, \
{linear: 10}, {linear: 3}]}}]}"
    root = ElementTree.fromstring(drawn_svg(picture(planned(text), "net", with_weights=True)))
    for group in root.iter(f"{SVG}g"):
        if group.get("data-box") or group.get("data-frame"):
            (*_, around) = group.findall(f"{SVG}rect")
            left, width = float(around.get("x", "")), float(around.get("width", ""))
            for line in group.findall(f"{SVG}text"):
                bold = line.get("font-weight") == "bold"
                long = text_width(line.text or "", float(line.get("font-size", "")), bold)
                begins = float(line.get("x", "")) - (long / 2 if group.get("data-box") else 0)
                assert left + 5 <= begins
                assert begins + long <= left + width - 5


def test_a_small_network_in_mermaid(planned) -> None:
    assert mermaid(picture(planned(SMALL), "it's")) == (
        """---
title: 'it''s'
---
flowchart TD
    b0(["input"])
    b1["conv2d 3×3, 2<br/>relu"]
    subgraph g1["tail"]
        b3["conv2d 1×1, 2"]
        b4["add"]
        b5["flatten"]
    end
    output(["output"])
    b0 -->|"1×4×4"| b1
    b1 -->|"2×4×4"| b3
    b3 --> b4
    b1 -->|"2×4×4"| b4
    b4 --> b5
    b5 -->|"32"| output
    classDef ends_ fill:#f4f5f7,stroke:#5b6472,color:#1d232b
    class b0,output ends_
    classDef linear_ fill:#d7e6f7,stroke:#2f6199,color:#1d232b
    class b1,b3 linear_
    classDef merge_ fill:#e6dcf5,stroke:#6b4a9e,color:#1d232b
    class b4 merge_
    classDef shape_ fill:#eeeeea,stroke:#6f6f60,color:#1d232b
    class b5 shape_
"""
    )


def test_a_small_network_in_dot(planned) -> None:
    assert dot(picture(planned(SMALL), 'a "net"')) == (
        r"""digraph "a \"net\"" {
    node [shape=box, style="rounded,filled", fontname="Helvetica", fontsize=11]
    edge [fontname="Helvetica", fontsize=9, color="#5b6472"]
    graph [fontname="Helvetica", fontsize=11, style=rounded, color="#b9c2cd", labeljust=l]
    b0 [label="input", fillcolor="#f4f5f7", color="#5b6472"]
    b1 [label="conv2d 3×3, 2\nrelu", fillcolor="#d7e6f7", color="#2f6199"]
    subgraph cluster_g1 {
        label="tail"
        b3 [label="conv2d 1×1, 2", fillcolor="#d7e6f7", color="#2f6199"]
        b4 [label="add", fillcolor="#e6dcf5", color="#6b4a9e"]
        b5 [label="flatten", fillcolor="#eeeeea", color="#6f6f60"]
    }
    output [label="output", fillcolor="#f4f5f7", color="#5b6472"]
    b0 -> b1 [label="1×4×4"]
    b1 -> b3 [label="2×4×4"]
    b3 -> b4
    b1 -> b4 [label="2×4×4"]
    b4 -> b5
    b5 -> output [label="32"]
}
"""
    )


def test_several_inputs_and_outputs_in_mermaid_and_dot(planned) -> None:
    text = "model: {inputs: {left: 2, right: 3}, outputs: [one, two], layers: [{concat: [[], right]}, "
    text += "{linear: {name: one, out_features: 4}}, {linear: {name: two, out_features: 1}}]}"
    drawn = picture(planned(text), "several")
    in_mermaid = mermaid(drawn).splitlines()
    assert [line.strip() for line in in_mermaid if "([" in line] == [
        'b0(["left"])',
        'b1(["right"])',
        'output0(["one"])',
        'output1(["two"])',
    ]
    assert [line.strip() for line in in_mermaid if "output" in line and "-->" in line] == [
        'b3 -->|"4"| output0',
        'b4 -->|"1"| output1',
    ]
    # DOT takes letters, digits and _ without quotes.
    arrows = re.findall(r"^    (\S+) -> (\S+)", dot(drawn), re.MULTILINE)
    assert [tuple(pair) for pair in arrows] == [(edge.source, edge.target) for edge in drawn.edges]
    assert all(re.fullmatch(r"\w+", name) for pair in arrows for name in pair)
