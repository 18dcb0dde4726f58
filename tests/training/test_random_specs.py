"""Whole specs drawn over all families: what `check` accepts, trains, is interrupted, resumed and loaded.

DLRUN_FAULTS=2000 tries as many.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import draws, written_components
from whole_runs import MANY, differences, result_of

import dlrun
from dlrun.checks.check import check
from dlrun.components.layers import Container
from dlrun.errors import RunError, SpecError
from dlrun.language.component import find, kinds
from dlrun.runs.folder import RESOLVED
from dlrun.tracking.open import open_tracking
from dlrun.training.lifecycle import resume as resuming
from dlrun.training.loop import Training

EXAMPLES = MANY or 150
ROWS = 30
SHAPES = ((4,), (6, 4), (2, 6, 6), (2, 4, 4, 4))
LAYERS = [
    kind
    for kind in kinds("layers")
    if not issubclass(cls := find("layers", kind), Container) and getattr(cls, "accepts", "") != "indices"
]
"""All that take numbers: only the rows' values can tell whether they are indices."""
LOSSES = {"numbers": ("mse", "l1"), "classes": ("cross_entropy",), "binary": ("binary_cross_entropy",)}
METRICS = {"numbers": ("mse", "mae", "r2"), "classes": ("accuracy", "f1", "roc_auc"), "binary": ("accuracy", "f1")}
ENDS = {"numbers": 1, "classes": 3, "binary": 1}


class Quiet:
    """A watcher that shows nothing."""

    def ready(self, *_: Any) -> None: ...
    def notice(self, text: str) -> None:
        assert "not what it was" not in text

    def progress(self, *_: Any) -> None: ...
    def epoch(self, *_: Any) -> None: ...


def some(family: str, most: int = 1) -> st.SearchStrategy[list[Any]]:
    """A few components of a family."""
    one = st.sampled_from(kinds(family)).flatmap(lambda kind: written_components(family, kind))
    return st.lists(one, max_size=most)


@st.composite
def specs(draw: st.DrawFn) -> tuple[dict[str, Any], tuple[int, ...], str]:
    """A spec, the shape of its rows, and what its target is."""
    shape, target = draw(st.sampled_from(SHAPES)), draw(st.sampled_from(sorted(LOSSES)))
    middle = st.sampled_from(LAYERS).flatmap(lambda kind: written_components("layers", kind))
    layers = [*draw(st.lists(middle, max_size=3)), "flatten", {"linear": ENDS[target]}]
    model: dict[str, Any] = {"input": shape, "layers": layers}
    for setting in ("init", "bias_init"):
        for chosen in draw(some("initializers")):
            model[setting] = chosen
    data = {
        "source": {"npz": "rows.npz"},
        "features": "x",
        "target": target,
        "split": {"validation": 0.2, "test": 0.2},
        "preprocess": draw(some("preprocess")),
        "augment": draw(some("augment")),
    }
    train: dict[str, Any] = {"epochs": 2, "batch_size": draw(st.sampled_from((5, 6, "full"))), "device": "cpu"}
    train["precision"] = draw(st.sampled_from(("float32", "bfloat16")))
    train["checkpoint"] = {"every": "2 steps"}
    if draw(st.booleans()):
        train["early_stopping"] = {"patience": draw(st.integers(1, 2))}
    if draw(st.booleans()):
        train["clip_grad_norm"] = 1.0
    optimizer = draw(st.sampled_from(kinds("optimizers")))
    spec: dict[str, Any] = {
        "data": data,
        "model": model,
        "loss": draw(st.sampled_from(LOSSES[target])),
        "metrics": draw(st.lists(st.sampled_from(METRICS[target]), max_size=2, unique=True)),
        "regularizers": draw(some("regularizers")),
        "optimizer": {optimizer: {"lr": 1e-3}},
        "train": train,
        "tracking": "off",
    }
    for schedule in draw(some("schedules")):
        spec["schedule"] = schedule
    return spec, shape, target


def write_rows(file: Path, shape: tuple[int, ...]) -> None:
    draw = np.random.default_rng(7)
    classes = np.arange(ROWS) % 3
    np.savez(
        file, x=draw.normal(size=(ROWS, *shape)), numbers=draw.normal(size=ROWS), classes=classes, binary=classes > 0
    )


def interrupted(spec: Path, runs: Path, patch: pytest.MonkeyPatch, after: int) -> Path | None:
    """A run that is stopped after a step, and resumed; its folder."""
    own = Training._report_progress

    def stop(training: Training, step: int) -> None:
        if training.state.step == after:
            raise KeyboardInterrupt
        own(training, step)

    patch.setattr(Training, "_report_progress", stop)
    try:
        dlrun.train(spec, runs=runs)
    except KeyboardInterrupt:
        pass
    finally:
        patch.setattr(Training, "_report_progress", own)
    (folder,) = runs.iterdir()
    checked = check(folder / RESOLVED, (), training=True)
    with open_tracking(checked.experiment.tracking, runs) as tracking:
        resuming.resume(folder, checked, Quiet(), tracking)
    return folder


def test_what_check_accepts_trains_resumes_and_loads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    accepted: list[bool] = []

    @draws(EXAMPLES)
    @given(specs(), st.integers(1, 3))
    def holds(drawn: Any, after: int) -> None:
        spec, shape, _ = drawn
        folder = tmp_path / "one"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        write_rows(folder / "rows.npz", shape)
        file = folder / "spec.yaml"
        file.write_text(json.dumps(spec))
        try:
            exact = dlrun.check(file).plan.exact
        except SpecError:
            return
        accepted.append(True)
        try:
            whole = dlrun.train(file, runs=folder / "whole").folder
            stop = 1 if spec["train"]["batch_size"] == "full" else after  # there are no more steps
            parts = interrupted(file, folder / "parts", monkeypatch, stop)
        except RunError as error:
            assert "the loss became" in str(error)
            return
        except SpecError as error:  # a size that only the data's values tell, refused with its place
            assert not exact and error.problems[0].place is not None
            return
        assert parts is not None
        assert not (differing := differences(result_of(parts), result_of(whole))), differing
        dlrun.load_network(whole)

    holds()
    assert len(accepted) > EXAMPLES / 20, "too few specs that are right: the test would prove little"
