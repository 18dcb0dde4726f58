"""Everything that a training uses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import nn

from dlrun.components.optimizers import Optimizer
from dlrun.data.augment import Augmenter
from dlrun.data.prepare import Prepared
from dlrun.language.experiment import TrainSection
from dlrun.modules.still import move_again
from dlrun.plan.metrics import Watched
from dlrun.training.changing_numbers import ChangingNumbers
from dlrun.training.chosen_weights import Bound
from dlrun.training.objective import Forward, Objective
from dlrun.training.penalties import Penalty


@dataclass(frozen=True, slots=True)
class WeightGroup:
    """Weights that one optimizer moves."""

    optimizer: Optimizer
    parameters: Sequence[nn.Parameter]
    late: Sequence[nn.Parameter] = ()
    """Those that are frozen at first; they have a state of their own, which begins when they begin to move."""


@dataclass(frozen=True, slots=True)
class Unfreezing:
    """What changes when weights that were frozen at first begin to move."""

    step: int
    """After how many steps."""
    layers: Sequence[nn.Module]
    """The modules whose moving statistics were still."""
    penalties: Sequence[Penalty]
    bounds: Sequence[Bound]


@dataclass(frozen=True, slots=True)
class Task:
    """The network, the data, the objective, the metrics and the optimizers."""

    network: nn.Module
    forward: Forward
    """The network's forward pass, in the precision of the spec."""
    data: Prepared
    augment: Augmenter
    objective: Objective
    """With its coefficients as they are written."""
    minimised: Objective
    """The same, with the coefficients of the current step where schedules change them."""
    watched: Sequence[Watched]
    """The metrics."""
    penalties: Sequence[Penalty]
    """What is added to the loss in training."""
    bounds: Sequence[Bound]
    """The constraints that hold after every step, in order."""
    groups: Sequence[WeightGroup]
    """The trained weights, each in one group."""
    changing: ChangingNumbers
    """The numbers that schedules change."""
    settings: TrainSection
    seed: int
    unfreezing: Unfreezing | None = None
    """What is yet to change; None where no weight is frozen for a time, or is so no more."""

    def unfrozen(self) -> Task:
        """The task from the step on in which the weights that were frozen at first begin to move."""
        assert self.unfreezing is not None
        for group in self.groups:
            for parameter in group.late:
                parameter.requires_grad_(True)
        for layer in self.unfreezing.layers:
            move_again(layer)
        penalties, bounds = self.unfreezing.penalties, self.unfreezing.bounds
        return replace(self, penalties=penalties, bounds=bounds, unfreezing=None)

    @property
    def device(self) -> torch.device:
        """The device of the rows, and so of the network."""
        return self.data.train.device

    @property
    def losses(self) -> int:
        """How many losses a step returns: the loss, its terms where there are several, the penalty if there is one."""
        return self.minimised.width + self.penalized

    @property
    def penalized(self) -> bool:
        """Whether there is a penalty, or will be one once all weights are trained."""
        return bool(self.penalties or (self.unfreezing is not None and self.unfreezing.penalties))
