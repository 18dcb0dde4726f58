"""Augment training batches, row by row."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from torch import Tensor

from dlrun.components.augment import Augmentation, InputAugmentation, Mixing, PartnerAugmentation, RowAugmentation
from dlrun.data.batches import Batch
from dlrun.data.rows import Rows
from dlrun.modules.mixing import line, probabilities
from dlrun.modules.random_streams import RandomStream, streams


class Augmenter:
    """The steps of `data.augment`, in order.

    An augmented row depends on the seed, the epoch, the row's number, the training rows and the steps alone: not on its
    batch, nor on what was drawn before. So there is no state to save, and nothing to repeat when a run resumes.

    A step may change a row by its partner, which is drawn from all training rows. The partner is then augmented too, by
    the steps before, as it is where it stands in a batch itself.
    """

    def __init__(
        self,
        steps: Sequence[RowAugmentation],
        inputs: Sequence[str],
        seed: int,
        classes: Mapping[str, int] | None = None,
        binary: Collection[str] = (),
    ):
        """
        Args:
            steps: the steps.
            inputs: the names of the network's inputs, in order.
            seed: the experiment's.
            classes: for each target of classes how many outputs are compared with it.
            binary: the targets of 0 and 1.
        """
        self.steps = tuple((step, _places(step, inputs)) for step in steps)
        self.seed, self.classes, self.binary = seed, dict(classes or {}), tuple(binary)
        self.mixes = any(isinstance(step, Mixing) for step in steps)

    def __call__(self, train: Rows, epoch: int, rows: Tensor) -> Batch:
        """Some training rows, augmented, on their device; those of `train` are not changed.

        Args:
            train: all training rows, preprocessed.
            epoch: from 0 on.
            rows: (N,) int64, each row's number among the training rows, on the same device.
        """
        batch = self._after(len(self.steps), train, epoch, rows)
        return self._with_decisions(batch) if self.mixes else batch

    def _after(self, count: int, train: Rows, epoch: int, rows: Tensor) -> Batch:
        """The rows after the first `count` steps."""
        batch = train.batch(rows)
        if not count:
            return batch
        begin = streams(self.seed, epoch, rows)
        inputs = list(batch.inputs)
        for part, (step, places) in enumerate(self.steps[:count]):
            draw = RandomStream(begin, part)
            if isinstance(step, Augmentation):
                for place in places:
                    inputs[place] = step.apply(inputs[place], draw)
                continue
            partners = self._after(part, train, epoch, draw.below(len(train)))
            if isinstance(step, PartnerAugmentation):
                for place in places:
                    inputs[place] = step.exchange(inputs[place], partners.inputs[place], draw)
            elif isinstance(step, Mixing):
                inputs, share = step.mix(inputs, partners.inputs, draw)
                batch = self._mixed(batch, partners, share)
        return Batch(tuple(inputs), batch.targets, batch.exact)

    def _mixed(self, batch: Batch, partners: Batch, share: Tensor) -> Batch:
        """The batch with its targets mixed."""
        targets = {}
        for name, own in batch.targets.items():
            pair = own, partners.targets[name]
            if name in self.classes:
                pair = probabilities(pair[0], self.classes[name]), probabilities(pair[1], self.classes[name])
            targets[name] = line(*pair, share)
        exact = {name: line(own, partners.exact[name], share) for name, own in batch.exact.items()}
        return Batch(batch.inputs, targets, exact)

    def _with_decisions(self, batch: Batch) -> Batch:
        """The batch with the class of the largest share for each row of mixed classes: metrics compare with it."""
        exact = dict(batch.exact)
        for name in self.classes:
            exact[name] = batch.targets[name].argmax(1)
        for name in self.binary:
            mixed = batch.targets[name]
            exact[name] = (mixed >= 0.5).to(mixed.dtype)
        return Batch(batch.inputs, batch.targets, exact)


def _places(step: RowAugmentation, inputs: Sequence[str]) -> tuple[int, ...]:
    """The places of the inputs that a step changes."""
    only = step.input if isinstance(step, InputAugmentation) else None
    return tuple(place for place, name in enumerate(inputs) if only in (None, name))
