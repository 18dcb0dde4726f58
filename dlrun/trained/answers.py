"""What a network answers for some rows, as people read it: classes with probabilities, or numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from dlrun.trained.decided import Decided

Array = np.ndarray[Any, Any]

AnswerKind = Literal["classes", "yes_or_no", "numbers"]


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """What one output of a network says of some rows, and what is true of them where that is known."""

    output: str
    """The name of the output."""
    kind: AnswerKind
    """`classes`: one of several, or of two. `yes_or_no`: each field by itself. `numbers`: in the units of the data."""
    fields: tuple[str, ...]
    """The fields of the data that it predicts, or names of its own where the data has none."""
    labels: tuple[str, ...]
    """The classes, in the order of `chances`; () unless it is `classes`."""
    values: Array
    """float64: the probability of each class (N, classes), or that of a yes for each field (N, fields), or numbers
    (N, fields); with positions in between, (N, ..., classes)."""
    true: Array | None = None
    """What the data says: class numbers (N, ...), -1 where one is not known or does not count; 0 and 1, or numbers,
    (N, fields)."""
    are_probabilities: bool = True
    """Whether values of classes are probabilities; a margin loss, such as hinge, learns scores alone."""
    decision: Decided | None = None
    """How a class is decided for; None is the most probable one."""

    @property
    def chances(self) -> Array:
        """`values`; probabilities of classes as a decision for other shares of the classes takes them."""
        return self.values if self.decision is None else self.decision.weighed(self.values)

    @property
    def chosen(self) -> Array:
        """The number of the class that is decided for, (N, ...); below 0 where a row is rejected."""
        return self.decided if self.decision is None else self.decision.classes(self.values)

    @property
    def decided(self) -> Array:
        """The class number of the most probable class, (N, ...); 1 where a yes is more probable than not, (N, fields);
        the numbers."""
        if self.kind == "classes":
            return self.values.argmax(-1)
        return (self.values > 0.5).astype(np.int64) if self.kind == "yes_or_no" else self.values


def with_truth(answers: Answers, true: Array | None) -> Answers:
    """Answers beside what is true, if it is known."""
    if true is None:
        return answers
    if answers.kind == "classes":
        if true.dtype.kind == "f" and true.ndim == 2 and true.shape[1] == len(answers.labels) > 1:
            true = true.argmax(1)  # probabilities of classes: the most probable one
        classes = np.asarray(true, np.int64)
        return replace(answers, true=np.maximum(classes, -1).reshape(answers.values.shape[:-1]))
    known = np.asarray(true, np.float64 if answers.kind == "numbers" else np.int64)
    return replace(answers, true=known.reshape(answers.values.shape))


def joined(parts: Sequence[Answers]) -> Answers:
    """The answers of an output for several blocks of rows as those for all."""
    true = None if parts[0].true is None else np.concatenate([one.true for one in parts if one.true is not None])
    return replace(parts[0], values=np.concatenate([one.values for one in parts]), true=true)
