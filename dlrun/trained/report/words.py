"""Words that several tables of a report share."""

from __future__ import annotations

from dlrun.language.labels import shown
from dlrun.trained.report.figures import Counted, DecisionReport, OutputReport, Report
from dlrun.trained.report.means import Scored
from dlrun.views.grid import show_value

LONGEST = 24
"""Characters of a name or a label."""
NO_TRUTH = "The data does not say what is true here, so there is nothing to compare with."
NO_PROBABILITIES = "the network gives no probabilities, so there are no curves, no calibration and no losses"
NOTHING_WRONG = "No answer is wrong."


def prefix(report: Report, output: OutputReport | DecisionReport) -> str:
    """What stands before the titles of an output; '' where there is only one."""
    return f"{output.output}: " if len(report.outputs) > 1 else ""


def name_of(label: str) -> str:
    """A label or a name, shortened."""
    text = shown(label)
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def scores(one: Scored) -> list[str]:
    """Its recall, precision and f1."""
    return [show_value(getattr(one, name)) for name in ("recall", "precision", "f1")]


def times(count: int) -> str:
    """How often."""
    return "once" if count == 1 else f"{count:,} times"


def left_out(counted: Counted, of: str) -> list[str]:
    """What the figures leave out, in words; `of` is what an answer is for, in the plural."""
    found = []
    if counted.unknown:
        found.append(f"{_are(counted.unknown, of)} left out, without a known true value")
    if counted.not_finite:
        found.append(f"{_are(counted.not_finite, of)} left out, for which the network gives no finite number")
    return found


def _are(count: int, of: str) -> str:
    return f"1 {of.removesuffix('s')} is" if count == 1 else f"{count:,} {of} are"
