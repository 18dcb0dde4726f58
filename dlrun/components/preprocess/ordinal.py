from __future__ import annotations

from typing import Self

from pydantic import model_validator

from dlrun.components.preprocess import Column, EncodeError, Learned
from dlrun.components.preprocess._categories import CategoryEncoder, categories, numbered, share_place
from dlrun.language.fields import Names, Positive


class Ordinal(CategoryEncoder):
    """Turn a column of categories into their numbers, from 0 on.

    A category that no training row has, or that fewer than `minimum` have, gets the number after the last one; where
    `order` lists the categories, one that it does not list is an error.

    The numbers are amounts for `linear`, and indices for `embedding`: `$categories(size)` is how many there are, with
    the one for all other categories.

    Shape: one number -> one number
    Reference: Hastie, Tibshirani and Friedman, The elements of statistical learning, 2009, section 2.2; Guo and
        Berkhahn, Entity embeddings of categorical variables, 2016.
    Example: ordinal: {columns: size, order: [small, medium, large]}
    """

    synonyms = (
        *("ordinal_encoder", "ordinalencoder", "label_encoder", "labelencoder", "factorize", "string_lookup"),
        *("embed", "embedding", "categorical", "categorify", "category", "codes", "integer_encode"),
    )

    order: Names | None = None
    """The categories in order; unless given, those of the training rows, by size if all are numbers, otherwise by the
    alphabet."""

    minimum: Positive = 1
    """How many training rows a category needs for a number of its own; not with `order`."""

    @model_validator(mode="after")
    def _order_or_minimum(self) -> Self:
        if self.order and self.minimum > 1:
            raise ValueError("`order` lists the categories, so that `minimum` has nothing to do; remove one of them")
        return self

    def learn(self, column: Column) -> Learned:
        return {"categories": list(self.order) if self.order else categories(column, self.minimum)}

    def way_out(self) -> str:
        return "add training rows of it" if self.order else share_place(self.minimum)

    def index_count(self, learned: Learned) -> int:
        return len(learned["categories"]) + (not self.order)

    def encode(self, column: Column, learned: Learned) -> list[Column]:
        import numpy as np

        numbers = numbered(column, learned["categories"])
        if self.order and (numbers == len(self.order)).any():
            row = int((numbers == len(self.order)).argmax())
            raise EncodeError("`order` does not list this category", "add it where it belongs", row)
        return [Column(column.name, numbers.astype(np.float64))]
