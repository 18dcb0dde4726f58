"""Picture -> SVG text."""

from __future__ import annotations

from xml.sax.saxutils import escape, quoteattr

from dlrun.views.drawing.colours import COLOURS
from dlrun.views.drawing.layers_layout import Point
from dlrun.views.drawing.picture import Box, Picture
from dlrun.views.drawing.placing import (
    FIRST_HEIGHT,
    FIRST_SIZE,
    LABEL_SIZE,
    LINE_HEIGHT,
    LINE_SIZE,
    SHEET,
    TITLE_SIZE,
    Placed,
    Rectangle,
    badge_text,
)

TEXT, EDGE, FRAME_LINE, FRAMES = "#1d232b", "#5b6472", "#b9c2cd", ("#f7f9fb", "#eef2f6")
FONT = "Helvetica, Arial, 'Liberation Sans', 'DejaVu Sans', sans-serif"
ROUND = 5.0


def svg(picture: Picture, placed: Placed) -> str:
    """The picture as SVG; the same picture gives the same text."""
    boxes = picture.boxes()
    width, height = _n(placed.width), _n(placed.height)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
        f' font-family="{FONT}" role="img" aria-labelledby="title">',
        f'<title id="title">The network {escape(picture.name)}</title>',
        '<defs><marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        f'<path d="M0.5 0.8 7.5 4 0.5 7.2z" fill="{EDGE}"/></marker></defs>',
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        *_frames(picture, placed),
        f'<g fill="none" stroke="{EDGE}" stroke-width="1.3">',
        *(
            f'<path data-edge="{edge.source} {edge.target}" d="{_path(points)}" marker-end="url(#arrow)"/>'
            for edge, points in placed.own.items()
        ),
        "</g>",
        f'<g fill="{TEXT}" text-anchor="middle">',
        *(line for name, box in boxes.items() for line in _box(box, placed.boxes[name])),
        "</g>",
        f'<g fill="{EDGE}" font-size="{_n(LABEL_SIZE)}">',
        *(
            f'<text x="{_n(at.x)}" y="{_n(at.y + 10)}">{escape(boxes[name].shape)}</text>'
            for name, at in placed.labels.items()
        ),
        "</g>",
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _n(value: float) -> str:
    """A coordinate, to a tenth."""
    return (
        f"{value:.1f}".removesuffix(".0").replace("-0", "0") if abs(value) < 0.05 else f"{value:.1f}".removesuffix(".0")
    )


def _frames(picture: Picture, placed: Placed) -> list[str]:
    lines: list[str] = []
    pending = [(child, 0) for child in reversed(picture.root.children)]
    while pending:
        item, depth = pending.pop()
        if isinstance(item, Box):
            continue
        at, title = placed.frames[item.id], placed.titles[item.id]
        lines.append(
            f'<g data-frame="{item.id}"><rect {_where(at)} rx="9" fill="{FRAMES[depth % 2]}" stroke="{FRAME_LINE}"/>'
            f'<text x="{_n(title.x)}" y="{_n(title.y + TITLE_SIZE + 0.5)}" font-size="{_n(TITLE_SIZE)}"'
            f' font-weight="bold" fill="{COLOURS["group"][1]}">{escape(item.title)}</text></g>'
        )
        pending += [(child, depth + 1) for child in reversed(item.children)]
    return lines


def _path(points: list[Point]) -> str:
    (x, y), *rest = points
    parts = [f"M{_n(x)} {_n(y)}"]
    for to_x, to_y in rest:
        if abs(to_x - x) < 0.1:
            parts.append(f"V{_n(to_y)}")
        else:
            middle = _n((y + to_y) / 2)
            parts.append(f"C{_n(x)} {middle} {_n(to_x)} {middle} {_n(to_x)} {_n(to_y)}")
        x, y = to_x, to_y
    return " ".join(parts)


def _box(box: Box, at: Rectangle) -> list[str]:
    fill, stroke = COLOURS[box.style]
    corner = at.height / 2 if box.style == "ends" else ROUND
    details = escape("\n".join(box.details) or box.lines[0][0])
    lines = [f"<g data-box={quoteattr(box.id)}><title>{details}</title>"]
    if box.times > 1:
        for shift in (2 * SHEET, SHEET):
            sheet = Rectangle(at.x + shift, at.y + shift, at.width, at.height)
            lines.append(f'<rect {_where(sheet)} rx="{_n(corner)}" fill="{fill}" stroke="{stroke}"/>')
        x, y = at.x + at.width + 2 * SHEET + 5, at.y + at.height / 2 + 4
        lines.append(
            f'<text x="{_n(x)}" y="{_n(y)}" font-size="{_n(FIRST_SIZE)}" font-weight="bold" text-anchor="start"'
            f' fill="{stroke}">{badge_text(box)}</text>'
        )
    lines.append(f'<rect {_where(at)} rx="{_n(corner)}" fill="{fill}"/>')
    middle = _n(at.x + at.width / 2)
    for number, (_, style) in enumerate(box.lines[1:], start=1):
        top = at.y + FIRST_HEIGHT + LINE_HEIGHT * (number - 1)
        last = number == len(box.lines) - 1
        lines.append(_strip(Rectangle(at.x, top, at.width, LINE_HEIGHT), COLOURS[style][0], last))
    lines.append(f'<rect {_where(at)} rx="{_n(corner)}" fill="none" stroke="{stroke}" stroke-width="1.2"/>')
    for number, (text, style) in enumerate(box.lines):
        first = number == 0
        base = at.y + (16.2 if first else FIRST_HEIGHT + LINE_HEIGHT * (number - 1) + 12.6)
        size, weight = (FIRST_SIZE, ' font-weight="bold"') if first else (LINE_SIZE, "")
        colour = "" if first else f' fill="{COLOURS[style][1]}"'
        lines.append(f'<text x="{middle}" y="{_n(base)}" font-size="{_n(size)}"{weight}{colour}>{escape(text)}</text>')
    lines.append("</g>")
    return lines


def _strip(at: Rectangle, fill: str, last: bool) -> str:
    """One of the lower lines' backgrounds; the last is round below."""
    if not last:
        return f'<rect {_where(at)} fill="{fill}"/>'
    x, y, right, bottom = at.x, at.y, at.x + at.width, at.y + at.height
    return (
        f'<path d="M{_n(x)} {_n(y)} H{_n(right)} V{_n(bottom - ROUND)} Q{_n(right)} {_n(bottom)} {_n(right - ROUND)}'
        f' {_n(bottom)} H{_n(x + ROUND)} Q{_n(x)} {_n(bottom)} {_n(x)} {_n(bottom - ROUND)}z" fill="{fill}"/>'
    )


def _where(at: Rectangle) -> str:
    return f'x="{_n(at.x)}" y="{_n(at.y)}" width="{_n(at.width)}" height="{_n(at.height)}"'
