"""A view of an experiment in MLflow's pages: its metrics, and the settings in which its runs differ.

MLflow's own table of runs shows neither until a user selects them one by one. A view is a tag of the
experiment; it opens with `ADDRESS` and is in the page's list of views. A version of MLflow without views
shows its own table.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping

VIEW = "dlrun"
TAG = f"mlflow.sharedViewState.{VIEW}"
SIDE = "workflowType=machine_learning"
"""Part of an address; without it MLflow shows its pages for language-model applications."""
ADDRESS = f"{SIDE}&viewStateShareKey={VIEW}"

MAX_SETTINGS = 12
DECIDING = ("validation/", "train/loss", "test/")
"""How the names of the metrics in the table begin: those of the first of these that there are. MLflow orders a table's
columns itself, metrics by name and then settings, and a screen has room for few; the others are in the charts."""
ALWAYS = re.compile(r"seed|optimizer(\..+)?\.lr")
"""Settings in the table even where no run differs."""


def view_of(runs: Iterable[tuple[Mapping[str, float], Mapping[str, str]]], time: int) -> str:
    """The value of the tag, for the metrics and settings of runs; `time` is in milliseconds since 1970."""
    metrics: set[str] = set()
    settings: dict[str, set[str | None]] = {}
    seen = list(runs)
    for run_metrics, run_settings in seen:
        metrics.update(name for name in run_metrics if name.startswith(DECIDING))
        for name in run_settings:
            settings.setdefault(name, set())
    for _, run_settings in seen:
        for name, values in settings.items():
            values.add(run_settings.get(name))
    always = sorted(name for name in settings if ALWAYS.fullmatch(name))
    differing = sorted(name for name, values in settings.items() if len(values) > 1 and name not in always)
    part = next((part for part in DECIDING if any(name.startswith(part) for name in metrics)), "")
    columns = [f"metrics.`{name}`" for name in sorted(metrics) if name.startswith(part)]
    columns += [f"params.`{name}`" for name in [*always, *differing][:MAX_SETTINGS]]
    state = json.dumps({"selectedColumns": columns})
    return json.dumps({"name": VIEW, "createdAt": time, "updatedAt": time, "state": state})
