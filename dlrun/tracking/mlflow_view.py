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
MAX_METRICS = 12
"""How many validation metrics, and how many test metrics, the table has; MLflow takes a tag of 20,000 characters."""
MAX_FIRST = 3
"""How many validation metrics come before the settings in which the runs differ: as many as a screen has room for."""
VALIDATION, TRAIN, TEST = "validation/", "train/loss", "test/"
"""How the names of the metrics in the table begin; those of training where there is no validation. The others are in
the charts."""
ALWAYS = re.compile(r"seed|optimizer(\..+)?\.lr")
"""Settings in the table even where no run differs."""

RUN_NAME, CREATED = "attributes.`Run Name`", "runDateAndNestInfo"
"""MLflow's names of the two columns that it shows first."""
WIDTHS = {RUN_NAME: 258, CREATED: 134}
CHARACTER, PADDING, LEAST, MOST = 7, 22, 60, 190
"""The widths of columns, in pixels: of a character of their title, around it, and their limits."""


def view_of(runs: Iterable[tuple[Mapping[str, float], Mapping[str, str]]], time: int) -> str:
    """The value of the tag, for the metrics and settings of runs; `time` is in milliseconds since 1970."""
    metrics: set[str] = set()
    settings: dict[str, set[str | None]] = {}
    seen = list(runs)
    for run_metrics, run_settings in seen:
        metrics.update(run_metrics)
        for name in run_settings:
            settings.setdefault(name, set())
    for _, run_settings in seen:
        for name, values in settings.items():
            values.add(run_settings.get(name))
    always = sorted((name for name in settings if ALWAYS.fullmatch(name)), key=lambda name: (name == "seed", name))
    differing = sorted(name for name, values in settings.items() if len(values) > 1 and name not in always)
    differing = differing[: max(0, MAX_SETTINGS - len(always))]
    deciding = _named(metrics, VALIDATION) or _named(metrics, TRAIN)
    columns = [f"params.`{name}`" for name in always]
    columns += [f"metrics.`{name}`" for name in deciding[:MAX_FIRST]]
    columns += [f"params.`{name}`" for name in differing]
    columns += [f"metrics.`{name}`" for name in [*deciding[MAX_FIRST:], *_named(metrics, TEST)]]
    state = {
        "selectedColumns": columns,
        "columnOrder": [RUN_NAME, CREATED, *columns],
        "columnWidths": WIDTHS | {column: _width(column.split("`")[1]) for column in columns},
    }
    return json.dumps({"name": VIEW, "createdAt": time, "updatedAt": time, "state": json.dumps(state)})


def _named(metrics: Iterable[str], beginning: str) -> list[str]:
    """The metrics whose names begin so, as many as the table has: a loss first, and the values of classes last."""
    found = (name for name in metrics if name.startswith(beginning))
    return sorted(found, key=lambda name: (name.rpartition("/")[2] != "loss", name.count("/"), name))[:MAX_METRICS]


def _width(title: str) -> int:
    return min(max(LEAST, CHARACTER * len(title) + PADDING), MOST)
