"""The view of an experiment in MLflow's pages."""

from __future__ import annotations

import json
from typing import Any

from dlrun.tracking.mlflow_view import view_of

SCREEN = 1026 - 73
"""The pixels of MLflow's table of runs on a screen of 1280 x 720, less those of its first column."""


def state_of(*runs: tuple[dict[str, float], dict[str, str]]) -> dict[str, Any]:
    return json.loads(json.loads(view_of(runs, 0))["state"])


METRICS = dict.fromkeys(["train/loss", "test/loss", "test/f1", "time/epoch", "lr", "validation/f1"], 1.0)
METRICS |= dict.fromkeys(["validation/accuracy", "validation/loss", "validation/z1", "validation/z2"], 1.0)


def test_settings_are_beside_the_validation_metrics_and_those_before_the_test_metrics() -> None:
    one = {"seed": "1", "optimizer.lr": "0.1", "train.epochs": "3", "model.layers.0": "linear"}
    other = one | {"seed": "2", "train.epochs": "4"}
    columns = state_of((METRICS, one), (METRICS, other))["selectedColumns"]
    assert [column.partition(".")[2].strip("`") for column in columns] == [
        "optimizer.lr",
        "seed",
        "validation/loss",
        "validation/accuracy",
        "validation/f1",
        "train.epochs",
        "validation/z1",
        "validation/z2",
        "test/loss",
        "test/f1",
    ]


def test_the_first_columns_fit_on_a_small_screen() -> None:
    state = state_of((METRICS, {"seed": "1", "optimizer.lr": "0.1"}))
    first = state["columnOrder"][:7]
    assert first[-1] == "metrics.`validation/f1`"
    assert sum(state["columnWidths"][column] for column in first) <= SCREEN
    assert set(state["columnWidths"]) == set(state["columnOrder"])


def test_without_validation_the_loss_of_training_decides() -> None:
    assert state_of(({"train/loss": 1.0, "train/f1": 1.0}, {}))["selectedColumns"] == ["metrics.`train/loss`"]


def test_the_view_of_metrics_with_many_values_is_one_that_mlflow_takes() -> None:
    from mlflow.utils.validation import MAX_EXPERIMENT_TAG_VAL_LENGTH

    labels = [f"{number} {'x' * 38}" for number in range(32)]
    cells = [f"{split}/confusion_matrix/{a}/{b}" for split in ("validation", "test") for a in labels for b in labels]
    metrics = dict.fromkeys([*cells, "validation/z", "validation/loss", "test/z", "test/loss"], 1.0)
    assert len(view_of([(metrics, {"seed": "1"})], 0)) < MAX_EXPERIMENT_TAG_VAL_LENGTH
    columns = state_of((metrics, {}))["selectedColumns"]
    assert columns[:2] == ["metrics.`validation/loss`", "metrics.`validation/z`"]
    assert {"metrics.`test/loss`", "metrics.`test/z`"} <= set(columns)
