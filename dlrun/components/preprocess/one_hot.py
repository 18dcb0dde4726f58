from __future__ import annotations

from dlrun.components.preprocess import Column, Learned
from dlrun.components.preprocess._categories import CategoryEncoder, categories, numbered, share_place
from dlrun.language.fields import Positive


class OneHot(CategoryEncoder):
    """Turn a column of categories into a column of 0 and 1 for each category of the training rows, and one for others.

    The last column is 1 for every category that no training row has, or that fewer than `minimum` have. The columns are
    called as the column and the category, `work=private`; the last one `work=(other)`.

    Shape: one number -> one for each category, by size if all are numbers, otherwise by the alphabet, and one more
    Reference: Hastie, Tibshirani and Friedman, The elements of statistical learning, 2009, section 2.2.
    Example: one_hot: {columns: [work, "marital*"], minimum: 10}
    """

    synonyms = ("onehot", "one_hot_encoder", "onehotencoder", "dummies", "get_dummies", "dummy")

    minimum: Positive = 1
    """How many training rows a category needs for a column of its own; rarer ones count as other."""

    def learn(self, column: Column) -> Learned:
        return {"categories": categories(column, self.minimum)}

    def encode(self, column: Column, learned: Learned) -> list[Column]:
        import numpy as np

        names = [*(f"{column.name}={category}" for category in learned["categories"]), f"{column.name}=(other)"]
        numbers = numbered(column, learned["categories"])
        return [Column(name, (numbers == number).astype(np.float64)) for number, name in enumerate(names)]

    def way_out(self) -> str:
        return share_place(self.minimum)
