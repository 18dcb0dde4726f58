"""Learning rates and other numbers over a training, as text and as SVG: a plot for each name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from xml.sax.saxutils import escape

from dlrun.components.optimizers import LR
from dlrun.errors import visible
from dlrun.plan.length import Length
from dlrun.plan.schedules import Curve
from dlrun.views.drawing.colours import COLOURS
from dlrun.views.drawing.svg import EDGE, FONT, TEXT

Curves = Mapping[str, Sequence[Curve]]
"""By the name of a number its curves: several for several optimizers."""

MARKS = "*o+x#@"
"""What draws each curve in text; they repeat where there are more curves."""
HEIGHT, LABEL = 12, 10
"""Rows of the text's plot, and the width of what stands beside them."""
SIZE = (720.0, 360.0)
"""Width and height of a plot in the picture."""
MARGIN = (70.0, 20.0, 30.0, 40.0)
"""Around the plot: left, right, above, below."""
LINES = tuple(COLOURS[style][1] for style in ("linear", "pool", "norm", "activation", "merge", "recurrent"))


def size(curves: Curves) -> tuple[float, float]:
    """The width and height of the picture."""
    return SIZE[0], SIZE[1] * len(curves)


def text(curves: Curves, length: Length, width: int) -> str:
    """The plots as lines of at most `width` characters, one below the other."""
    titled = [
        ([visible(name)] if len(curves) > 1 else []) + _plot(several, length, width) for name, several in curves.items()
    ]
    return "\n\n".join("\n".join(lines) for lines in titled)


def _plot(curves: Sequence[Curve], length: Length, width: int) -> list[str]:
    columns = min(max(10, width - LABEL - 3), length.steps)
    top = _highest(curves)
    cells = [[" "] * columns for _ in range(HEIGHT)]
    for number, curve in enumerate(curves):
        for column, (low, high) in enumerate(_ranges(curve, columns)):
            for row in range(_row(low, top), _row(high, top) + 1):
                cells[row][column] = MARKS[number % len(MARKS)]
    labels = {HEIGHT - 1: f"{top:.3g}", 0: "0"}
    lines = [f"{labels.get(row, ''):>{LABEL}} |{''.join(cells[row]).rstrip()}" for row in reversed(range(HEIGHT))]
    end = _epochs(length)
    lines += [" " * LABEL + " +" + "-" * columns, " " * (LABEL + 2) + "0" + f"{end:>{max(0, columns - 1)}}"]
    if len(curves) > 1:
        lines += [
            f"{MARKS[number % len(MARKS)]:>{LABEL}}  {visible(curve.name)}" for number, curve in enumerate(curves)
        ]
    return lines


def svg(curves: Curves, length: Length, name: str) -> str:
    """The plots as one picture, one below the other."""
    width, height = size(curves)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:g}" height="{height:g}" '
        f'viewBox="0 0 {width:g} {height:g}" font-family="{FONT}" font-size="12" role="img" aria-labelledby="title">',
        f'<title id="title">{escape(_title(curves))} of {escape(name)}</title>',
        f'<rect width="{width:g}" height="{height:g}" fill="#ffffff"/>',
    ]
    for place, (what, several) in enumerate(curves.items()):
        lines += _picture(visible(what) if len(curves) > 1 else "", several, length, place * SIZE[1])
    return "\n".join([*lines, "</svg>"]) + "\n"


def _title(curves: Curves) -> str:
    others = [visible(name) for name in curves if name != LR]
    return ", ".join([*(["The learning rate"] if LR in curves else []), *others])


def _picture(what: str, curves: Sequence[Curve], length: Length, offset: float) -> list[str]:
    """One plot, so far below the top of the picture."""
    (width, height), (left, right, above, below) = SIZE, MARGIN
    top, bottom, end = _highest(curves), offset + height - below, width - right
    above += offset
    lines = [
        f'<path d="M{left:g} {above:g}V{bottom:g}H{end:g}" fill="none" stroke="{EDGE}"/>',
        f'<g fill="{TEXT}">',
        f'<text x="{left - 8:g}" y="{above + 4:g}" text-anchor="end">{top:.3g}</text>',
        f'<text x="{left - 8:g}" y="{bottom + 4:g}" text-anchor="end">0</text>',
        f'<text x="{left:g}" y="{bottom + 20:g}">0</text>',
        f'<text x="{end:g}" y="{bottom + 20:g}" text-anchor="end">{_epochs(length)}</text>',
        *([f'<text x="{left:g}" y="{above - 10:g}">{escape(what)}</text>'] if what else []),
        "</g>",
    ]
    for number, curve in enumerate(curves):
        ranges = _ranges(curve, min(int(end - left), length.steps))
        across = (end - left) / max(1, len(ranges) - 1)
        points = " ".join(
            f"{left + across * column:.1f},{bottom - (bottom - above) * value / top:.1f}"
            for column, pair in enumerate(ranges)
            for value in dict.fromkeys(pair)
        )
        colour = LINES[number % len(LINES)]
        lines.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.6"/>')
        if len(curves) > 1:
            at = f'x="{end:g}" y="{above + 16 * (number + 1):g}"'
            lines.append(f'<text {at} text-anchor="end" fill="{colour}">{escape(visible(curve.name))}</text>')
    return lines


def _highest(curves: Sequence[Curve]) -> float:
    """The largest value of all, or 1 where all are 0."""
    return max(max(curve.values) for curve in curves) or 1.0


def _ranges(curve: Curve, columns: int) -> list[tuple[float, float]]:
    """The least and the largest value of the steps of each column."""
    steps = len(curve.values)
    edges = [column * steps // columns for column in range(columns + 1)]
    parts = [curve.values[first:last] for first, last in pairwise(edges)]
    return [(min(part), max(part)) for part in parts]


def _row(value: float, top: float) -> int:
    return round(value / top * (HEIGHT - 1))


def _epochs(length: Length) -> str:
    epochs = length.steps / length.per_epoch
    return f"{epochs:g} epoch{'s' * (epochs != 1)}"
