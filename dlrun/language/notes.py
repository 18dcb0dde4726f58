"""The notes of `check`: things that can be meant but rarely are. A spec silences one by its name."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import PlainValidator, WithJsonSchema

from dlrun.language.component import checked
from dlrun.language.suggestions import did_you_mean, shorten

NOTES = {
    "any_order": "on a GPU, torch adds the numbers of a gradient in any order, so that two runs differ in their "
    "last bits",
    "axis_order": "a layer or an augmentation takes one axis for the channels or features, and another axis looks like "
    "them, or `reshape` mixes axes",
    "empty_folders": "a folder of images has folders of classes without an image in them",
    "large_batch": "a batch is larger than the training rows, or a step of several batches than an epoch",
    "leading_zeros": "a column of numbers has zeros in front of them, as ids and codes have",
    "limited_logits": "the last layer limits its outputs on one side, and the loss takes any numbers",
    "merged_features": "float32 makes one value of several of a feature, and no step of `preprocess` scales it",
    "merged_targets": "float32 makes one value of several of a target, and there is no `target_preprocess`",
    "mixed_classes": "some classes of a target are numbers, and others are words",
    "numbers_as_classes": "each number or date of a target is a class, and they are fractions or have few rows each",
    "no_cache": "the rows of a large table are read into the memory, because the cache cannot be written",
    "norm_of_two": "a norm is over two numbers, so that only which one is larger is left of them",
    "one_step": "a recurrent layer or an attention gets sequences of a single step",
    "other_files": "a folder of images has files that are no images",
    "random_output": "a dropout or noise is the last layer, so the outputs are random in training",
    "rare_class": "a class has no training row, or no row in a split by a column, or fewer rows than there are splits",
    "rounded_numbers": "a whole number is too large to be kept exactly",
    "similar_classes": "two classes of a target differ only in case, spaces or marks that are not seen",
    "undefined_metric": "a metric says nothing on a split that lacks a class, or where a number is always the same",
    "uneven_split": "a split is over half larger or smaller than asked for: rows of a group or a time stay together",
    "unequal_classes": "accuracy is the only metric, and one class has at least 80% of the rows",
    "unscaled_target": "a target of numbers is far from 0 or 1 in scale, and there is no `target_preprocess`",
    "unseen_category": "a category is in other rows alone, and no training row has the place that it gets",
}
"""Each note's name, and when it comes."""


def _read(value: Any) -> str:
    if not isinstance(value, str) or value not in NOTES:
        meant = did_you_mean(value, NOTES, {}) if isinstance(value, str) else ""
        raise ValueError(f"a note is one of {', '.join(NOTES)}; received {shorten(value)}{meant}")
    return value


NoteName = Annotated[str, PlainValidator(checked(_read)), WithJsonSchema({"enum": list(NOTES)})]
"""The name of a note."""
