"""The range of the activations that are a straight line on each side of 0."""

from __future__ import annotations

from dlrun.components.layers import Range


def bent(taken: Range, slope: float) -> Range:
    """The range of `x if x > 0 else slope*x`."""
    ends = [end if end > 0 else slope * end if slope else 0.0 for end in taken]
    if taken[0] < 0 < taken[1]:
        ends.append(0.0)
    return min(ends), max(ends)
