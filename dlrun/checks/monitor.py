"""Whether a metric that early stopping or a schedule watches is one of the validation rows."""

from __future__ import annotations

from collections.abc import Iterator

from dlrun.checks.objective import value_names
from dlrun.checks.reading import Reading
from dlrun.errors import Problem, SpecPath
from dlrun.language.suggestions import did_you_mean
from dlrun.plan.network import Plan
from dlrun.plan.split_sizes import SplitSizes

CHOICE = 20
"""The most metrics that a hint names."""


def check_monitor(
    reading: Reading, planned: Plan, monitor: str, whose: str, path: SpecPath, sizes: SplitSizes
) -> Iterator[Problem]:
    """Hold a metric that is watched to those of the validation rows, and these to at least one row."""
    values = {"loss": True, **value_names(reading, planned)}
    known = {f"validation/{name}": is_better for name, is_better in values.items()}
    choice = [name for name, is_better in known.items() if is_better]
    hint = "choose one of " + ", ".join(choice[:CHOICE]) + (", …" if len(choice) > CHOICE else "")
    if monitor not in known:
        message = f"there is no metric '{monitor}'{did_you_mean(monitor, choice, {})}"
        yield reading.problem(message, (*path, "monitor"), hint)
    elif not known[monitor]:
        message = f"neither more nor less of '{monitor}' is better, so {whose} cannot watch it"
        yield reading.problem(message, (*path, "monitor"), hint)
    elif not sizes.validation and reading.sections["data"].split.train_on_validation:
        message = f"{whose} needs validation rows, and `train_on_validation` makes training rows of them"
        yield reading.problem(message, path, "remove one of the two", at_key=True)
    elif not sizes.validation:
        hint = "set `data.split.validation` above 0"
        yield reading.problem(f"{whose} needs validation rows, and their share is 0", path, hint, at_key=True)
