"""Curves over the steps of a training, as text and as SVG."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from xml.sax.saxutils import escape

from dlrun.errors import visible
from dlrun.plan.schedules import Curve
from dlrun.views.drawing.colours import COLOURS
from dlrun.views.drawing.svg import EDGE, FONT, TEXT

MARKS = "*o+x#@"
"""What draws each curve in text; they repeat where there are more curves."""
HEIGHT, LABEL = 12, 10
"""Rows of the text's plot, and the width of what stands beside them."""
SIZE = (720.0, 360.0)
"""Width and height of a plot in the picture."""
MARGIN = (70.0, 20.0, 30.0, 40.0)
"""Around the plot: left, right, above, below."""
LINES = tuple(COLOURS[style][1] for style in ("linear", "pool", "norm", "activation", "merge", "recurrent"))


@dataclass(frozen=True, slots=True)
class Plot:
    """Curves with one number of steps, and what stands beside the axes."""

    curves: Sequence[Curve]
    low: float
    """The value at the lower end; all values are from there on."""
    high: float
    """The value at the upper end."""
    left: str
    """What the first step is."""
    right: str
    """What the last step is."""
    title: str = ""

    @property
    def steps(self) -> int:
        """How many steps there are."""
        return len(self.curves[0].values)


def plot_of(curves: Sequence[Curve], right: str, title: str = "") -> Plot:
    """Curves from step 0 on, with 0 and all values between the ends, or 0 and 1 where all are 0."""
    low = min(0.0, *(min(curve.values) for curve in curves))
    high = max(0.0, *(max(curve.values) for curve in curves))
    return Plot(curves, low, high if high > low else 1.0, "0", right, title)


def text(plot: Plot, width: int) -> list[str]:
    """The plot as lines of at most `width` characters."""
    columns = min(max(10, width - LABEL - 3), plot.steps)
    cells = [[" "] * columns for _ in range(HEIGHT)]
    for number, curve in enumerate(plot.curves):
        for column, pair in enumerate(_ranges(curve, columns)):
            for row in range(_row(pair[0], plot), _row(pair[1], plot) + 1) if pair else ():
                cells[row][column] = MARKS[number % len(MARKS)]
    labels = {HEIGHT - 1: f"{plot.high:.3g}", 0: f"{plot.low:.3g}"}
    lines = [visible(plot.title)] if plot.title else []
    lines += [f"{labels.get(row, ''):>{LABEL}} |{''.join(cells[row]).rstrip()}" for row in reversed(range(HEIGHT))]
    last = f"{plot.left}{plot.right:>{max(len(plot.right) + 1, columns - len(plot.left))}}"
    lines += [" " * LABEL + " +" + "-" * columns, " " * (LABEL + 2) + last]
    if len(plot.curves) > 1:
        lines += [f"{MARKS[n % len(MARKS)]:>{LABEL}}  {visible(curve.name)}" for n, curve in enumerate(plot.curves)]
    return lines


def size(plots: Sequence[Plot]) -> tuple[float, float]:
    """The width and height of the picture of some plots."""
    return SIZE[0], SIZE[1] * len(plots)


def svg(plots: Sequence[Plot], title: str) -> str:
    """The plots as one picture, one below the other."""
    width, height = size(plots)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:g}" height="{height:g}" '
        f'viewBox="0 0 {width:g} {height:g}" font-family="{FONT}" font-size="12" role="img" aria-labelledby="title">',
        f'<title id="title">{escape(title)}</title>',
        f'<rect width="{width:g}" height="{height:g}" fill="#ffffff"/>',
    ]
    for place, plot in enumerate(plots):
        lines += _picture(plot, place * SIZE[1])
    return "\n".join([*lines, "</svg>"]) + "\n"


def _picture(plot: Plot, offset: float) -> list[str]:
    """One plot, so far below the top of the picture."""
    (width, height), (left, right, above, below) = SIZE, MARGIN
    bottom, end, above = offset + height - below, width - right, offset + above
    lines = [
        f'<path d="M{left:g} {above:g}V{bottom:g}H{end:g}" fill="none" stroke="{EDGE}"/>',
        f'<g fill="{TEXT}">',
        f'<text x="{left - 8:g}" y="{above + 4:g}" text-anchor="end">{plot.high:.3g}</text>',
        f'<text x="{left - 8:g}" y="{bottom + 4:g}" text-anchor="end">{plot.low:.3g}</text>',
        f'<text x="{left:g}" y="{bottom + 20:g}">{escape(plot.left)}</text>',
        f'<text x="{end:g}" y="{bottom + 20:g}" text-anchor="end">{escape(plot.right)}</text>',
        *([f'<text x="{left:g}" y="{above - 10:g}">{escape(visible(plot.title))}</text>'] if plot.title else []),
        "</g>",
    ]
    for number, curve in enumerate(plot.curves):
        ranges = _ranges(curve, min(int(end - left), plot.steps))
        across = (end - left) / max(1, len(ranges) - 1)
        points = " ".join(
            f"{left + across * column:.1f},{bottom - (bottom - above) * _share(value, plot):.1f}"
            for column, pair in enumerate(ranges)
            for value in dict.fromkeys(pair or ())
        )
        colour = LINES[number % len(LINES)]
        lines.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.6"/>')
        if len(plot.curves) > 1:
            at = f'x="{end:g}" y="{above + 16 * (number + 1):g}"'
            lines.append(f'<text {at} text-anchor="end" fill="{colour}">{escape(visible(curve.name))}</text>')
    return lines


def _ranges(curve: Curve, columns: int) -> list[tuple[float, float] | None]:
    """The least and the largest value of the steps of each column; None where no value is finite."""
    steps = len(curve.values)
    edges = [column * steps // columns for column in range(columns + 1)]
    parts = [list(filter(math.isfinite, curve.values[first:last])) for first, last in pairwise(edges)]
    return [(min(part), max(part)) if part else None for part in parts]


def _share(value: float, plot: Plot) -> float:
    """How far up a value is; one above the plot is at its upper end."""
    return min(1.0, (value - plot.low) / (plot.high - plot.low))


def _row(value: float, plot: Plot) -> int:
    return round(_share(value, plot) * (HEIGHT - 1))
