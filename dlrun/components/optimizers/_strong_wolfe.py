"""The line search for Wolfe's strong conditions, on plain numbers.

Along a direction the loss is a function of the rate. A rate is taken if the loss falls by enough for the slope at the
start, and the slope there is flat enough. First the rate grows until such a rate lies between two that were tried; then
the cubic through these two, with their slopes, says where to try next, and the gap closes around it. What the book
leaves open is chosen as torch does. torch's own search differs where a rate with too small a fall has a lower loss than
all before: it can then lose the rates near 0, among which the book searches.

Reference: Nocedal and Wright, Numerical Optimization, 2006, algorithms 3.5 and 3.6, and equation 3.59.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

FALL, FLAT = 1e-4, 0.9
"""The book's c1 and c2: which share of the fall that the first slope promises is enough, and which share of that slope
is flat enough."""
MOST = 25
"""How many rates are tried after the first one."""
LEAST_GROWTH, MOST_GROWTH = 0.01, 10
"""The bounds of the next rate while it grows: beyond the last one by this share of the last change; this many times the
last one."""
MARGIN = 0.1
"""A rate nearer than this share of the gap to one of its ends makes too little progress, if twice in a row."""

Along = Callable[[float], tuple[float, float]]
"""The loss at a rate, and the slope of the loss over the rate there."""


@dataclass(frozen=True, slots=True)
class _Point:
    rate: float
    loss: float
    slope: float


def strong_wolfe(along: Along, loss: float, slope: float, rate: float, narrow: float) -> float:
    """A rate with a lower loss, one that meets the conditions if it is found; 0 if no rate that was tried has any.

    Args:
        along: gives the loss and the slope at a rate.
        loss: at the rate 0.
        slope: at the rate 0, below 0.
        rate: the first one to try.
        narrow: the gap between two rates that is not divided any more.
    """
    start = before = _Point(0.0, loss, slope)
    here = _at(along, rate)
    for tried in range(MOST):
        if _is_above(here, start) or (tried and here.loss >= before.loss):
            return _between(along, start, before, here, narrow, MOST - tried)
        if _is_flat(here, start):
            return here.rate
        if here.slope >= 0:
            return _between(along, start, here, before, narrow, MOST - tried)
        least = here.rate + LEAST_GROWTH * (here.rate - before.rate)
        before, here = here, _at(along, _lowest(before, here, least, here.rate * MOST_GROWTH))
    return min(before, here, key=lambda point: point.loss).rate


def _between(along: Along, start: _Point, low: _Point, high: _Point, narrow: float, left: int) -> float:
    """A rate between two, of which `low` meets the first condition and slopes towards `high`; `left` may be tried."""
    slow = False
    for _ in range(left):
        least, most = sorted((low.rate, high.rate))
        if most - least <= narrow:
            break
        rate = _lowest(low, high, least, most)
        margin = MARGIN * (most - least)
        near_an_end = min(most - rate, rate - least) < margin
        if near_an_end and (slow or not least < rate < most):
            rate = most - margin if most - rate < rate - least else least + margin
            near_an_end = False
        slow = near_an_end
        here = _at(along, rate)
        if _is_above(here, start) or here.loss >= low.loss:
            high = here
            continue
        if _is_flat(here, start):
            return here.rate
        low, high = here, low if here.slope * (high.rate - low.rate) >= 0 else high
    return low.rate


def _at(along: Along, rate: float) -> _Point:
    """The point at a rate; one without a finite loss and slope is infinitely high."""
    loss, slope = along(rate)
    if not math.isfinite(loss) or not math.isfinite(slope):
        return _Point(rate, math.inf, math.nan)
    return _Point(rate, loss, slope)


def _is_above(point: _Point, start: _Point) -> bool:
    """Whether the loss has not fallen by enough: the first condition does not hold."""
    return point.loss > start.loss + FALL * point.rate * start.slope


def _is_flat(point: _Point, start: _Point) -> bool:
    """Whether the second condition holds."""
    return abs(point.slope) <= -FLAT * start.slope


def _lowest(one: _Point, other: _Point, least: float, most: float) -> float:
    """Where the cubic through two points, with their slopes, is lowest within bounds; their middle if it is nowhere."""
    left, right = sorted((one, other), key=lambda point: point.rate)
    d1 = left.slope + right.slope - 3 * (left.loss - right.loss) / (left.rate - right.rate)
    square = d1 * d1 - left.slope * right.slope
    if square >= 0:
        d2 = math.sqrt(square)
        curved = right.slope - left.slope + 2 * d2
        if curved:
            lowest = right.rate - (right.rate - left.rate) * ((right.slope + d2 - d1) / curved)
            return min(max(lowest, least), most)
    return (least + most) / 2
