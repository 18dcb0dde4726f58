"""Baselines: simpler methods that are fitted on the same rows as the network, and compared with it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from dlrun.language.component import Component
from dlrun.language.fields import PositiveFloat
from dlrun.language.target_kind import TargetKind

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]
    Blocks = Iterable[tuple[Array, Array]]
    """The training rows block by block: features (n, D), and class numbers (n,) or numbers (n, K) to predict."""


class BaselineError(Exception):
    """The training rows do not allow a baseline."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """A baseline after fitting."""

    predict: Callable[[Array], Array]
    """From features (n, D) to the probability of each class (n, classes), or to numbers (n, K)."""
    figures: dict[str, float] = field(default_factory=dict)
    """What it knows of itself besides, by name."""
    remark: str = ""
    """What a reader of its results should know."""


class Baseline(Component):
    """A method that learns from the training rows at once, or nearly so."""

    family: ClassVar[str] = "baselines"
    suits: ClassVar[frozenset[TargetKind]]
    """The kinds of target that it predicts; each output of yes or no is a target of two classes."""
    most_rows: ClassVar[int | None] = None
    """How many training rows it learns from; a random sample where there are more. None: from all of them."""

    seconds: PositiveFloat = 10.0
    """The most time that it may take."""

    def fit(self, blocks: Blocks, classes: int | None, seed: int) -> Fitted:
        """Learn from the training rows.

        Args:
            blocks: the rows; they can be read once.
            classes: how many classes there are; None where numbers are predicted.
            seed: decides every random choice.

        Raises:
            BaselineError: they do not allow it.
        """
        raise NotImplementedError
