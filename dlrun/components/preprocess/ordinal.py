from __future__ import annotations

from dlrun.components.preprocess import Column, EncodeError, Encoder, Learned
from dlrun.components.preprocess._categories import categories, numbered
from dlrun.language.fields import Names


class Ordinal(Encoder):
    """Turn a column of categories into their numbers, from 0 on.

    A category that no training row has gets the number after the last one; where `order` lists the categories, one that
    it does not list is an error. The numbers are indices too, for an embedding of `$vocabulary` rows.

    Shape: one number -> one number
    Reference: Hastie, Tibshirani and Friedman, The elements of statistical learning, 2009, section 2.2.
    Example: ordinal: {columns: size, order: [small, medium, large]}
    """

    synonyms = ("ordinal_encoder", "ordinalencoder", "label_encoder", "labelencoder", "factorize")
    takes = ("text",)
    reads = "text"

    order: Names | None = None
    """The categories in order; unless given, those of the training rows, by size if all are numbers, otherwise by the
    alphabet."""

    def learn(self, column: Column) -> Learned:
        return {"categories": list(self.order) if self.order else categories(column)}

    def encode(self, column: Column, learned: Learned) -> list[Column]:
        import numpy as np

        numbers = numbered(column, learned["categories"])
        if self.order and (numbers == len(self.order)).any():
            row = int((numbers == len(self.order)).argmax())
            raise EncodeError("`order` does not list this category", "add it where it belongs", row)
        return [Column(column.name, numbers.astype(np.float64))]
