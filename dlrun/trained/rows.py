"""New rows for a run: the file is read as the training data was, and its fields are matched by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch

from dlrun.components.sources import Source, SourceError, Table
from dlrun.components.sources._bad_rows import BadRows
from dlrun.components.sources._files import TableSource
from dlrun.data.prepare import indices, need_float32
from dlrun.errors import Problem, RunError, SpecError
from dlrun.language.component import choose
from dlrun.language.suggestions import did_you_mean
from dlrun.plan.data_info import Target
from dlrun.plan.encode import Fields, encode
from dlrun.plan.unseen import UnseenCounts
from dlrun.shapes import show
from dlrun.trained.endings import PACKED
from dlrun.trained.run import TrainedInput, TrainedRun

Array = np.ndarray[Any, Any]
T = TypeVar("T")

AT = ("source",)
READABLE = ("csv", "tsv", "jsonl", "parquet", "npz", "npy", "safetensors")
"""The sources whose files are known by their endings."""
OTHER_ENDINGS = {"ndjson": "jsonl", "pq": "parquet"}
FEW = 5
"""How many missing fields an error names."""


def source_of(run: TrainedRun, file: Path) -> Source:
    """The source that reads a file: that of the training with its settings, if it reads such files, else by the ending.

    Raises:
        SpecError: no source reads such a file.
    """
    own = run.source
    need_single_rows(own)
    names = [suffix for suffix in file.suffixes if suffix not in PACKED]
    kind = names[-1].removeprefix(".").lower() if names else ""
    kind = OTHER_ENDINGS.get(kind, kind)
    if own.kind == kind or (kind not in READABLE and "path" in type(own).model_fields):
        own_files = {split: None for split in ("validation", "test") if split in type(own).model_fields}
        return own.model_copy(update={"path": str(file.resolve()), **own_files})
    if kind in READABLE:
        found = choose("sources", {kind: str(file.resolve())})
        assert isinstance(found, Source)
        return found
    raise SpecError(f"{file} is none of {', '.join(f'.{one}' for one in READABLE)}")


def need_single_rows(source: Source) -> None:
    """Hold a source to rows that do not follow each other.

    Raises:
        SpecError: its rows are windows of a text.
    """
    if source.kind in ("text", "words"):
        raise SpecError(f"{source.kind} makes windows of a text, and a prediction is for rows that stand by themselves")


class NewRows:
    """The rows of a file, as the network of a run takes them."""

    def __init__(
        self, run: TrainedRun, source: Source, targets: Mapping[str, Target] | None = None, skip_bad: bool = False
    ):
        """Open and read the fields that the network takes, and those of targets.

        Args:
            run: the run.
            source: reads the file.
            targets: those that are read too.
            skip_bad: whether rows that cannot be used are left out; otherwise the first one is an error.

        Raises:
            SpecError: the file lacks fields, or a value cannot be read.
        """
        self.run = run
        self.name = source.origin()[0]
        self.bad = BadRows(AT) if skip_bad else None
        try:
            self.table = table = self._opened(source)
            table.may_be_empty = targets is None
            labelled = [one for one in (targets or {}).values() if one.labels and one.wants != "probabilities"]
            answers = [name for one in (targets or {}).values() for name in one.fields]
            self._need_fields(table, answers)
            texts = {name for entry in run.inputs for name in entry.texts} | {one.fields[0] for one in labelled}
            names = dict.fromkeys([*(name for entry in run.inputs for name in entry.types), *answers], AT)
            numbers = {name: AT for name in names if name not in texts}
            table.lay_out([list(entry.types) for entry in run.inputs if entry.encoding is None])
            table.read(numbers, dict.fromkeys(texts, AT), {name for entry in run.inputs for name in entry.lacking})
            self.fields = {
                entry.name: Fields(table, entry.chosen, entry.texts) for entry in run.inputs if entry.encoding
            }
        except SourceError as error:  # a hint would be about the spec, and that is as it is
            raise SpecError([Problem(error.message)]) from None
        self.rows = table.rows

    def inputs(self, start: int, stop: int) -> tuple[torch.Tensor, ...]:
        """Some neighbouring rows of each input, after its encoders.

        Raises:
            SpecError: a value cannot be what the network takes.
            RunError: the file cannot be read.
        """
        try:
            return tuple(torch.from_numpy(self._taken(entry, start, stop)) for entry in self.run.inputs)
        except SourceError as error:
            raise SpecError([Problem(error.message)]) from None
        except OSError as error:
            raise RunError(f"{self.name} cannot be read: {error.strerror or error}") from None

    def blocks(self, size: int) -> Iterator[tuple[Array, tuple[torch.Tensor, ...]]]:
        """All rows in order, some at a time, with their numbers."""
        return self.used(size, lambda _, inputs: inputs)

    def used(self, size: int, use: Callable[[Array, tuple[torch.Tensor, ...]], T]) -> Iterator[tuple[Array, T]]:
        """What is made of all rows in order, some at a time, with their numbers.

        Args:
            size: how many rows at a time.
            use: makes it of the numbers of the rows and of each input.

        Raises:
            SpecError: a value cannot be what the network takes, or `use` raised it, and bad rows are not left out.
        """
        for start in range(0, self.rows, size):
            numbers = np.arange(start, min(start + size, self.rows))
            if self.bad is None:
                yield numbers, use(numbers, self.inputs(start, start + len(numbers)))
                continue
            good = np.array([number for number in numbers.tolist() if number not in self.bad.reasons], np.int64)
            for part in np.split(good, np.flatnonzero(np.diff(good) > 1) + 1):
                yield from self._used(part, use, self.bad)

    def _used(
        self, numbers: Array, use: Callable[[Array, tuple[torch.Tensor, ...]], T], bad: BadRows
    ) -> Iterator[tuple[Array, T]]:
        """The same for neighbouring rows; bad ones are found by halving."""
        if not len(numbers):
            return
        try:
            found = use(numbers, self.inputs(int(numbers[0]), int(numbers[-1]) + 1))
        except SpecError as error:
            if len(numbers) > 1:
                for half in np.array_split(numbers, 2):
                    yield from self._used(half, use, bad)
                return
            try:
                bad.add(error.problems[0].message, int(numbers[0]))
            except SourceError as many:
                raise SpecError([Problem(many.message)]) from None
        else:
            yield numbers, found

    def skipped(self) -> dict[str, Array]:
        """The rows that were left out, as columns: the row, the line that it ends in where there are lines, why."""
        reasons = {} if self.bad is None else dict(sorted(self.bad.reasons.items()))
        found: dict[str, Array] = {"row": np.array(list(reasons), np.int64)}
        if self.table.has_lines:
            lines = self.table.lines(reasons)
            found["line"] = np.array([lines[row] for row in reasons], np.int64)
        found["reason"] = np.array(list(reasons.values()), object)
        return found

    def _opened(self, source: Source) -> Table:
        if self.bad is None:
            return source.open(Path())
        if not isinstance(source, TableSource):
            message = f"`--skip-bad` is for csv, tsv, jsonl and parquet, and {self.name} is {source.kind}"
            raise SpecError(f"{message}: remove `--skip-bad`")
        return source.open(Path(), bad=self.bad)

    def _taken(self, entry: TrainedInput, start: int, stop: int) -> Array:
        numbers = np.arange(start, stop)
        if entry.encoding is not None:
            counts = UnseenCounts(self.rows, {})
            values = encode(self.fields[entry.name], entry.encoding, start, stop, counts)
        else:
            values = np.asarray(self.table.numbers(list(entry.types))[start:stop])
        if values[:1].size != int(np.prod(entry.shape)) and len(values):
            message = f"'{next(iter(entry.types))}' has {show(values.shape[1:])} values in each row of {self.name}"
            raise SourceError(f"{message}, and the network takes {show(entry.shape)}", AT)
        values = values.reshape(-1, *entry.shape)
        if entry.indices:
            return indices(values, numbers, entry.limit)
        need_float32(values, numbers)
        return values.astype(np.float64, copy=False)

    def _need_fields(self, table: Table, answers: Sequence[str]) -> None:
        """Hold the file to the fields that the network takes, and to those of targets.

        Raises:
            SpecError: some are missing.
        """
        wanted = [*(name for entry in self.run.inputs for name in entry.types), *answers]
        missing = [name for name in dict.fromkeys(wanted) if name not in table.fields]
        if not missing:
            return
        more = f" and {len(missing) - FEW} more" if len(missing) > FEW else ""
        meant = did_you_mean(missing[0], table.fields, {}) if len(missing) == 1 else ""
        shown = ", ".join(f"'{name}'" for name in missing[:FEW]) + more
        message = f"{table.name} lacks the {table.noun}{'s' * (len(missing) > 1)} {shown}{meant}"
        what = "which the network takes" if missing[0] not in answers else "which the run predicts"
        raise SpecError([Problem(f"{message}, {what}", hint=table.listed())])
