"""A run of every shipped spec can be evaluated, with the figures of its own test, and predicts the rows of its data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from places import SPECS

import dlrun
from dlrun.errors import SpecError
from dlrun.runs.run_json import read_run
from dlrun.trained import of_training
from dlrun.trained.evaluate import OwnRows, evaluate
from dlrun.trained.of_training import evaluation_of
from dlrun.trained.predict import predict
from dlrun.trained.rows import NewRows, source_of
from dlrun.trained.run import open_run

CHANGES = ("tracking=off", "baselines=off", "train.epochs=1", "schedule=null")


@pytest.mark.parametrize("file", sorted(SPECS.glob("*.yaml")), ids=lambda file: file.stem)
def test_a_run_of_a_shipped_spec_is_evaluated_and_predicts(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_once = []

    def kept(*given: Any) -> Any:
        at_once.append(evaluation_of(*given))
        return at_once[0]

    monkeypatch.setattr(of_training, "evaluation_of", kept)
    own = ("data.split.fold=1",) if "folds" in file.read_text("utf-8") else ()
    folder = dlrun.train(file, *CHANGES, *own, runs=tmp_path).folder
    run, told = open_run(folder), read_run(folder).test
    found = evaluate(run, OwnRows(run, "test"))
    for name, value in found.metrics.items():
        assert value == pytest.approx(told[name], rel=1e-4, abs=1e-5, nan_ok=True), name
    assert at_once[0].rows.tolist() == found.rows.tolist()
    for one, other in zip(at_once[0].answers, found.answers, strict=True):
        np.testing.assert_allclose(one.values, other.values, rtol=1e-4, atol=1e-5)
        assert (one.output, one.kind, one.fields, one.labels) == (other.output, other.kind, other.fields, other.labels)
        assert (one.true is None) == (other.true is None)
        if one.true is not None and other.true is not None:
            np.testing.assert_allclose(one.true, other.true, rtol=1e-6)
    judged = {output.name for output in run.outputs if output.target}
    left_out = {name for name in told if name not in found.metrics}
    assert all(name.partition("/")[0] not in judged for name in left_out if "/" in name)

    data = run.source
    if data.kind in ("text", "words"):
        with pytest.raises(SpecError, match="makes windows of a text"):
            source_of(run, Path("any.txt"))
        return
    if "path" not in type(data).model_fields:
        return  # its rows are in no file
    rows = NewRows(run, source_of(run, Path(data.origin()[1])))
    blocks = list(predict(run, rows))
    numbers = np.concatenate([block.numbers for block in blocks])
    assert numbers.tolist() == list(range(rows.rows))
    if data.kind == "idx":  # the file of the test rows alone is not read for a prediction
        return
    for place, answers in enumerate(found.answers):
        values = np.concatenate([block.answers[place].values for block in blocks])
        np.testing.assert_allclose(values[found.rows], answers.values, rtol=1e-5, atol=1e-6)
