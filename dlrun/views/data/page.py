"""The overview of the data as a page that stands alone: no script, no style and no picture from elsewhere."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from html import escape

from dlrun.errors import visible
from dlrun.views.data import tables
from dlrun.views.data.overview import FieldSummary, Overview, Picture, Sample, Stage

COLOURS = ("#2f6199", "#a8443a", "#467a2a", "#a86a12", "#6b4a9e", "#2c7a62", "#9c3b6e", "#5b6472", "#8a7a1c", "#1c7a8a")
"""Of classes, in order; of more classes the first ones come again."""
STYLE = """
:root { color-scheme: light dark; --ink: #1d2430; --soft: #5b6472; --line: #d8dce2; --back: #ffffff; --bar: #2f6199; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e8ec; --soft: #a2aab6; --line: #3a424e; --back: #14181f; --bar: #7fb0e6; }
}
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--back); margin: 2rem auto;
  max-width: 70rem; padding: 0 1.5rem; }
h1 { font-size: 1.5rem; margin: 0; } h2 { font-size: 1.1rem; margin: 2.2rem 0 .6rem; }
p { color: var(--soft); margin: .3rem 0; overflow-wrap: anywhere; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .8rem .25rem 0; text-align: left; border-bottom: 1px solid var(--line); white-space: nowrap; }
th { color: var(--soft); font-weight: 600; } .right { text-align: right; }
svg { display: block; } .bar { fill: var(--bar); } .axis { stroke: var(--line); }
.pictures { display: flex; flex-wrap: wrap; gap: 1rem; } figure { margin: 0; } figcaption { color: var(--soft); }
img { image-rendering: pixelated; margin-right: 4px; border: 1px solid var(--line); }
svg text { font: 12px system-ui, sans-serif; fill: var(--soft); }
"""
MOST_LINES = 24
"""Lines of a table that is open at first."""
WIDE, HIGH = 120, 24
"""Pixels of a histogram."""
PLOT = 320
"""Pixels of a side of a plot of points."""
PICTURE = 96
"""Pixels of the longer side of a picture, or a little more: each of its own pixels is so many whole ones."""


def page(overview: Overview) -> str:
    """The page, HTML."""
    name = _text(overview.name)
    several = len({one.input for one in overview.stages}) > 1
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{name}</title><style>{STYLE}</style></head><body>",
        f"<h1>{name}</h1>",
        f"<p>{_text(overview.where)} · {overview.rows:,} rows · SHA-256 {overview.digest}</p>",
        *(_grid(grid) for grid in tables.splits(overview, None)),
        _fields(overview.fields),
        *(_stage(one, several) for one in overview.stages),
        *_samples(overview.samples),
        "</body></html>",
    ]
    return "\n".join(parts) + "\n"


def _text(text: str) -> str:
    return escape(visible(text))


def _grid(grid: tables.Grid, pictures: Sequence[str] = ()) -> str:
    """A table; `pictures` are the cells of one more column."""
    sides = ["right" if column in grid.right else "left" for column in grid.columns]

    def cells(tag: str, texts: Sequence[str]) -> str:
        return "".join(f'<{tag} class="{side}">{_text(t)}</{tag}>' for t, side in zip(texts, sides, strict=True))

    head = cells("th", grid.columns)
    lines = [
        f"<tr>{cells('td', row)}{f'<td>{pictures[number]}</td>' if pictures else ''}</tr>"
        for number, row in enumerate(grid.rows)
    ]
    more = "<th></th>" if pictures else ""
    below = f"<p>{_text(grid.below)}</p>" if grid.below else ""
    table = f"<table><tr>{head}{more}</tr>{''.join(lines)}</table>" if grid.columns else ""
    wide = f'<div class="wide">{table}</div>'
    if len(lines) > MOST_LINES:
        wide = f"<details><summary>{len(lines):,} lines</summary>{wide}</details>"
    return f"<h2>{_text(grid.title)}</h2>{wide}{below}"


def _fields(found: Sequence[FieldSummary]) -> str:
    return _grid(tables.fields(found), [_bars(one.histogram) for one in found])


def _bars(counts: Sequence[int]) -> str:
    """Numbers as bars."""
    if not counts or not max(counts):
        return ""
    wide = WIDE / len(counts)
    bars = "".join(
        f'<rect class="bar" x="{place * wide:.1f}" y="{HIGH - (high := count / max(counts) * HIGH):.1f}" '
        f'width="{wide - 1:.1f}" height="{high:.1f}"/>'
        for place, count in enumerate(counts)
    )
    return f'<svg width="{WIDE}" height="{HIGH}" role="img">{bars}</svg>'


def _stage(one: Stage, several: bool) -> str:
    found = _grid(tables.stage(one, several, None))
    if one.variance:
        found += _shares(one.variance)
    if one.points:
        found += _points(one)
    return found


def _shares(variance: Sequence[float]) -> str:
    """The share of the variance along each direction as bars, and the sum so far as a line."""
    wide, high = max(4.0, min(24.0, 600 / len(variance))), 120
    bars, line, total = [], [], 0.0
    for place, share in enumerate(variance):
        total += share
        top = high - share * high
        bars.append(
            f'<rect class="bar" x="{place * wide:.1f}" y="{top:.1f}" width="{wide - 1:.1f}" '
            f'height="{share * high:.1f}"><title>{place + 1}: {share:.2%}</title></rect>'
        )
        line.append(f"{(place + 0.5) * wide:.1f},{high - total * high:.1f}")
    width = wide * len(variance)
    path = f'<polyline points="{" ".join(line)}" fill="none" stroke="{COLOURS[1]}" stroke-width="1.5"/>'
    axis = f'<line class="axis" x1="0" y1="{high}" x2="{width:.1f}" y2="{high}"/>'
    return (
        f'<svg width="{width + 4:.0f}" height="{high + 2}" role="img">{"".join(bars)}{axis}{path}</svg>'
        "<p>bars: the share of the variance along each direction; line: the sum so far</p>"
    )


def _points(one: Stage) -> str:
    """Rows as points in the first two directions, coloured by class."""
    xs, ys = [x for x, _, _ in one.points], [y for _, y, _ in one.points]
    x0, x1, y0, y1 = min(xs), max(xs), min(ys), max(ys)
    dots = "".join(
        f'<circle cx="{6 + (x - x0) / ((x1 - x0) or 1) * (PLOT - 12):.1f}" '
        f'cy="{PLOT - 6 - (y - y0) / ((y1 - y0) or 1) * (PLOT - 12):.1f}" r="3" '
        f'fill="{COLOURS[number % len(COLOURS)]}" fill-opacity="0.7"/>'
        for x, y, number in one.points
    )
    legend = " ".join(
        f'<span style="color:{COLOURS[number % len(COLOURS)]}">●</span> {_text(label)}'
        for number, label in enumerate(one.labels)
    )
    return (
        f'<svg width="{PLOT}" height="{PLOT}" role="img"><rect width="{PLOT}" height="{PLOT}" fill="none" '
        f'class="axis"/>{dots}</svg><p>{len(one.points)} training rows in the first two directions {legend}</p>'
    )


def _samples(samples: Sequence[Sample]) -> Iterator[str]:
    if not samples:
        return
    augmented = len(samples[0].pictures) > 1
    what = "as it is, then augmented as in the first epochs" if augmented else "as the network takes them"
    yield f'<h2>Training rows as pictures</h2><p>{what}</p><div class="pictures">'
    for sample in samples:
        images = "".join(_image(picture) for picture in sample.pictures)
        yield f"<figure>{images}<figcaption>{_text(sample.label)}</figcaption></figure>"
    yield "</div>"


def _image(picture: Picture) -> str:
    zoom = max(1, -(-PICTURE // max(picture.width, picture.height)))
    size = f'width="{picture.width * zoom}" height="{picture.height * zoom}"'
    return f'<img {size} alt="" src="data:image/png;base64,{base64.b64encode(picture.png).decode()}">'
