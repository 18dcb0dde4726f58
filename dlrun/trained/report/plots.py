"""Plots with axes, as SVG for a page."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from dlrun.trained.report.figures import Calibration, Curve, Histogram
from dlrun.views.html_page import colour, html

WIDTH, HIGH = 340, 300
LEFT, RIGHT, ABOVE, BELOW = 56, 12, 12, 44
"""Around a plot."""
MOST_TICKS = 5
AROUND = 0.04
"""Around points, as a share of their range."""


@dataclass(frozen=True, slots=True)
class Axis:
    """What an axis shows, from one end to the other."""

    label: str
    low: float = 0.0
    high: float = 1.0

    def ticks(self) -> list[float]:
        """Round numbers between the ends."""
        raw = (self.high - self.low) / MOST_TICKS
        power = 10.0 ** math.floor(math.log10(raw))
        step = next(power * times for times in (1, 2, 5, 10) if power * times >= raw * (1 - 1e-9))
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return [number * step for number in range(first, last + 1)]


@dataclass(frozen=True, slots=True)
class Plane:
    """Where values are in a plot."""

    across: Axis
    up: Axis

    def x(self, value: float) -> float:
        """Pixels from the left."""
        return LEFT + (value - self.across.low) / (self.across.high - self.across.low) * (WIDTH - LEFT - RIGHT)

    def y(self, value: float) -> float:
        """Pixels from above."""
        return HIGH - BELOW - (value - self.up.low) / (self.up.high - self.up.low) * (HIGH - ABOVE - BELOW)

    def svg(self, marks: Iterable[str]) -> str:
        """The plot: the marks over the axes."""
        what = html(f"{self.up.label} against {self.across.label}")
        return (
            f'<svg class="plot" viewBox="0 0 {WIDTH} {HIGH}" width="{WIDTH}" height="{HIGH}" role="img" '
            f'aria-label="{what}">{"".join(self._axes())}{"".join(marks)}</svg>'
        )

    def _axes(self) -> Iterator[str]:
        right, bottom = WIDTH - RIGHT, HIGH - BELOW
        for value in self.across.ticks():
            x = f"{self.x(value):.1f}"
            yield f'<path class="axis" d="M{x} {ABOVE}V{bottom}"/>'
            yield f'<text x="{x}" y="{bottom + 16}" text-anchor="middle">{value:.4g}</text>'
        for value in self.up.ticks():
            y = self.y(value)
            yield f'<path class="axis" d="M{LEFT} {y:.1f}H{right}"/>'
            yield f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{value:.4g}</text>'
        middle = (ABOVE + bottom) / 2
        yield f'<text x="{(LEFT + right) / 2}" y="{HIGH - 8}" text-anchor="middle">{html(self.across.label)}</text>'
        yield (
            f'<text transform="translate(12 {middle}) rotate(-90)" text-anchor="middle">{html(self.up.label)}</text>'
        )

    def diagonal(self) -> str:
        """The line on which both values are the same."""
        low, high = max(self.across.low, self.up.low), min(self.across.high, self.up.high)
        return (
            f'<path class="diagonal" d="M{self.x(low):.1f} {self.y(low):.1f}L{self.x(high):.1f} {self.y(high):.1f}"/>'
        )


def roc(curves: Sequence[Curve]) -> str:
    """ROC curves, each in its colour, and the line of a random order."""
    plane = Plane(Axis("false positive rate"), Axis("true positive rate"))
    lines = [
        _line("L".join(f"{plane.x(x):.1f} {plane.y(y):.1f}" for x, y in zip(one.x, one.y, strict=True)), number)
        for number, one in enumerate(curves)
        if one.x
    ]
    return plane.svg([plane.diagonal(), *lines])


def precision_recall(curves: Sequence[Curve]) -> str:
    """The precision against the recall: a step down or up where the recall reaches the next point."""
    plane = Plane(Axis("recall"), Axis("precision"))
    lines = []
    for number, one in enumerate(curves):
        if not one.x:
            continue
        steps = [f"V{plane.y(y):.1f}H{plane.x(x):.1f}" for x, y in zip(one.x[1:], one.y[1:], strict=True)]
        lines.append(_line(f"{plane.x(one.x[0]):.1f} {plane.y(one.y[0]):.1f}{''.join(steps)}", number))
    return plane.svg(lines)


def calibration(found: Sequence[Calibration]) -> str:
    """The share that comes true against the probability; the more answers a bin has, the larger is its point."""
    plane = Plane(Axis("mean probability"), Axis("share that is true"))
    marks = [plane.diagonal()]
    for number, one in enumerate(found):
        full = [bin for bin in one.bins if bin.count]
        most = max((bin.count for bin in full), default=1)
        at = [(plane.x(bin.probability), plane.y(bin.share)) for bin in full]
        if at:
            marks.append(_line("L".join(f"{x:.1f} {y:.1f}" for x, y in at), number))
        marks += [
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{2 + 5 * math.sqrt(bin.count / most):.1f}" fill="{colour(number)}">'
            f"<title>{bin.count:,} with mean probability {bin.probability:.3f}; {bin.share:.3f} true</title></circle>"
            for (x, y), bin in zip(at, full, strict=True)
        ]
    return plane.svg(marks)


def predicted_against_true(true: Sequence[float], predicted: Sequence[float]) -> str:
    """A point for each row, and the line on which both are the same; '' where they are too far apart to be drawn."""
    low, high = min(*true, *predicted), max(*true, *predicted)
    if not math.isfinite(high - low):
        return ""
    around = (high - low) * AROUND or max(abs(high), 1.0) * AROUND
    plane = Plane(Axis("true", low - around, high + around), Axis("predicted", low - around, high + around))
    points = (
        f'<circle cx="{plane.x(x):.1f}" cy="{plane.y(y):.1f}" r="2.5" fill="{colour(0)}" fill-opacity="0.6"/>'
        for x, y in zip(true, predicted, strict=True)
    )
    return plane.svg([plane.diagonal(), *points])


def histogram(found: Histogram) -> str:
    """How many residuals are where; '' where they are too far apart to be drawn."""
    if not math.isfinite(found.high - found.low):
        return ""
    plane = Plane(Axis("residual", found.low, found.high), Axis("rows", 0, max(found.counts)))
    wide = (found.high - found.low) / len(found.counts)
    bottom = plane.y(0)
    bars = (
        f'<rect class="bar" x="{plane.x(found.low + place * wide):.1f}" y="{plane.y(count):.1f}" '
        f'width="{(WIDTH - LEFT - RIGHT) / len(found.counts) - 1:.1f}" height="{bottom - plane.y(count):.1f}"/>'
        for place, count in enumerate(found.counts)
    )
    return plane.svg(bars)


def _line(path: str, number: int) -> str:
    return f'<path d="M{path}" fill="none" stroke="{colour(number)}" stroke-width="1.8" stroke-linejoin="round"/>'
