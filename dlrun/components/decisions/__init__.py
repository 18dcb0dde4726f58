"""Decisions: how the probabilities that a network gives become one class for each row."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from dlrun.errors import LocatedError
from dlrun.language.component import Component
from dlrun.language.suggestions import did_you_mean

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

Costs = tuple[tuple[float, ...], ...]
"""A row for each true class, and in it the cost of each decision: for each class, then for a rejection."""


class DecisionError(LocatedError):
    """A decision does not suit the classes; `at` is the path below it."""


class Decision(Component):
    """A rule that decides for the class with the least expected cost, the sum of cost times probability."""

    family: ClassVar[str] = "decisions"
    needs_threshold: ClassVar[bool] = False
    """Whether `threshold` is found in the validation rows."""

    output: str | None = None
    """The output that it is for; needed where there are several."""
    priors: dict[str, Annotated[float, Field(gt=0, lt=1)]] | None = None
    """The share of each class where the network is used, if it is not that of the training rows. Classes that are not
    listed share the rest, as they do in the training rows. Each probability is multiplied by its class's share there,
    divided by that in training."""

    @property
    def rejects(self) -> bool:
        """Whether it may decide for none of the classes."""
        return False

    def costs_of(self, labels: Sequence[str], threshold: float | None) -> Costs:
        """The cost of each decision.

        Args:
            labels: the classes, in the order of the costs.
            threshold: what `threshold` has found.
        """
        raise NotImplementedError

    def threshold(self, chances: Array, true: Array, labels: Sequence[str]) -> float:
        """The threshold for the probability of a class, found in rows that the network was not trained on.

        Args:
            chances: (n, classes), the probability of each class, with `priors`.
            true: (n,), the number of each row's class.
            labels: the classes.
        """
        raise NotImplementedError

    def looked_for(self, labels: Sequence[str]) -> str:
        """The class whose probability is compared with the threshold; '' without one."""
        return ""

    def need(self, labels: Sequence[str]) -> None:
        """Hold the settings to the classes.

        Raises:
            DecisionError: they do not suit them.
        """
        for name in self.priors or ():
            need_class(name, labels, ("priors", name))
        total = math.fsum((self.priors or {}).values())
        listed = len(self.priors or ()) == len(labels)
        if self.priors and (abs(total - 1) > 1e-6 if listed else total >= 1):
            hint = "write shares that sum to 1" if listed else "leave a share for the classes that are not listed"
            raise DecisionError(f"the priors sum to {total:g}", hint, ("priors",))

    def factors(self, labels: Sequence[str], shares: Sequence[float]) -> tuple[float, ...]:
        """What the probability of each class is multiplied by, for `priors`.

        Args:
            labels: the classes.
            shares: how much of the training each was, in the same order; they need not sum to 1.

        Raises:
            DecisionError: a class was never trained.
        """
        if not self.priors:
            return (1.0,) * len(labels)
        if missing := [label for label, share in zip(labels, shares, strict=True) if not share]:
            message = f"no training row is '{missing[0]}', so its probability cannot be that of other shares"
            raise DecisionError(message, "", ("priors",))
        trained = [share / math.fsum(shares) for share in shares]
        rest = [share for label, share in zip(labels, trained, strict=True) if label not in self.priors]
        left = 1 - math.fsum(self.priors.values())
        return tuple(
            (self.priors[label] if label in self.priors else left * share / math.fsum(rest)) / share
            for label, share in zip(labels, trained, strict=True)
        )


def need_class(name: str, labels: Sequence[str], at: tuple[Any, ...]) -> None:
    """Raise a DecisionError unless there is a class of that name."""
    if name not in labels:
        meant = did_you_mean(name, labels, {})
        few = ", ".join(labels[:10]) + (", …" if len(labels) > 10 else "")
        raise DecisionError(f"the target has no class '{name}'{meant}", "" if meant else f"the classes are {few}", at)
