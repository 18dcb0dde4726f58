"""The rows of a split as arrays for a baseline, and its predictions as outputs of the network."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from dlrun.components.baselines import Baseline
from dlrun.data.batches import Batch
from dlrun.data.rows import InMemory, Rows
from dlrun.language.target_kind import TargetKind
from dlrun.plan.losses import Term
from dlrun.plan.outputs import logits_of
from dlrun.training.objective import Outputs

Array = np.ndarray[Any, Any]

BLOCK_NUMBERS = 1 << 20
"""Numbers that are sent at a time."""


def features(rows: Batch) -> Array:
    """All inputs of some rows, side by side (n, D): float32, or float64 where there are indices."""
    flat = [x.flatten(1) for x in rows.inputs]
    return torch.cat([x.double() if x.dtype == torch.int64 else x for x in flat], 1).cpu().numpy()


def blocks(rows: Rows) -> Iterator[Batch]:
    """The rows, some at a time."""
    size = max(1, BLOCK_NUMBERS // max(1, sum(x.numel() for x in rows.batch(slice(0, 1)).inputs)))
    for start in range(0, len(rows), size):
        yield rows.batch(slice(start, start + size))


def sample(rows: Rows, baseline: Baseline, seed: int) -> Rows:
    """As many rows as a baseline takes, drawn by the seed, in their order."""
    most = baseline.most_rows
    if most is None or len(rows) <= most:
        return rows
    chosen = np.random.default_rng(seed).choice(len(rows), most, replace=False, shuffle=False)
    return InMemory(rows.batch(torch.from_numpy(np.sort(chosen)).to(rows.device)), rows.fingerprint)


class Predicted:
    """What a baseline is asked for, and how its answers are compared as the network's outputs are."""

    def __init__(self, term: Term, shape: tuple[int, ...], classes: int | None):
        """`term` is a loss at the output, `shape` the output's, and `classes` how many the target has."""
        self.term, self.shape = term, shape
        self.wants: TargetKind = term.loss.wants
        self.classes = {"classes": classes, "binary": 2}.get(self.wants)
        """The number of classes in each fit; None where numbers are predicted."""
        self.fits = int(np.prod(shape)) if self.wants == "binary" else 1
        """How often a baseline is fitted: once for each output of yes or no, else once for all."""

    def answers(self, rows: Batch, fit: int) -> Array:
        """The targets of a fit: class numbers (n,), or numbers (n, K) in the units of the loss."""
        values = rows.targets[self.term.answer.name].cpu().numpy()
        if self.wants == "classes":
            return values
        values = values.reshape(len(values), -1)
        return values[:, fit].astype(np.int64) if self.wants == "binary" else values.astype(np.float64)

    def outputs(self, predictions: list[Array], device: torch.device) -> Outputs:
        """The predictions of all fits as the network's outputs, in float64.

        A probability of 0 becomes the least distance of two numbers near 1, as in scikit-learn's log_loss.
        """
        name = self.term.output
        if self.wants == "numbers":
            return {name: torch.from_numpy(predictions[0]).reshape(-1, *self.shape).to(device)}
        eps = np.finfo(np.float64).eps
        if self.wants == "classes":
            known = predictions[0].clip(eps, 1 - eps)
            unknown = np.full((len(known), self.shape[0] - known.shape[1]), eps)  # outputs that are no class
            return {name: torch.from_numpy(np.log(np.concatenate([known, unknown], axis=1))).to(device)}
        chances = np.stack([each[:, 1] for each in predictions], axis=1).clip(eps, 1 - eps)
        yes = torch.from_numpy(chances).reshape(-1, *self.shape).to(device)
        given = yes if self.term.output_form == "probabilities" else yes.logit()
        return {name: given, logits_of(name): yes.logit()}
