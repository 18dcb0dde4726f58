"""Which runs a table of runs has, and in which order."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from dlrun.errors import SpecError
from dlrun.runs.find import few
from dlrun.runs.summary import RunSummary, greater_is_better

STARTED, STATUS, EXPERIMENT = "started", "status", "experiment"
_CONDITION = re.compile(r"\s*([^=!<>]+?)\s*(!=|<=|>=|=|<|>)\s*(.*?)\s*")
_INDEX = re.compile(r"\[(\d+)\]")

Read = Callable[[str], Any]
"""Reads the text of a value as a spec would."""


@dataclass(frozen=True, slots=True)
class Condition:
    """A comparison that a run must satisfy: `optimizer=adam`, `lr<0.01`."""

    text: str
    name: str
    """A setting or a metric, by its full name; or the status or the experiment."""
    sign: str
    value: Any

    def holds(self, run: RunSummary, read: Read) -> bool:
        """Whether it holds of a run; a setting that a run lacks is null."""
        found = value_of(run, self.name, read)
        if self.sign in ("=", "!="):
            return (found == self.value and isinstance(found, bool) == isinstance(self.value, bool)) == (
                self.sign == "="
            )
        if not _is_number(found):
            return False
        return {
            "<": found < self.value,
            ">": found > self.value,
            "<=": found <= self.value,
            ">=": found >= self.value,
        }[self.sign]


def value_of(run: RunSummary, name: str, read: Read) -> Any:
    """The value of a setting, of a metric, or of what else a run has; None where it lacks it."""
    if name in (STATUS, EXPERIMENT, STARTED):
        return {STATUS: run.status, EXPERIMENT: run.info.experiment, STARTED: run.info.started}[name]
    value = run.settings.get(name, run.info.params.get(name))
    return run.metrics.get(name) if value is None else read(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def condition(text: str, found: Sequence[RunSummary], read: Read) -> Condition:
    """A condition from its text.

    Raises:
        SpecError: it is none, it names nothing that a run has, or several settings.
    """
    parts = _CONDITION.fullmatch(text)
    if parts is None:
        raise SpecError(f"--where {text} is no condition; write it as optimizer=adam, lr<0.01 or status!=FINISHED")
    try:
        value = read(parts[3])
    except ValueError as error:
        raise SpecError(f"--where {text}: {error}") from None
    if parts[2] not in ("=", "!=") and not _is_number(value):
        raise SpecError(f"--where {text}: {parts[2]} compares numbers, and {parts[3] or 'nothing'} is none")
    return Condition(text, full_name(parts[1], found, "--where"), parts[2], value)


def full_name(name: str, found: Sequence[RunSummary], option: str) -> str:
    """The setting or the metric that a name means: the whole name, or an end that no other has.

    Raises:
        SpecError: nothing has this name, or several settings end in it.
    """
    name = _INDEX.sub(r".\1", name)
    settings = {setting for one in found for setting in one.settings}
    numbered = {setting for one in found for setting in one.info.params}
    metrics = {metric for one in found for metric in one.metrics}
    if name in (STATUS, EXPERIMENT, STARTED) or name in settings or name in numbered:
        return name
    ending = _ending(name, settings) or _ending(name, numbered)
    if len(ending) > 1:
        raise SpecError(f"{option} {name}: several settings end so: {few(ending)}\n  write more of the name")
    if ending or name in metrics:
        return ending[0] if ending else name
    near = [metric for metric in sorted(metrics, reverse=True) if metric.endswith(f"/{name}")]
    near += difflib.get_close_matches(name, sorted(settings | metrics), 1)
    hint = f"; did you mean {near[0]}?" if near else ""
    raise SpecError(f"{option} {name}: no run has a setting or a metric of this name{hint}")


def _ending(name: str, settings: Iterable[str]) -> list[str]:
    return sorted(setting for setting in settings if setting.endswith(f".{name}"))


def ordered(found: Iterable[RunSummary], name: str, read: Read) -> list[RunSummary]:
    """Runs in an order: by a metric the best first, by anything else from small to large; those that lack it last."""

    def key(run: RunSummary) -> tuple[Any, ...]:
        value = value_of(run, name, read)
        if _is_number(value) and not math.isnan(value):
            falling = name in run.metrics and bool(greater_is_better(name, run.info))
            return (0, -value if falling else value, "")
        return (2, 0, "") if value is None or isinstance(value, float) else (1, 0, str(value))

    return sorted(found, key=key)
