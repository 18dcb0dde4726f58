from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, PlainValidator, WithJsonSchema, model_validator

from dlrun.components.preprocess import Column, EncodeError, Encoder, Learned
from dlrun.language.component import LARGEST, checked
from dlrun.language.suggestions import shorten


def _read_value(value: Any) -> float | str:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if isinstance(value, str) or (number and -LARGEST <= value <= LARGEST):
        return value
    raise ValueError(f"'value' is a number that float32 has, or a text; received {shorten(value)}")


class Impute(Encoder):
    """Put a value where a column has none: one that is learned from the training rows, or a constant.

    Without `columns` it fills every column of numbers; one that has a value in all rows does not change.

    Shape: same as the input; with `indicator`, one more number for each column that lacks a value in a training row
    Reference: Little and Rubin, Statistical analysis with missing data, 2019, section 4.2.
    Example: impute: {columns: [age, "hours*"], with: median, indicator: true}
    """

    synonyms = ("imputer", "simple_imputer", "fillna", "fill_missing")
    takes = ("number",)
    fills = True

    method: Literal["mean", "median", "most_frequent", "constant"] = Field("mean", alias="with")
    """What to put there: the training rows' mean, median or most frequent value (the smallest of equally frequent
    ones); or a constant, the `value`. Texts take the last two."""
    value: Annotated[
        float | str | None,
        PlainValidator(checked(_read_value)),
        WithJsonSchema({"anyOf": [{"type": "number"}, {"type": "string"}]}),
    ] = None
    """The constant."""
    indicator: bool = False
    """Add a column, 1 where the value was missing and 0 elsewhere, for each column that lacks one in a training row."""

    @model_validator(mode="after")
    def _value_for_constant(self) -> Self:
        if self.value is not None and self.method != "constant":
            raise ValueError(f"value is only for `with: constant`; received {self.method}")
        return self

    def learn(self, column: Column) -> Learned:
        import numpy as np

        missing = column.missing
        learned: Learned = {"value": self.value}
        if self.method != "constant":
            if missing.all():
                message = f"the column '{column.name}' has no value in any training row"
                raise EncodeError(message, "`with: constant`, and a `value`, or leave the column out")
            if column.codes is not None:
                if self.method != "most_frequent":
                    message = f"texts, such as the column '{column.name}', have no {self.method}"
                    raise EncodeError(message, "write `with: most_frequent` or `with: constant`")
                counts = np.bincount(column.codes[~missing], minlength=len(column.texts))
                most = [text for text, count in zip(column.texts, counts, strict=True) if count == counts.max()]
                learned["value"] = min(most)
            else:
                learned["value"] = self._typical(column.numbers[~missing])  # type: ignore[index]
        elif isinstance(self.value, str) != (column.codes is not None) or self.value is None:
            kind = "numbers" if column.codes is None else "texts"
            message = f"the column '{column.name}' is of {kind}, and `value` is {shorten(self.value)}"
            raise EncodeError(message, "write a `value` of the column's type")
        if self.indicator and missing.any():
            learned["indicator"] = True
        return learned

    def encode(self, column: Column, learned: Learned) -> list[Column]:
        import numpy as np

        missing, value = column.missing, learned["value"]
        if column.codes is None:
            assert column.numbers is not None
            filled = Column(column.name, np.where(missing, value, column.numbers))
        else:
            texts = column.texts if value in column.texts else (*column.texts, value)
            codes = np.where(missing, texts.index(value), column.codes)  # type: ignore[arg-type]
            filled = Column(column.name, None, texts, codes)
        if not learned.get("indicator"):
            return [filled]
        return [filled, Column(f"{column.name} missing", missing.astype(np.float64))]

    def _typical(self, numbers: Any) -> float:
        import numpy as np

        if self.method == "most_frequent":
            values, counts = np.unique(numbers, return_counts=True)
            return float(values[counts.argmax()])
        return float(np.mean(numbers) if self.method == "mean" else np.median(numbers))
