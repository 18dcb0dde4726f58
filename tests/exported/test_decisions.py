"""Decisions travel with a run into each form of export, and into what is served."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from places import SPECS

import dlrun
from dlrun.errors import RunError
from dlrun.exported import onnx, torch_program
from dlrun.exported.program import quiet
from dlrun.modules.decision import LeastCost, Weighed
from dlrun.tracking.mlflow_run import import_quietly
from dlrun.trained.decided import Decided
from dlrun.trained.evaluate import OwnRows, evaluate
from dlrun.trained.rows import NewRows
from dlrun.trained.run import TrainedRun, open_run

DECISIONS = {
    "costs": "{bayes: {costs: [[0, 1, 5], [2, 0, 1], [9, 1, 0]]}}",
    "rejection": "{map: {reject: 0.3}}",
    "priors": "{map: {priors: {grower_1: 0.9}}}",
}


@pytest.fixture(params=DECISIONS)
def run(request: pytest.FixtureRequest, tmp_path: Path) -> TrainedRun:
    changes = ("train.epochs=1", "tracking=off", "baselines=off", f"decision={DECISIONS[request.param]}")
    return open_run(dlrun.train(SPECS / "wine_mlp.yaml", *changes, runs=tmp_path).folder)


def test_a_decision_is_the_same_everywhere(run: TrainedRun, tmp_path: Path) -> None:
    rows = OwnRows(run, "test")
    (answers,) = evaluate(run, rows).answers
    chosen = np.where(answers.chosen < 0, 3, answers.chosen)
    assert len(set(chosen.tolist())) > 1
    _, inputs, _ = next(rows.labelled(rows.rows))

    onnx.write(run, tmp_path / "run.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "run.onnx")
    found: Any = session.run(["output", "output.decision"], {"input": inputs[0].numpy()})
    np.testing.assert_allclose(found[0], answers.chances, atol=1e-5)
    assert found[1].tolist() == chosen.tolist()
    about = json.loads((tmp_path / "run.onnx.json").read_text())["outputs"]["output.decision"]
    assert about["classes"] == list(answers.labels) and about.get("rejected", 3) == 3

    torch_program.write(run, tmp_path / "run.pt2")
    outputs = torch.export.load(tmp_path / "run.pt2").module()(*inputs)
    assert outputs["output.decision"].tolist() == chosen.tolist()

    import_quietly()
    with quiet():
        from dlrun.exported.served import answers_for, frame_of
    served = answers_for(run, frame_of(run, NewRows(run, run.source), 50))
    (again,) = evaluate(run, _First(run, rows)).answers
    wanted = [None if one < 0 else answers.labels[one] for one in again.chosen.tolist()]
    chances = served[[f"cultivar={label}" for label in answers.labels]]
    np.testing.assert_allclose(chances, again.chances, atol=1e-5)
    assert [None if isinstance(one, float) else one for one in served["cultivar"].tolist()] == wanted


class _First:
    """The first rows of the data, in the order of the file."""

    def __init__(self, run: TrainedRun, own: OwnRows):
        self.run, self.own, self.rows = run, own, 50

    def labelled(self, size: int) -> Any:
        self.own.numbers, self.own.rows = np.arange(50), 50
        return self.own.labelled(size)


def test_a_file_with_other_decisions_is_refused(
    run: TrainedRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LeastCost, "forward", lambda self, chances: chances.argmin(-1))
    with pytest.raises(RunError, match="would be other classes"):
        torch_program.write(run, tmp_path / "run.pt2")
    assert not (tmp_path / "run.pt2").exists()


def test_the_module_decides_as_the_decision_does() -> None:
    one = Decided("bayes", ("a", "b"), (0.5, 2.0), ((0.0, 1.0, 0.3), (10.0, 0.0, 0.3)))
    chances = np.random.default_rng(0).dirichlet((1, 1), 50)
    found = LeastCost(one.costs)(Weighed(one.factors)(torch.from_numpy(chances))).numpy()
    assert np.where(found < 2, found, -1).tolist() == one.classes(chances).tolist()
    assert set(found.tolist()) == {0, 1, 2}
