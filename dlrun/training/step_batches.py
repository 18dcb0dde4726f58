"""The batches of one step, each with its share of the step's rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from dlrun.data.batches import Batch
from dlrun.plan.length import Length
from dlrun.training.order import Order
from dlrun.training.task import Task

StepBatch = tuple[Batch, int, float, bool]
"""A batch, its number of rows, their share of the step's rows, and whether it is the step's last batch."""


def step_batches(task: Task, length: Length, order: Order, epoch: int, step: int) -> Iterable[StepBatch]:
    """The batches of a step of an epoch, by its number there.

    Each is read when it is its turn. Only where losses count rows unequally, all are read before the first is given, as
    each must know how much of the step counts.
    """
    places = length.batches(step)
    if len(places) == 1:
        (place,) = places
        return ((task.augment(task.data.train, epoch, order.part(place.start, place.stop)), len(place), 1.0, True),)
    return _several(task, order, epoch, places)


def _several(task: Task, order: Order, epoch: int, places: Sequence[range]) -> Iterator[StepBatch]:
    rows = places[-1].stop - places[0].start
    parts = (order.part(place.start, place.stop) for place in places)
    batches: Iterable[Batch] = (task.augment(task.data.train, epoch, part) for part in parts)
    if task.objective.uneven:
        batches = task.objective.of_one_step(list(batches))
    for place, batch in zip(places, batches, strict=True):
        yield batch, len(place), len(place) / rows, place is places[-1]
