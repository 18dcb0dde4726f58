"""Picture -> DOT, the language of Graphviz."""

from __future__ import annotations

from dlrun.views.drawing.colours import COLOURS
from dlrun.views.drawing.picture import Box, Frame, Picture


def dot(picture: Picture) -> str:
    """The picture as a directed graph in DOT."""
    lines = [
        f"digraph {_quoted(picture.name)} {{",
        '    node [shape=box, style="rounded,filled", fontname="Helvetica", fontsize=11]',
        '    edge [fontname="Helvetica", fontsize=9, color="#5b6472"]',
        '    graph [fontname="Helvetica", fontsize=11, style=rounded, color="#b9c2cd", labeljust=l]',
    ]
    _fill(picture.root, lines, "    ")
    boxes = picture.boxes()
    for edge in picture.edges:
        shape = boxes[edge.source].shape
        label = f" [label={_quoted(shape)}]" if shape else ""
        lines.append(f"    {edge.source} -> {edge.target}{label}")
    return "\n".join([*lines, "}"]) + "\n"


def _fill(frame: Frame, lines: list[str], indent: str) -> None:
    for child in frame.children:
        if isinstance(child, Box):
            fill, stroke = COLOURS[child.style]
            label = "\\n".join(map(_escaped, child.text()))
            lines.append(f'{indent}{child.id} [label="{label}", fillcolor="{fill}", color="{stroke}"]')
        else:
            lines.append(f"{indent}subgraph cluster_{child.id} {{")
            lines.append(f"{indent}    label={_quoted(child.title)}")
            _fill(child, lines, indent + "    ")
            lines.append(f"{indent}}}")


def _quoted(text: str) -> str:
    return f'"{_escaped(text)}"'


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
