"""Picture -> Mermaid text, which GitHub and many editors draw."""

from __future__ import annotations

from dlrun.views.drawing.captions import Style
from dlrun.views.drawing.colours import COLOURS
from dlrun.views.drawing.picture import Box, Frame, Picture


def mermaid(picture: Picture) -> str:
    """The picture as a Mermaid flowchart."""
    lines = ["---", f"title: {_quoted(picture.name)}", "---", "flowchart TD"]
    _fill(picture.root, lines, "    ")
    boxes = picture.boxes()
    for edge in picture.edges:
        shape = boxes[edge.source].shape
        arrow = f"-->|{_text(shape)}|" if shape else "-->"
        lines.append(f"    {edge.source} {arrow} {edge.target}")
    used: dict[Style, list[str]] = {}
    for box in boxes.values():
        used.setdefault(box.style, []).append(box.id)
    for style, names in used.items():
        fill, stroke = COLOURS[style]
        lines.append(f"    classDef {style}_ fill:{fill},stroke:{stroke},color:#1d232b")
        lines.append(f"    class {','.join(names)} {style}_")
    return "\n".join(lines) + "\n"


def _fill(frame: Frame, lines: list[str], indent: str) -> None:
    for child in frame.children:
        if isinstance(child, Box):
            left, right = ("([", "])") if child.style == "ends" else ("[", "]")
            lines.append(f"{indent}{child.id}{left}{_text('<br/>'.join(map(_escaped, child.text())))}{right}")
        else:
            lines.append(f'{indent}subgraph {child.id}["{_escaped(child.title)}"]')
            _fill(child, lines, indent + "    ")
            lines.append(f"{indent}end")


def _text(text: str) -> str:
    return f'"{text}"'


def _escaped(text: str) -> str:
    """Escape the characters of Mermaid's syntax, as it demands."""
    for character, code in (("#", "#35;"), ("&", "#amp;"), ('"', "#quot;"), ("<", "#lt;"), (">", "#gt;")):
        text = text.replace(character, code)
    return text


def _quoted(text: str) -> str:
    """A YAML string."""
    return "'" + text.replace("'", "''") + "'"
