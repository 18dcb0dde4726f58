"""The tables of a decision."""

from __future__ import annotations

from collections.abc import Iterator

from dlrun.trained.report.figures import DecisionReport, Rate
from dlrun.trained.report.words import name_of
from dlrun.views.grid import Grid, show_value


def tables_of_decisions(one: DecisionReport, before: str) -> Iterator[Grid]:
    """Its rates where it has a threshold, else its risk; `before` stands before their titles."""
    if one.detection is not None and one.false_alarm is not None:
        yield Grid(
            f"{before}Detection of {name_of(one.positive)}",
            ("", "share", "95% interval", "rows"),
            (_rate("detected", one.detection), _rate("false alarms", one.false_alarm)),
            ("share", "rows"),
            f"decided for where its probability is above {show_value(one.threshold or 0.0)}",
        )
        return
    rows = tuple((risk.of, show_value(risk.expected), show_value(risk.observed)) for risk in one.risks)
    below = f"{one.rejected:,} of {one.rows:,} rows rejected" if one.may_reject else ""
    yield Grid(f"{before}Risk of {one.kind}", ("", *HEAD), rows, HEAD, below)


HEAD = ("by the probabilities", "by the true classes")


def _rate(what: str, rate: Rate) -> tuple[str, ...]:
    interval = f"{show_value(rate.low)} to {show_value(rate.high)}"
    return what, show_value(rate.share), interval, f"{rate.count:,} of {rate.rows:,}"


def line(one: DecisionReport) -> str:
    """All in one line."""
    if one.detection is not None and one.false_alarm is not None:
        shares = [f"{show_value(rate.share)} ({show_value(rate.low)} to {show_value(rate.high)})"
                  for rate in (one.detection, one.false_alarm)]  # fmt: skip
        return f"{one.kind}: {name_of(one.positive)} detected {shares[0]}, false alarms {shares[1]}"
    own, *always = one.risks
    least = min(always, key=lambda risk: risk.observed if risk.observed == risk.observed else risk.expected)
    rejected = f", {one.rejected:,} of {one.rows:,} rows rejected" if one.may_reject else ""
    return f"{one.kind}: risk {show_value(own.observed)}, {least.of} {show_value(least.observed)}{rejected}"
