"""Which columns of the data a run's network takes, and what the encoders made of them: for new rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dlrun.components.sources import Field
from dlrun.plan.data_info import Feature
from dlrun.plan.inputs import Input
from dlrun.training.lifecycle.setup import TrainingSetup


def columns(setup: TrainingSetup) -> dict[str, Any]:
    """The content of a run's columns.json."""
    data_info = setup.checked.data_info
    assert data_info is not None
    fields = data_info.table.fields
    return {
        "inputs": {entry.name: _input(entry, data_info.features[entry.name], fields) for entry in setup.plan.inputs},
        "targets": {
            name: {
                "fields": list(target.fields),
                "wants": target.wants,
                "shape": list(target.shape),
                "positive": target.positive,
                "ignored": target.ignored,
            }
            for name, target in data_info.targets.items()
        },
    }


def _input(entry: Input, feature: Feature, fields: Mapping[str, Field]) -> dict[str, Any]:
    recipes = {name: dict(fields[name].recipe) for name in feature.fields if fields[name].recipe}
    return {
        "fields": {name: fields[name].type for name in feature.fields},
        "shape": list(feature.shape),
        **({"recipes": recipes} if recipes else {}),
        "encoders": [
            {
                "index": one.index,
                "kind": one.step.kind,
                "learned": one.learned,
                "unseen": {name: unseen.rows for name, unseen in one.unseen.items()},
            }
            for one in feature.encoded
        ],
        "columns": [column.name for column in feature.columns],
        "maps": [
            {"name": step.name, "index": step.index, "columns": step.columns, "width": step.width}
            for step in entry.preprocess
        ],
    }
