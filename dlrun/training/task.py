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
class Head:
    """The part of a network that is left where its trunk is computed once, and what it stands in place of."""

    network: nn.Module
    """Its modules are those of the whole network."""
    whole: Forward
    """The forward pass of the whole network."""
    given: Prepared
    """The rows with the network's inputs."""
    threads: int
    """For a step of the whole network."""


@dataclass(frozen=True, slots=True)
class Task:
    """The network, the data, the objective, the metrics and the optimizers."""

    network: nn.Module
    """The whole network."""
    forward: Forward
    """The network's forward pass, in the precision of the spec; that of its head where its trunk is computed once."""
    data: Prepared
    """The rows as `forward` takes them."""
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
    in_order: bool = False
    """Whether torch is told to refuse what it would compute in any order; on a processor it computes nothing so."""
    unfreezing: Unfreezing | None = None
    """What is yet to change; None where no weight is frozen for a time, or is so no more."""
    head: Head | None = None
    """The part that `forward` computes; None where that is the whole network."""

    def of_head(self, head: nn.Module, forward: Forward, data: Prepared, threads: int) -> Task:
        """The task of training the head alone.

        Args:
            head: the head.
            forward: its forward pass.
            data: the rows with the values of the trunk.
            threads: for a step; those of now are for the whole network.
        """
        found = Head(head, self.forward, self.data, torch.get_num_threads())
        torch.set_num_threads(threads)
        return replace(self, forward=forward, data=data, head=found)

    def unfrozen(self) -> Task:
        """The task from the step on in which the weights that were frozen at first begin to move."""
        assert self.unfreezing is not None
        for group in self.groups:
            for parameter in group.late:
                parameter.requires_grad_(True)
        for layer in self.unfreezing.layers:
            move_again(layer)
        penalties, bounds = self.unfreezing.penalties, self.unfreezing.bounds
        task = replace(self, penalties=penalties, bounds=bounds, unfreezing=None)
        if (head := self.head) is None:
            return task
        torch.set_num_threads(head.threads)
        return replace(task, forward=head.whole, data=head.given, head=None)

    @property
    def computed(self) -> nn.Module:
        """What `forward` computes: the network, or its head."""
        return self.network if self.head is None else self.head.network

    @property
    def given(self) -> Prepared:
        """The rows with the network's inputs."""
        return self.data if self.head is None else self.head.given

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
