"""Every map of the preprocessing in an exported file: it gives what the network gives, or ONNX has no operator."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from every_kind.test_every_preprocess import CLASSES, KINDS, TARGET, a_step, rows_for

import dlrun
from dlrun.errors import RunError
from dlrun.exported import onnx, torch_program
from dlrun.trained.run import open_run

NO_OPERATOR = {"quantile"}
"""Those that ONNX cannot hold."""


@pytest.mark.parametrize("kind", KINDS)
def test_a_map_is_in_the_exported_file(kind: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "rows.npz", x=rows_for(kind), y=TARGET)
    spec = {
        "data": {"source": {"npz": "rows.npz"}, "features": "x", "target": "y", "preprocess": [a_step(kind).written()]},
        "model": {"layers": ["flatten", {"linear": CLASSES}]},
        "loss": "cross_entropy",
        "optimizer": "adam",
        "train": {"epochs": 1, "device": "cpu"},
        "baselines": "off",
        "tracking": "off",
    }
    (tmp_path / "spec.yaml").write_text(json.dumps(spec))
    run = open_run(dlrun.train(tmp_path / "spec.yaml", runs=tmp_path / "runs").folder)
    assert torch_program.write(run, tmp_path / "run.pt2").differences
    if kind in NO_OPERATOR:
        with pytest.raises(RunError, match="ONNX"):
            onnx.write(run, tmp_path / "run.onnx")
        assert not (tmp_path / "run.onnx").exists()
    else:
        assert onnx.write(run, tmp_path / "run.onnx").differences
