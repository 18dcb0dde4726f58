"""Learning rates and other numbers over a training: a plot for each name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dlrun.components.optimizers import LR
from dlrun.errors import visible
from dlrun.plan.length import Length
from dlrun.plan.schedules import Curve
from dlrun.views.drawing.plots import Plot, plot_of


def plots(curves: Mapping[str, Sequence[Curve]], length: Length) -> list[Plot]:
    """The plots; `curves` are those of each number by its name, several for several optimizers."""
    epochs = length.steps / length.per_epoch
    right = f"{epochs:g} epoch{'s' * (epochs != 1)}"
    return [plot_of(several, right, name if len(curves) > 1 else "") for name, several in curves.items()]


def title(names: Sequence[str], spec: str) -> str:
    """What the picture shows."""
    shown = ["The learning rate" if name == LR else visible(name) for name in names]
    return f"{', '.join(shown)} of {spec}"
