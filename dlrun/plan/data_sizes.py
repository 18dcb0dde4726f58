"""The numbers of the data that a spec may name: `$classes`, `$features`, `$vocabulary`, `$categories(work)`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dlrun.errors import MAX_SHOWN
from dlrun.language.suggestions import did_you_mean
from dlrun.language.text.expressions import ExpressionError
from dlrun.plan.data_info import DataInfo


def size_from_data(data_info: DataInfo, name: str, of: str = "") -> int:
    """A number of the data: of the input, target or column that `of` names, or of the only one that has such.

    Raises:
        ExpressionError: the data has no such number, or several.
    """
    features = data_info.features
    if name == "classes":
        classes = {key: len(target.labels) for key, target in data_info.targets.items() if target.labels is not None}
        if not classes:
            raise ExpressionError("the target is numbers, not classes", hint="`$classes` goes with a loss for classes")
        return _only(classes, name, of, "targets of classes")
    if name == "features":
        shape = _only({key: feature.shape for key, feature in features.items()}, name, of, "inputs")
        if len(shape) != 1:
            raise ExpressionError(
                f"`$features` is the number of features in a row, and a sample here has the shape {shape}"
            )
        return shape[0]
    if name == "categories":
        columns = [column for feature in features.values() for column in feature.columns]
        counts = {column.name: column.indices for column in columns if column.indices is not None}
        if not counts:
            hint = "`preprocess: [ordinal: {columns: …}]` numbers the categories of a column"
            raise ExpressionError("`$categories` needs a column of categories that `ordinal` has numbered", hint=hint)
        return _only(counts, name, of, "columns of categories")
    sizes = {key: feature.vocabulary for key, feature in features.items() if feature.vocabulary is not None}
    if not sizes:
        wrong = next(filter(None, map(data_info.no_index, features)), "")
        message = "`$vocabulary` needs features that are indices, whole numbers from 0 on"
        raise ExpressionError(message + (f"; {wrong}" if wrong else ""))
    made = {key: size for key, size in sizes.items() if any(column.indices for column in features[key].columns)}
    return _only(sizes if of else made or sizes, name, of, "inputs of indices")


def _only(found: Mapping[str, Any], name: str, of: str, what: str) -> Any:
    """The number that is meant, of those that inputs, targets or columns have."""
    listed = f"{what}: {', '.join(list(found)[:MAX_SHOWN])}"
    if of and of not in found:
        raise ExpressionError(f"`${name}({of})` is not known{did_you_mean(of, found, {})}", hint=listed)
    if not of and len(found) > 1:
        hint = f"write which one, such as `${name}({next(iter(found))})`; {listed}"
        raise ExpressionError(f"`${name}` is ambiguous: the data has {len(found)} {what}", hint=hint)
    return found[of] if of else next(iter(found.values()))
