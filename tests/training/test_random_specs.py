"""Whole specs drawn over all families: what `check` accepts, trains, is interrupted, resumed and loaded.

DLRUN_FAULTS=2000 tries as many.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import draws
from whole_runs import MANY, differences, result_of
from whole_specs import specs, write

import dlrun
from dlrun.checks.check import check
from dlrun.errors import RunError, SpecError
from dlrun.runs.folder import RESOLVED
from dlrun.tracking.open import open_tracking
from dlrun.training.lifecycle import resume as resuming
from dlrun.training.loop import Training

EXAMPLES = MANY or 150


class Quiet:
    """A watcher that shows nothing."""

    def ready(self, plan: Any, loaded: Any, folder: Path, device: str) -> None: ...
    def note(self, problem: Any) -> None: ...
    def notice(self, text: str) -> None:
        assert "not what it was" not in text

    def trunk(self, rows: int, share: float) -> None: ...
    def tested(self, setup: Any, training: Any, outcome: Any) -> None: ...
    def baseline(self, name: str, number: int, count: int) -> None: ...
    def progress(self, progress: Any) -> None: ...
    def epoch(self, epoch: int, metrics: dict[str, float], epochs: int) -> None: ...


def interrupted(spec: Path, runs: Path, patch: pytest.MonkeyPatch, after: int) -> Path | None:
    """A run that is stopped after a step, if it has so many, and resumed; its folder."""
    own = Training._report_progress

    def stop(training: Training, step: int) -> None:
        if training.state.step == after:
            raise KeyboardInterrupt
        own(training, step)

    patch.setattr(Training, "_report_progress", stop)
    try:
        return dlrun.train(spec, runs=runs).folder
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
        spec, shape = drawn
        folder = tmp_path / "one"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        file = write(folder, spec, shape)
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
        except SpecError as error:  # what only the data's values tell, refused with its place
            (problem,) = error.problems
            assert problem.place is not None
            assert not exact or "log1p takes numbers above -1" in problem.message
            return
        assert parts is not None
        assert not (differing := differences(result_of(parts), result_of(whole))), differing
        dlrun.load_network(whole)

    holds()
    assert len(accepted) > EXAMPLES / 20, "too few specs that are right: the test would prove little"
