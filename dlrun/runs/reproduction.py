"""A run that is trained again: how far it went, and whether the run that trained it again has the same bits."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dlrun.errors import RunError
from dlrun.runs import folder as run_folder
from dlrun.runs.info import Record, RunInfo
from dlrun.runs.journal import CLOCK, TEST, read_journal
from dlrun.runs.lock import is_locked
from dlrun.runs.run_json import read_run
from dlrun.runs.summary import FINISHED

AT_TEST = "the test"
"""The moment of the test metrics, beside those of the epochs."""
WEIGHTS = {"best": run_folder.BEST, "last": run_folder.LAST}
"""The files of weights that a complete run has."""
Moments = dict[str, dict[str, float]]
"""The metrics of each moment of a run, without times, in order."""


@dataclass(frozen=True, slots=True)
class Original:
    """A run that is trained again, as far as it went: it may have been interrupted, or have failed."""

    info: RunInfo
    complete: bool
    moments: Moments
    """Those of the epochs, and of the test where the run is complete."""
    epochs: int = 0
    """How many epochs it has."""
    extended: bool = False
    """Whether it was trained longer after it had been complete."""
    parts: dict[str, Original] = field(default_factory=dict)
    """The folds that have an epoch, or the refit that has one, by the names of their folders."""

    @property
    def until(self) -> int | None:
        """The epoch after which to stop; None for a run that is complete."""
        return None if self.complete else self.epochs

    def fold(self, number: int) -> Original | None:
        """A fold by its number; None where it has no epoch."""
        return self.parts.get(run_folder.fold_of(Path(), number).name)

    @property
    def refit(self) -> Original | None:
        """The refit; None where it has no epoch."""
        return self.parts.get(run_folder.REFIT)


def original_of(folder: Path) -> Original:
    """The run in a folder, to train it again.

    Raises:
        RunError: a process trains it now, no epoch of it was completed, or a file of it is damaged.
    """
    if is_locked(folder):
        raise RunError(f"{run_folder.name_of(folder)} is being trained now; once it has ended, it can be reproduced")
    found = _read(folder)
    if not found.epochs and not found.parts:
        message = f"{run_folder.name_of(folder)} ended before its first epoch was complete"
        raise RunError(f"{message}: there is nothing to compare with; `dlrun resume {folder}` trains it")
    return found


def _read(folder: Path) -> Original:
    known, journal = read_run(folder), folder / run_folder.JOURNAL
    complete = known.status == FINISHED
    records = read_journal(journal) if journal.exists() else []
    parts = {part.name: _read(part) for part in run_folder.parts_of(folder)}
    epochs = [record.epoch for record in records if not _is_test(record)]
    return Original(
        known.info,
        complete,
        _moments(records, complete),
        max(epochs, default=0),
        any(_is_test(record) for record in records[:-1]),
        {name: part for name, part in parts.items() if part.epochs},
    )


def _is_test(record: Record) -> bool:
    return all(name.startswith((TEST, CLOCK)) for name in record.metrics)


def _moments(records: Sequence[Record], complete: bool) -> Moments:
    """A test that another epoch follows was that of a shorter run."""
    found: Moments = {}
    for place, record in enumerate(records, 1):
        metrics = {name: value for name, value in record.metrics.items() if not name.startswith(CLOCK)}
        if not _is_test(record):
            found[f"epoch {record.epoch}"] = metrics
        elif complete and place == len(records):
            found[AT_TEST] = metrics
    return found


@dataclass(frozen=True, slots=True)
class Difference:
    """A metric that is not the same to the last bit."""

    metric: str
    was: float
    """NaN where only the new run has it."""
    now: float
    """NaN where only the first run has it."""

    @property
    def by(self) -> float:
        """How much it differs by; NaN where one of both is no finite number."""
        return abs(self.now - self.was) if math.isfinite(self.now) and math.isfinite(self.was) else math.nan

    @property
    def relative(self) -> float:
        """The same as a share of the first run's value."""
        return self.by / abs(self.was) if self.was else (math.nan if math.isnan(self.by) else math.inf)


@dataclass(frozen=True, slots=True)
class WeightDifference:
    """The weights of two runs, where they are not the same to the last bit."""

    tensors: int
    """How many tensors differ."""
    of: int
    most: float
    """The largest difference of a number in tensors of one shape."""


