"""What differs between the runs and the specs that `dlrun diff` compares."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from string import ascii_uppercase
from typing import TYPE_CHECKING, Any

from dlrun.commands import screen
from dlrun.errors import RunError, SpecError, without_password
from dlrun.language.usable import usable

if TYPE_CHECKING:
    from dlrun.plan.network import Plan
    from dlrun.runs.info import Record
    from dlrun.runs.summary import RunSummary
    from dlrun.views.layer_differences import LayerDifference

DATA = {"data.hash": "rows", "split.hash": "split", "weights.hash": "weights at the start"}
COMMIT = {"git.commit": "git commit"}
"""Tags of a run, and what they say."""
HASH = 12
"""Characters of a hash that are shown."""
MANY = 30
"""With more metrics than these, those of each class are left out."""
WIDEST = 80
"""Characters of a plot's line."""
SIGNS = {"added": "+", "removed": "-", "changed": "~"}


@dataclass(frozen=True, slots=True)
class Side:
    """A run or a spec that is compared."""

    name: str
    settings: dict[str, str]
    plan: Plan | None
    """None where it cannot be planned any more."""
    run: RunSummary | None = None
    """None for a spec."""
    records: Sequence[Record] = field(default_factory=tuple)

    def tag(self, name: str) -> str:
        """What run.json says under this name of a run; a dash where it says nothing."""
        return self.run.info.tags.get(name, "-") if self.run else "-"


def is_spec(text: str) -> bool:
    """Whether an argument is a spec's file and no run."""
    return text.endswith((".yaml", ".yml"))


def spec_side(file: Path, runs: Path) -> Side:
    """A spec.

    Raises:
        SpecError: with every problem that it has.
    """
    from dlrun.checks.check import check
    from dlrun.language.resolved import flattened

    checked = check(usable(file), runs=runs)
    settings = flattened(checked.experiment, checked.reading.folder, checked.plan.input_shapes)
    return Side(str(file), settings, checked.plan)


def run_side(text: str, runs: Path) -> Side:
    """A run; what of it cannot be read or planned is a note.

    Raises:
        SpecError: there is no such run.
        RunError: run.json is damaged.
    """
    from dlrun.checks.check import check_model
    from dlrun.runs import folder as run_folder
    from dlrun.runs.find import find_run
    from dlrun.runs.journal import read_journal
    from dlrun.runs.summary import summary_of

    folder = find_run(text, runs)
    summary = summary_of(folder)
    journal = folder / run_folder.JOURNAL
    records: Sequence[Record] = ()
    plan = None
    try:
        records = read_journal(journal) if journal.exists() else ()
    except RunError as error:
        screen.failure(str(error), word="note")
    try:
        plan = check_model(folder / run_folder.RESOLVED)
    except SpecError as error:
        why = error.problems[0].message
        screen.failure(f"the layers of {folder.name} are compared by number, as they cannot be planned: {why}", "note")
    return Side(run_folder.name_of(folder), summary.info.params, plan, summary, records)


