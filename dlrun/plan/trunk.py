"""The trunk: the frozen part of a network whose values for a row are the same in every epoch. They are computed once,
and each step of training is that of the rest, the head.

A value is the same where it follows from inputs that nothing augments, by steps whose weights are frozen and that
compute in training what they compute in evaluation.
"""

from __future__ import annotations

from dataclasses import dataclass

from dlrun.language.experiment import DataSection, TrainSection
from dlrun.plan.length import Length
from dlrun.plan.memory import FLOAT, IN_MEMORY, INDEX
from dlrun.plan.network import Plan
from dlrun.plan.split_sizes import SplitSizes
from dlrun.plan.steps import Step
from dlrun.shapes import numel

MASK = 1
"""Bytes of whether a step of a sequence is padding."""
WORTH = 16
"""Multiply-adds for each number that is kept: with fewer, reading the number takes as long as computing it."""


@dataclass(frozen=True, slots=True)
class Trunk:
    """What is computed once for each row."""

    steps: frozenset[int]
    """Its steps, without the inputs."""
    kept: tuple[int, ...]
    """Those of them whose values the head takes."""
    macs: int
    """Multiply-adds for one sample."""
    row_bytes: int
    """Bytes that are kept of a row; in bfloat16 they are fewer."""


def trunk(plan: Plan, data: DataSection, train: TrainSection, sizes: SplitSizes, device: str) -> Trunk | None:
    """The trunk of a network; None where there is none, or where computing it once saves no time, or takes more memory
    than the rows of a stored array may.

    That depends on the spec and the sizes alone, and not on how long a training of whole epochs is. So a run, its
    resume and one that is made longer compute the same, and until its weights move, a run computes the same as one in
    which they stay frozen.

    Args:
        plan: the network.
        data: the section of the spec, for what is augmented.
        train: the section, for the length of the training.
        sizes: how many rows each split has.
        device: the type of the device that keeps the values.
    """
    found = None if data.augment or not sizes.train else find_trunk(plan.at_first())
    if found is None:
        return None
    length = Length.of(train, sizes.train)
    fits = found.row_bytes * (sizes.train + sizes.validation + sizes.test) <= IN_MEMORY[device]
    saves = found.macs > WORTH * sum(numel(plan.steps[step].output) for step in found.kept)
    return found if length.steps >= length.per_epoch and fits and saves else None


def find_trunk(plan: Plan) -> Trunk | None:
    """The trunk of a network; None where an output is a part of it, so that no trained weight changes that output."""
    fixed = set(range(len(plan.inputs)))
    for index, step in enumerate(plan.steps):
        padding = {mask.indices for mask in step.masks if mask is not None}
        if is_steady(plan, step) and {*step.inputs, *padding} <= fixed:
            fixed.add(index)
    if fixed.intersection(plan.outputs.values()):
        return None
    steps = frozenset(fixed.difference(range(len(plan.inputs))))
    head = {index: step for index, step in enumerate(plan.steps) if index not in fixed}
    kept = sorted(steps.intersection(value for step in head.values() for value in step.inputs))
    masks = {mask for index, step in head.items() for mask in (*step.masks, plan.masks.get(index)) if mask is not None}
    row_bytes = sum(numel(plan.steps[one].output) * (INDEX if plan.steps[one].indices else FLOAT) for one in kept)
    row_bytes += sum(MASK * numel(plan.steps[mask.indices].output) for mask in masks if mask.indices in fixed)
    return Trunk(steps, tuple(kept), sum(plan.steps[step].macs for step in steps), row_bytes)


def is_steady(plan: Plan, step: Step) -> bool:
    """Whether a step computes the same value of the same inputs in every epoch, in training and in evaluation."""
    if step.layer is None or step.computed_with - plan.frozen:
        return False
    return plan.is_still(step) or step.layer.same_in_training()
