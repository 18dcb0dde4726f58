"""All rows of an input after its encoders: in memory, or in the cache where the table is there too."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from dlrun import cache
from dlrun.cache import Writer, report
from dlrun.components.preprocess import Encoder
from dlrun.components.preprocess._categories import CategoryEncoder
from dlrun.components.sources import SourceError, SplitName, Table
from dlrun.components.sources._extents import Extent, known_extent, wider
from dlrun.plan.encode import EncodedStep, Encoding, Fields, NumberColumn, encode, learn
from dlrun.plan.encoders import Steps
from dlrun.plan.fields import Chosen
from dlrun.plan.unseen import Unseen, UnseenCounts

if TYPE_CHECKING:
    import numpy as np

    from dlrun.stored import StoredArray

    Array = np.ndarray[Any, Any]

VERSION = 1
"""Of how encoders make rows; another one makes them anew."""
AT_A_TIME = 1 << 16
"""Rows that are encoded together where the cache takes them."""


@dataclass(frozen=True, slots=True, eq=False)
class Encoded:
    """One input after its encoders."""

    columns: tuple[NumberColumn, ...]
    steps: tuple[EncodedStep, ...]
    values: Array | StoredArray = field(repr=False)
    """(N, columns) float64."""
    digest: str | None = None
    """SHA-256 over the values, where it is known."""
    extent: Extent | None = None
    """That of the values, where it is known."""


def encoded(
    table: Table,
    chosen: Chosen,
    encoders: Steps,
    texts: Collection[str],
    train: Array,
    others: Mapping[SplitName, Array],
) -> Encoded:
    """Learn the encoders of an input from the training rows, and encode all rows.

    Args:
        table: the data, read.
        chosen: the fields of the input.
        encoders: its encoders.
        texts: its fields that were read as texts.
        train: the numbers of the training rows.
        others: those of the other splits, in which categories that no training row has are counted.

    Raises:
        SourceError: a step has nothing to do or to learn from, a row cannot be encoded, or a column is still of texts
            after the last step.
    """
    counts = UnseenCounts(table.rows, others)
    if table.entry is None:
        fields = Fields(table, chosen, texts)
        encoding = learn(fields, encoders, train)
        values = encode(fields, encoding, 0, table.rows, counts)
        return Encoded(encoding.columns, _counted(encoding, counts), values)
    rows = hashlib.sha256(b" ".join(part.tobytes() for part in (train, *others.values()))).hexdigest()
    recipe = {
        "version": VERSION,
        "table": table.entry,
        "fields": chosen.fields,
        "texts": sorted(texts),
        "steps": [(index, repr(step)) for index, step in encoders],
        "rows": rows,
        "splits": list(others),
    }
    what = f"the encoded rows of {table.name}"

    def make(writer: Writer) -> dict[str, Any]:
        fields, extent = Fields(table, chosen, texts), None
        encoding = learn(fields, encoders, train)
        for start in range(0, table.rows, AT_A_TIME):
            report(f"encoding {table.name}", start / table.rows)
            block = encode(fields, encoding, start, min(start + AT_A_TIME, table.rows), counts)
            writer.add("values", block)
            extent = wider(extent, block)
        report(f"encoding {table.name}", 1)
        steps = [
            (one.index, one.learned, one.width, {name: asdict(unseen) for name, unseen in one.unseen.items()})
            for one in _counted(encoding, counts)
        ]
        return {
            "columns": [asdict(column) for column in encoding.columns],
            "steps": steps,
            "extent": known_extent(extent),
        }

    try:
        entry = cache.entry(cache.key("encoded", recipe, ()), what, 8 * table.rows * len(chosen.fields), make)
    except cache.CacheError as error:
        raise SourceError(error.message, table.at, error.hint) from None
    return _from_cache(entry, dict(encoders))


def _counted(encoding: Encoding, counts: UnseenCounts) -> tuple[EncodedStep, ...]:
    """The steps with the categories that no training row has."""
    steps = []
    for one in encoding.steps:
        step, unseen = one.step, dict[str, Unseen]()
        if isinstance(step, CategoryEncoder):
            for name, learned in one.learned.items():
                if found := counts.of(one.index, step, name, encoding.texts[one.index, name], learned):
                    unseen[name] = found
        steps.append(replace(one, unseen=unseen))
    return tuple(steps)


def _from_cache(entry: cache.Entry, encoders: Mapping[int, Encoder]) -> Encoded:
    known, values = entry.known, entry.arrays["values"]
    columns = tuple(NumberColumn(**column) for column in known["columns"])
    steps = tuple(
        EncodedStep(index, encoders[index], learned, width, {name: Unseen(**one) for name, one in unseen.items()})
        for index, learned, width, unseen in known["steps"]
    )
    extent = None if known["extent"] is None else (known["extent"][0], known["extent"][1], known["extent"][2])
    return Encoded(columns, steps, values.values, values.digest, extent)