@dataclass(frozen=True, slots=True)
class Differences:
    """What differs between the first of several sides and the others."""

    sides: Sequence[Side]
    settings: dict[str, list[str | None]]
    """The values of each setting that differs; None where a side lacks it."""
    layers: list[list[LayerDifference]] | None
    """The layers of the first network beside those of each other one; None where one cannot be planned."""
    data: dict[str, list[str]]
    versions: dict[str, list[str]]
    metrics: dict[str, list[float]]
    """Those of the best epoch and of the test; NaN where a run lacks one."""

    @classmethod
    def of(cls, sides: Sequence[Side]) -> Differences:
        """Compare."""
        from dlrun.runs.settings import LAYERS, by_kind, differing
        from dlrun.views.layer_differences import layer_differences

        plans = [side.plan for side in sides if side.plan is not None]
        layers = None
        if len(plans) == len(sides):
            layers = [layer_differences(plans[0], plan) for plan in plans[1:]]
        all_settings = [by_kind(side.settings) for side in sides]
        names = [name for name in differing(all_settings) if layers is None or not name.startswith(LAYERS)]
        sections = list(dict.fromkeys(name.partition(".")[0] for one in all_settings for name in one))
        names.sort(key=lambda name: sections.index(name.partition(".")[0]))
        runs = [side.run for side in sides if side.run is not None]
        both = len(runs) == len(sides)
        metrics = _judged(runs) if both else []
        return cls(
            sides,
            {name: [_shown(one.get(name)) for one in all_settings] for name in names},
            layers,
            _tags(sides, DATA) if both else {},
            {**_environments(runs), **_tags(sides, COMMIT)} if both else {},
            {name: [run.metrics.get(name, math.nan) for run in runs] for name in metrics},
        )

    def as_data(self) -> dict[str, Any]:
        """As JSON-ready data."""
        layers = self.layers
        return {
            "compared": [side.name for side in self.sides],
            "settings": self.settings,
            "layers": None if layers is None else [[_as_data(one) for one in several] for several in layers],
            "data": self.data,
            "versions": self.versions,
            "metrics": {
                name: [value if math.isfinite(value) else str(value) for value in values]
                for name, values in self.metrics.items()
            },
        }

    def show(self) -> None:
        """Print what differs, a table for each subject."""
        letters = ascii_uppercase[: len(self.sides)]
        for letter, side in zip(letters, self.sides, strict=True):
            told = f"  {side.run.info.name}" if side.run and side.run.info.name != side.run.name else ""
            screen.say_folded(f"{letter}  {side.name}{told}", hanging=3)
        if self.settings:
            rows = list(_grouped({name: [value or "-" for value in values] for name, values in self.settings.items()}))
            screen.table(("settings", *letters), rows)
        else:
            screen.say("settings: the same")
        self._show_layers(letters)
        if all(side.run for side in self.sides):
            for title, found in (("data", self.data), ("versions", self.versions)):
                if found:
                    _show_in_parts((title, *letters), [(name, *values) for name, values in found.items()])
                else:
                    screen.say(f"{title}: the same")
            self._show_metrics(letters)
            self._show_curves(letters)

    def _show_layers(self, letters: str) -> None:
        if self.layers is None:
            return
        for number, found in enumerate(self.layers, 1):
            one, other = self.sides[0].plan, self.sides[number].plan
            assert one is not None
            assert other is not None
            beside = "" if len(self.layers) == 1 else f" of {letters[0]} and {letters[number]}"
            if not found:
                screen.say(f"layers{beside}: the same")
                continue
            rows = [(SIGNS[each.change], each.name, each.first, each.second) for each in found]
            if one.total != other.total:
                rows.append(("", "all weights", f"{one.total:,}", f"{other.total:,}"))
            screen.table(("", f"layers{beside}", letters[0], letters[number]), rows)

    def _show_metrics(self, letters: str) -> None:
        from dlrun.runs.summary import greater_is_better

        shown = list(self.metrics)
        if len(shown) > MANY:
            shown = [name for name in shown if name.count("/") == 1]
        runs = [side.run for side in self.sides if side.run is not None]
        rows: list[tuple[str, ...]] = [("status", *(run.status for run in runs), *[""] * (len(runs) - 1))]
        epochs = ["-" if run.best_epoch is None else str(run.best_epoch) for run in runs]
        rows.append(("best epoch", *epochs, *[""] * (len(runs) - 1)))
        strong = set()
        for name in shown:
            values = self.metrics[name]
            finite = [value for value in values if not math.isnan(value)]
            more = next((more for run in runs if (more := greater_is_better(name, run.info)) is not None), None)
            if finite and min(finite) != max(finite):
                best = max(finite) if more else min(finite)
                strong |= {(len(rows), place + 1) for place, value in enumerate(values) if value == best}
            apart = [_signed(value - values[0]) for value in values[1:]]
            rows.append((name, *map(screen.show_value, values), *apart))
        apart = [f"{letter} - {letters[0]}" for letter in letters[1:]]
        _show_in_parts(("metrics", *letters, *apart), rows, right=True, strong=strong)
        if more_there := len(self.metrics) - len(shown):
            screen.say(f"{more_there} more metrics are in --json")

    def _show_curves(self, letters: str) -> None:
        """Plot the metric that decided in the first run over the epochs."""
        from dlrun.plan.schedules import Curve
        from dlrun.views.drawing.plots import LABEL, Plot, text

        run = self.sides[0].run
        assert run is not None
        found = {
            letter: {
                record.epoch: record.metrics[run.monitor] for record in side.records if run.monitor in record.metrics
            }
            for letter, side in zip(letters, self.sides, strict=True)
        }
        finite = [value for values in found.values() for value in values.values() if math.isfinite(value)]
        last = max((epoch for values in found.values() for epoch in values), default=0)
        if not finite or last < 2:
            return
        room = min(screen.width(), WIDEST)
        wide = max(1, (room - LABEL - 3) // last)  # columns of an epoch, where there are few epochs
        curves = [
            Curve(letter, tuple(values.get(epoch, math.nan) for epoch in range(1, last + 1) for _ in range(wide)))
            for letter, values in found.items()
            if values
        ]
        low, high = min(finite), max(finite)
        plot = Plot(curves, low, high if high > low else low + 1, "epoch 1", str(last), run.monitor)
        for line in text(plot, room):
            screen.say(line)


def _shown(value: str | None) -> str | None:
    return None if value is None else without_password(value)


def _as_data(one: LayerDifference) -> dict[str, str]:
    return {"change": one.change, "layer": one.name, "first": one.first, "second": one.second}


def _tags(sides: Sequence[Side], tags: Mapping[str, str]) -> dict[str, list[str]]:
    """What the tags say, of those that differ."""
    found = {word: [side.tag(tag) for side in sides] for tag, word in tags.items()}
    short = {word: [value[:HASH] if len(value) >= 40 else value for value in values] for word, values in found.items()}
    return {word: values for word, values in short.items() if len(set(values)) > 1}


def _environments(runs: Sequence[RunSummary]) -> dict[str, list[str]]:
    """The versions and what else the bits depend on, of that which differs and which all runs have recorded."""
    from dlrun.runs.environment import environment_of

    first, *others = (environment_of(run.info.tags) for run in runs)
    found = {name: [one, *(other.get(name) for other in others)] for name, one in first.items()}
    return {
        name: [value for value in values if value is not None]
        for name, values in found.items()
        if None not in values and len(set(values)) > 1
    }


def _judged(runs: Sequence[RunSummary]) -> list[str]:
    from dlrun.runs.find import metrics_of

    order = {"validation": 0, "test": 1}
    return sorted(metrics_of(runs), key=lambda name: order.get(name.partition("/")[0], 2))


def _grouped(settings: Mapping[str, Sequence[str]]) -> Iterator[tuple[str, ...]]:
    """A row for each setting below that of its section, with a line between sections."""
    section = ""
    for name, values in settings.items():
        begun, (section, _, rest) = section, name.partition(".")
        if begun and begun != section:
            yield ("",) * (len(values) + 1)
        if rest and begun != section:
            yield (section, *[""] * len(values))
        yield (f"  {rest}" if rest else section, *values)


def _show_in_parts(
    head: Sequence[str], rows: Sequence[Sequence[str]], right: bool = False, strong: Collection[tuple[int, int]] = ()
) -> None:
    """Print a table as several, each with the first column, where it is too wide for the screen."""
    start = 1
    while start < len(head):
        columns, cells = (head[0], *head[start:]), [(row[0], *row[start:]) for row in rows]
        count = max(2, screen.fitting(columns, cells))
        bold = {(row, place - start + 1) for row, place in strong if start <= place < start + count - 1}
        shown = [row[:count] for row in cells]
        screen.table(columns[:count], shown, right=columns[1:count] if right else (), strong=bold)
        start += count - 1


def _signed(value: float) -> str:
    return screen.show_value(value) if math.isnan(value) or value <= 0 else f"+{screen.show_value(value)}"