@dataclass(frozen=True, slots=True)
class Reproduced:
    """A run, or a part of one, beside the run that trained it again."""

    part: str
    """The folder of a fold or of a refit; '' for a run of its own."""
    complete: bool
    """Whether the first run was complete, so that its test and its weights are compared too."""
    epochs: int
    """How many epochs are the same, from the first one on."""
    parted: str
    """The first moment that differs, `epoch 3`; '' where none does."""
    metrics: int
    """How many metrics that moment has."""
    differing: tuple[Difference, ...]
    """Those that differ there; none where only one of the two runs has the moment."""
    end: str
    """The last moment that both have."""
    most: Difference | None
    """The metric that differs most there, as a share of its value."""
    weights: dict[str, WeightDifference | None]
    """For the best and the last weights what differs; None where nothing does. Empty unless both are complete."""

    @property
    def same(self) -> bool:
        """Whether every bit that was compared is the same."""
        return not self.parted and not any(self.weights.values())


def reproduced(original: Original, folder: Path) -> list[Reproduced]:
    """Compare a run with the one in a folder that trained it again; several folds, and a refit, one after the other.

    Raises:
        RunError: a file of a run is damaged.
    """
    again = _read(folder)
    found = [_compare("", original, again)] if original.epochs else []  # a run of folds has none of its own
    for name, part in original.parts.items():
        nothing = Original(again.info, False, {})
        found.append(_compare(name, part, again.parts.get(name, nothing)))
    return found


def _compare(part: str, one: Original, two: Original) -> Reproduced:
    epochs, parted, metrics, differing = 0, "", 0, ()
    for moment in _in_order(one.moments, two.moments):
        there = [moments.get(moment, {}) for moments in (one.moments, two.moments)]
        if differing := _differences(*there):
            parted, metrics = moment, len({**there[0], **there[1]})
            differing = differing if all(there) else ()
            break
        epochs += moment != AT_TEST
    both = [moment for moment in one.moments if moment in two.moments]
    end = both[-1] if both else ""
    last = _differences(one.moments[end], two.moments[end]) if both else ()
    most = max(last, key=lambda each: (math.isnan(each.relative), each.relative), default=None)
    folders = one.info.folder, two.info.folder
    files = WEIGHTS if one.complete and two.complete else {}
    weights = {name: _weights(*(folder / file for folder in folders)) for name, file in files.items()}
    return Reproduced(part, one.complete, epochs, parted, metrics, differing, end, most, weights)


def _in_order(one: Moments, two: Moments) -> Iterator[str]:
    """The moments of both: the epochs first."""
    names = dict.fromkeys([*one, *two])
    yield from (name for name in names if name != AT_TEST)
    yield from (name for name in names if name == AT_TEST)


def _differences(one: Mapping[str, float], two: Mapping[str, float]) -> tuple[Difference, ...]:
    """The metrics that differ in a bit, the one first that differs most as a share of its value."""
    names = [
        name for name in {**one, **two} if name not in one or name not in two or repr(one[name]) != repr(two[name])
    ]
    found = [Difference(name, one.get(name, math.nan), two.get(name, math.nan)) for name in names]
    return tuple(sorted(found, key=lambda each: (not math.isnan(each.relative), -each.relative)))


def _weights(one: Path, two: Path) -> WeightDifference | None:
    """Compare two files of weights, without what they say of the version that has written them.

    Raises:
        RunError: one cannot be read.
    """
    import numpy as np
    import safetensors

    differing, most = 0, 0.0
    try:
        with safetensors.safe_open(one, "numpy") as first, safetensors.safe_open(two, "numpy") as second:
            names, others = set(first.keys()), set(second.keys())
            for name in names & others:
                a, b = first.get_tensor(name), second.get_tensor(name)
                if a.shape != b.shape or a.dtype != b.dtype:
                    differing += 1
                elif a.tobytes() != b.tobytes():
                    differing += 1
                    wide = np.result_type(a.dtype, np.float64)
                    with np.errstate(invalid="ignore"):  # infinity minus infinity
                        most = float(np.fmax(most, np.abs(a.astype(wide) - b.astype(wide)).max()))
    except (OSError, safetensors.SafetensorError) as error:
        raise RunError(f"cannot compare {one} with {two}: {error}") from None
    differing += len(names ^ others)
    return WeightDifference(differing, len(names | others), most) if differing else None
