"""The base of the normalizations."""

from __future__ import annotations

from dlrun.components.layers import Role, WeightedLayer


class Norm(WeightedLayer):
    """Normalizes numbers, then multiplies them by `weight` and adds `bias`, where it has them."""

    def role(self, weight: str) -> Role:
        return "scale" if weight == "weight" else "bias"
