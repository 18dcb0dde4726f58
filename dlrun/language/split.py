"""The settings of `data.split`: how the rows are divided, and which of the settings exclude each other."""

from __future__ import annotations

import re
from typing import Annotated, Any, Self

from pydantic import Field, PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from dlrun.errors import SpecPath
from dlrun.language.component import Settings
from dlrun.language.fields import Count, Positive
from dlrun.language.messages import DESCRIBED, SettingProblem, as_validation_error
from dlrun.language.suggestions import shorten

SHARE = 0.15
"""The share of the rows of a split whose size is not given."""


def _read_size(value: Any) -> int | float:
    whole = isinstance(value, int) and not isinstance(value, bool)
    if whole and value >= 1:
        return value
    if (whole or isinstance(value, float)) and 0 <= value < 1:
        return float(value)
    percent = re.fullmatch(r"([\d.]+) ?%", value) if isinstance(value, str) else None
    what = "a share of the rows, 0 or more and below 1, or a whole number of rows, is expected"
    hint = f"write {float(percent[1]) / 100:g} for the share" if percent else ""
    context = {"message": f"{what}; received {shorten(value)}", "hint": hint, "at_key": False}
    raise PydanticCustomError(DESCRIBED, "{message}", context)


SplitSize = Annotated[
    int | float,
    PlainValidator(_read_size),
    WithJsonSchema(
        {"anyOf": [{"type": "number", "minimum": 0, "exclusiveMaximum": 1}, {"type": "integer", "minimum": 0}]}
    ),
]
"""A share of the rows, or a number of rows."""

EXCLUDING = {
    "time": ("stratify", "group", "folds"),
    "column": ("folds",),
    "folds": ("test",),
}
"""For each setting those that cannot be given with it."""
WHY = {
    ("time", "stratify"): ("the times decide which rows are in each split", "remove one of the two"),
    ("time", "group"): ("the times decide which rows are in each split", "remove one of the two"),
    ("time", "folds"): ("the last rows are the test rows", "remove one of the two"),
    ("column", "folds"): ("the column says which rows are for testing", "remove one of the two"),
    ("folds", "test"): ("each row is a test row of one fold", "remove `test`"),
}
"""For two settings that exclude each other: why, and the way out."""


class Split(Settings):
    """How the rows are divided: the test and the validation rows are drawn first; the others are for training."""

    validation: SplitSize | None = None
    """The rows for early stopping and for choosing the best weights: a share of them, such as 0.2, or their number. 0:
    no validation. 0.15 unless given, or unless the data keeps validation rows apart."""
    test: SplitSize | None = None
    """The same for the rows of the one evaluation after training. 0: no test."""
    stratify: bool = False
    """Give every split the same share of each class; for a target of numbers, of each of its quantiles."""
    group: str | None = None
    """A column: rows with the same value in it, such as those of one patient, are all in the same split."""
    time: str | None = None
    """A column of times or numbers: the last rows are for the test, those before them for validation."""
    column: str | None = None
    """A column that has `train`, `validation` or `test` in each row."""
    folds: Annotated[int, Field(ge=2)] | None = None
    """Train as many times, each time with another part of the rows as the test rows, so that each row is tested once;
    the validation rows are drawn from the others."""
    fold: Positive | None = None
    """Train only this one of the folds, counted from 1."""
    train_on_validation: bool = False
    """Train on the validation rows too: they are drawn as ever, and are then training rows. None are left for
    validation."""
    seed: Count | None = None
    """Decides which rows go into which split; the experiment's seed unless given."""

    @classmethod
    def read(cls, values: Any, prefix: SpecPath = ()) -> Self:
        found = super().read(values, prefix)
        if problems := found._contradictions(prefix):
            raise as_validation_error(problems)
        return found

    @property
    def columns(self) -> dict[str, str]:
        """The columns that divide the rows, by the settings that name them."""
        named = {"group": self.group, "time": self.time, "column": self.column}
        return {setting: name for setting, name in named.items() if name is not None}

    @property
    def every_fold(self) -> bool:
        """Whether a training is one of each of the folds."""
        return self.folds is not None and self.fold is None

    @property
    def by_rows(self) -> bool:
        """Whether the sizes of the splits follow from the rows, not from their number alone."""
        return bool(self.columns) or self.folds is not None

    def _contradictions(self, prefix: SpecPath) -> list[SettingProblem]:
        given = [name for name in type(self).model_fields if getattr(self, name) not in (None, False)]
        given += ["test"] * (self.test == 0)
        problems = []
        for one, others in EXCLUDING.items():
            for other in others if one in given else ():
                if other in given:
                    why, hint = WHY[one, other]
                    what = f"`{other}` cannot be given with `{one}`: {why}"
                    problems.append(SettingProblem(what, (*prefix, other), hint))
        if self.fold is not None and self.folds is None:
            what, hint = "`fold` needs `folds`, how many there are", "write `folds: 5`, or remove `fold`"
            problems.append(SettingProblem(what, (*prefix, "fold"), hint))
        elif self.fold is not None and self.folds is not None and self.fold > self.folds:
            what = f"there are {self.folds} folds, counted from 1; received {self.fold}"
            problems.append(SettingProblem(what, (*prefix, "fold")))
        return problems
