"""What the normalizations share."""

from __future__ import annotations

from dlrun.components.layers import Role, WeightedLayer


class Norm(WeightedLayer):
    """Brings numbers to one size, then scales them by `weight` and shifts them by `bias`, where it has them."""

    def role(self, weight: str) -> Role:
        return "scale" if weight == "weight" else "bias"
