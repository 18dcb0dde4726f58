"""Metrics that the data leaves undefined: an error where the classes are known, a note before the first step."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from networks import checked

from dlrun.components.metrics import Metric
from dlrun.errors import SpecError
from dlrun.language.component import choose
from dlrun.language.kinds import kinds
from dlrun.training.lifecycle.setup import prepare_training

CASES = {
    "classes": ("cross_entropy", "three", 3),
    "binary": ("binary_cross_entropy", "two", 2),
    "numbers": ("mse", "y", 2),
}


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    draw = np.random.default_rng(0)
    arrays = {"x": draw.normal(size=(90, 3)), "three": np.arange(90) % 3}
    arrays |= {"two": draw.integers(0, 2, (90, 2)), "y": draw.normal(size=(90, 2))}
    np.savez(tmp_path / "rows.npz", **arrays)
    np.savez(tmp_path / "still.npz", **{k: v * (k == "x") + v * (k == "three") * 0 for k, v in arrays.items()})
    return tmp_path


def spec(wants: str, metric: str, file: str = "rows", more: int = 0, rest: str = "") -> str:
    loss, target, count = CASES[wants]
    return f"""
        data: {{source: {{npz: {file}.npz}}, features: x, target: {target}}}
        model: {{layers: [linear: {count + more}]}}
        loss: {loss}
        metrics: [{metric}]
        optimizer: adam
        {rest}
    """


@pytest.mark.parametrize("kind", kinds("metrics"))
def test_a_metric_of_all_classes_needs_as_many_outputs_as_classes(kind: str, rows: Path) -> None:
    metric = choose("metrics", kind)
    assert isinstance(metric, Metric)
    if "classes" not in metric.suits:
        return
    checked(rows, spec("classes", kind))
    if metric.needs_every_class:
        with pytest.raises(SpecError, match="is over the 5 outputs, and the data has 3 classes"):
            checked(rows, spec("classes", kind, more=2))
    else:
        checked(rows, spec("classes", kind, more=2))


@pytest.mark.parametrize("kind", kinds("metrics"))
def test_a_metric_that_a_class_without_a_count_leaves_undefined_is_an_error(kind: str, tmp_path: Path) -> None:
    metric = choose("metrics", kind)
    assert isinstance(metric, Metric)
    if "classes" not in metric.suits:
        return
    draw = np.random.default_rng(0)
    np.savez(tmp_path / "steps.npz", x=draw.normal(size=(90, 4, 3)), y=draw.integers(0, 3, (90, 4)))
    text = f"""
        data: {{source: {{npz: steps.npz}}, features: x, target: y}}
        model: {{layers: [linear: $classes]}}
        loss: {{cross_entropy: {{ignore_index: 0}}}}
        metrics: [{kind}]
        optimizer: adam
    """
    if metric.needs_every_class:
        with pytest.raises(
            SpecError, match=f"{kind} is over all classes, also '0', whose positions do not count"
        ) as of:
            checked(tmp_path, text)
        written = re.search(r"name another class: `(.*)`", str(of.value))
        assert written is not None
        checked(tmp_path, text.replace(f"[{kind}]", f"[{written[1]}]"))
    else:
        checked(tmp_path, text)
    if metric.is_of_one(2):
        with pytest.raises(SpecError, match=f"{kind} is about '0', whose positions do not count"):
            checked(tmp_path, text.replace(f"[{kind}]", f"[{kind}: {{of: '0'}}]"))


@pytest.mark.parametrize("kind", kinds("metrics"))
@pytest.mark.parametrize("wants", ["binary", "numbers"])
def test_a_metric_that_a_constant_target_leaves_undefined_is_noted(kind: str, wants: str, rows: Path) -> None:
    import torch

    metric = choose("metrics", kind)
    assert isinstance(metric, Metric)
    if wants not in metric.suits or metric.is_table:
        return
    target = torch.zeros(8, 2)
    torch.manual_seed(0)
    measured = metric.measure(torch.randn(8, 2), target, "")
    undefined = not metric.value(measured, (2,), None).isfinite().item()
    assert metric.needs_spread == undefined or metric.needs_its_class or metric.needs_every_class
    noted = _notes(rows, spec(wants, kind, "still"))
    assert ("undefined_metric" in noted) == metric.needs_spread
    assert "undefined_metric" not in _notes(rows, spec(wants, kind))
    if metric.needs_spread:
        stopping = f"train: {{early_stopping: {{monitor: validation/{kind}}}}}"
        with pytest.raises(SpecError, match="a number of the target is the same in all"):
            prepare_training(checked(rows, spec(wants, kind, "still", rest=stopping)))


def _notes(rows: Path, text: str) -> set[str]:
    found = checked(rows, text)
    return {note.note for note in (*found.notes, *prepare_training(found).notes)}
