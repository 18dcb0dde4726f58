"""Whether the network is worth it, in one sentence."""

from __future__ import annotations

import math
from dataclasses import dataclass

ERRORS = 2.0
"""How many standard errors a difference must have to count: about 95% of the differences by chance have fewer."""


@dataclass(frozen=True, slots=True)
class Duel:
    """The network and the best baseline, by one figure on the same rows."""

    figure: str
    """Such as `accuracy`, or `loss`."""
    rising: bool
    """Whether a larger value is better."""
    network: float
    baseline: float
    name: str
    """The baseline's."""
    noise: float
    """The standard error of the difference; NaN for a single row."""
    rows: int
    split: str


def verdict(duel: Duel) -> str:
    """The sentence: worth it, not worth it, or not shown."""
    ours, theirs, best = f"{duel.network:.4g}", f"{duel.baseline:.4g}", f"the best baseline, {duel.name},"
    on = f"{duel.rows:,} {duel.split} row" + ("" if duel.rows == 1 else "s")
    gap = duel.network - duel.baseline
    bound = ERRORS * duel.noise
    if gap == 0:
        return f"Not shown: {best} has the network's {duel.figure}, {ours}, on {on}"
    if math.isnan(bound) or abs(gap) <= bound:
        noise = f"the noise of {on}" + ("" if math.isnan(bound) else f" (+-{bound:.2g})")
        both = f"the network's {duel.figure} {ours} and that of {best} {theirs},"
        return f"Not shown: {both} differ by no more than {noise}"
    by = f"by {abs(gap):.2g} on {on} (noise +-{bound:.2g})"
    if (gap > 0) == duel.rising:
        return f"Worth it: the network's {duel.figure} {ours} beats that of {best} {theirs}, {by}"
    return f"Not worth it: the {duel.figure} of {best} {theirs}, beats the network's {ours} {by}"
