"""The overview of the data as a page that stands alone: no script, no style and no picture from elsewhere."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence

from dlrun.views import html_page
from dlrun.views.data import tables
from dlrun.views.data.overview import FieldSummary, Overview, Picture, Sample, Stage
from dlrun.views.html_page import colour, html, legend, table

STYLE = """
.pictures { display: flex; flex-wrap: wrap; gap: 1rem; } figure { margin: 0; } figcaption { color: var(--soft); }
img { image-rendering: pixelated; margin-right: 4px; border: 1px solid var(--line); }
"""
WIDE, HIGH = 120, 24
"""Pixels of a histogram."""
PLOT = 320
"""Pixels of a side of a plot of points."""
PICTURE = 96
"""Pixels of the longer side of a picture, or a little more: each of its own pixels is so many whole ones."""


def page(overview: Overview) -> str:
    """The page, HTML."""
    several = len({one.input for one in overview.stages}) > 1
    parts = [
        f"<p>{html(overview.where)} · {overview.rows:,} rows · SHA-256 {overview.digest}</p>",
        *(table(grid) for grid in tables.splits(overview, None)),
        _fields(overview.fields),
        *(_stage(one, several) for one in overview.stages),
        *_samples(overview.samples),
    ]
    return html_page.page(overview.name, parts, STYLE)


def _fields(found: Sequence[FieldSummary]) -> str:
    return table(tables.fields(found), [_bars(one.histogram) for one in found])


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
    found = table(tables.stage(one, several, None))
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
    path = f'<polyline points="{" ".join(line)}" fill="none" stroke="{colour(1)}" stroke-width="1.5"/>'
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
        f'fill="{colour(number)}" fill-opacity="0.7"/>'
        for x, y, number in one.points
    )
    return (
        f'<svg width="{PLOT}" height="{PLOT}" role="img"><rect width="{PLOT}" height="{PLOT}" fill="none" '
        f'class="axis"/>{dots}</svg><p>{len(one.points)} training rows in the first two directions '
        f"{legend(one.labels)}</p>"
    )


def _samples(samples: Sequence[Sample]) -> Iterator[str]:
    if not samples:
        return
    augmented = len(samples[0].pictures) > 1
    what = "as it is, then augmented as in the first epochs" if augmented else "as the network takes them"
    yield f'<h2>Training rows as pictures</h2><p>{what}</p><div class="pictures">'
    for sample in samples:
        images = "".join(_image(picture) for picture in sample.pictures)
        yield f"<figure>{images}<figcaption>{html(sample.label)}</figcaption></figure>"
    yield "</div>"


def _image(picture: Picture) -> str:
    zoom = max(1, -(-PICTURE // max(picture.width, picture.height)))
    size = f'width="{picture.width * zoom}" height="{picture.height * zoom}"'
    return f'<img {size} alt="" src="data:image/png;base64,{base64.b64encode(picture.png).decode()}">'
