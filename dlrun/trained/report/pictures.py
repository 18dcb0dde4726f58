"""The plots of a report: for a page, and as pictures that stand alone."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from dlrun.trained.report import plots
from dlrun.trained.report.figures import (
    Calibration,
    ClassesReport,
    Curve,
    NumbersReport,
    OutputReport,
    YesOrNoReport,
)
from dlrun.trained.report.words import name_of
from dlrun.views.grid import show_value
from dlrun.views.html_page import LIGHT, colour, html

MOST_CURVES = 10
"""In one plot."""
LINE = 18
"""Pixels of a line of the legend."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A plot."""

    name: str
    """Of a file with it, such as `roc`."""
    caption: str
    keys: tuple[str, ...]
    """What each colour is, in order."""
    svg: str
    """As a part of a page."""

    def alone(self) -> str:
        """The picture as an SVG file, with its caption and its legend below, light on any page."""
        texts = [f'<text x="12" y="{plots.HIGH + LINE}">{html(self.caption)}</text>']
        for number, key in enumerate(self.keys):
            y = plots.HIGH + LINE * (number + 2)
            texts.append(f'<circle cx="18" cy="{y - 4}" r="4" fill="{colour(number)}"/>')
            texts.append(f'<text x="28" y="{y}">{html(key)}</text>')
        longest = max(len(text) for text in (self.caption, *self.keys))
        wide, high = max(plots.WIDTH, 40 + 7 * longest), plots.HIGH + LINE * (len(self.keys) + 2)
        inner = re.sub(r"^<svg[^>]*>|</svg>$", "", self.svg)
        return re.sub(
            r"var\(--colour-(\d+)\)",
            lambda found: LIGHT[int(found[1])],
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{wide}" height="{high}" viewBox="0 0 {wide} {high}">'
            f"<style>{STYLE}</style>"
            f'<rect width="{wide}" height="{high}" fill="#ffffff"/>{inner}{"".join(texts)}</svg>\n',
        )


STYLE = (
    "text { font: 12px system-ui, sans-serif; fill: #5b6472; } .axis { stroke: #d8dce2; } "
    ".diagonal { stroke: #5b6472; stroke-dasharray: 4 4; fill: none; } .bar { fill: var(--colour-0); }"
)


def pictures(one: OutputReport) -> Iterator[Picture]:
    """The plots of what is said of an output."""
    if isinstance(one, ClassesReport):
        if one.counted.used and one.calibration:
            yield from _of_chances(one.roc, one.precision_recall, [one.calibration])
    elif isinstance(one, YesOrNoReport):
        detailed = [(item.field, item.details) for item in one.fields if item.details and item.counted.used]
        if detailed and one.probabilities:
            yield from _of_chances(
                [replace(details.roc, label=field) for field, details in detailed],
                [replace(details.precision_recall, label=field) for field, details in detailed],
                [replace(details.calibration, of=field) for field, details in detailed if details.calibration],
            )
    elif isinstance(one, NumbersReport):
        detailed = [(item.field, item.details) for item in one.fields if item.details]
        for field, details in detailed:
            of = f" of {field}" if len(detailed) > 1 else ""
            for name, svg in (
                ("predicted and true", plots.predicted_against_true(details.true, details.predicted)),
                ("residuals", plots.histogram(details.histogram)),
            ):
                if svg:
                    yield Picture(name + of, name_of(field), (), svg)


def _of_chances(
    roc: Sequence[Curve], precision_recall: Sequence[Curve], found: Sequence[Calibration]
) -> Iterator[Picture]:
    """ROC curves, precision against recall, and calibration. A class has the same colour in all.

    Of many classes those with the lowest average precision are drawn.

    Args:
        roc: of each class.
        precision_recall: of each class.
        found: of each class, or one for all.
    """
    order = sorted((n for n, one in enumerate(precision_recall) if one.x), key=lambda n: precision_recall[n].area)
    chosen = sorted(order[:MOST_CURVES])
    few = f", the {MOST_CURVES} classes with the lowest average precision" if len(chosen) < len(order) else ""
    for name, draw, what, curves in (
        ("roc", plots.roc, "ROC area", roc),
        ("precision and recall", plots.precision_recall, "average precision", precision_recall),
    ):
        drawn = [curves[number] for number in chosen]
        if any(one.x for one in drawn):
            keys = tuple(f"{name_of(one.label)}: {show_value(one.area)}" for one in drawn)
            yield Picture(name, what + few, keys, draw(drawn))
    shown = [found[number] for number in chosen] if len(found) > 1 and chosen else found[:MOST_CURVES]
    keys = tuple(f"{name_of(one.of) if one.of else 'the predicted class'}: {show_value(one.error)}" for one in shown)
    yield Picture("calibration", "expected calibration error", keys, plots.calibration(shown))
