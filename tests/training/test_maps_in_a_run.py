"""Maps of some columns of a real file: what the network gets is scikit-learn's, and what has no value is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, QuantileTransformer, RobustScaler, StandardScaler

import dlrun
from dlrun.checks.check import check
from dlrun.errors import SpecError
from dlrun.training.lifecycle.setup import load_and_fit, prepare_rows

SPEC = """
data:
  source: {csv: shop.csv}
  target: bought
  split: {validation: 0.2, test: 0.2}
  preprocess:
    - log1p: {columns: [income, visits]}
    - quantile: {columns: age, output_distribution: normal, n_quantiles: 50}
    - robust: {columns: [visits, height], quantile_range: [10, 90]}
    - standardize
model: {layers: [linear: $classes]}
loss: cross_entropy
optimizer: adam
train: {epochs: 1}
tracking: off
"""
NAMES = ("age", "income", "visits", "height")
ROWS = 200


def a_table() -> Any:
    random = np.random.default_rng(0)
    columns = [
        random.integers(18, 90, ROWS),
        random.lognormal(10, 1, ROWS).round(2),
        random.poisson(3, ROWS),
        random.normal(170, 10, ROWS).round(1),
    ]
    return np.stack(columns, axis=1).astype(float)


def write(folder: Path, table: Any) -> Path:
    lines = [",".join((*NAMES, "bought"))]
    lines += [",".join((*map(repr, row), "yes" if at % 3 else "no")) for at, row in enumerate(table.tolist())]
    (folder / "shop.csv").write_text("\n".join(lines) + "\n")
    (folder / "spec.yaml").write_text(SPEC)
    return folder / "spec.yaml"


def test_a_chain_of_maps_is_scikit_learns_pipeline_fitted_on_the_training_rows(tmp_path: Path) -> None:
    table = a_table()
    checked = check(write(tmp_path, table), (), training=True)
    loaded, fitted_steps, planned, scaling = load_and_fit(checked)
    prepared = prepare_rows(checked, loaded, fitted_steps, planned, scaling, torch.device("cpu"))
    quantile = QuantileTransformer(n_quantiles=50, output_distribution="normal")
    columns = ColumnTransformer(
        [
            ("age", quantile, [0]),
            ("income", FunctionTransformer(np.log1p), [1]),
            ("visits", make_pipeline(FunctionTransformer(np.log1p), RobustScaler(quantile_range=(10, 90))), [2]),
            ("height", RobustScaler(quantile_range=(10, 90)), [3]),
        ]
    )
    theirs = make_pipeline(columns, StandardScaler()).fit(table[loaded.splits.train])
    for rows, found in ((loaded.splits.train, prepared.train), (loaded.splits.test, prepared.test)):
        (inputs,) = found.batch(slice(None)).inputs
        assert np.allclose(inputs.numpy(), theirs.transform(table[rows]), atol=1e-6)


@pytest.mark.parametrize("part", ["train", "validation", "test"])
def test_a_number_without_a_logarithm_is_named_by_row_and_column_in_every_split(tmp_path: Path, part: str) -> None:
    table = a_table()
    checked = check(write(tmp_path, table), (), training=True)
    loaded, *_ = load_and_fit(checked)
    row = int(getattr(loaded.splits, part)[5])
    table[row, 2] = -4
    with pytest.raises(SpecError) as caught:
        dlrun.train(write(tmp_path, table), runs=tmp_path / "runs")
    (problem,) = caught.value.problems
    assert problem.message == f"row {row} holds -4 in the column 'visits'; log1p takes numbers above -1"
    assert problem.place is not None and problem.place.line == 7
    assert not list((tmp_path / "runs").glob("*"))


def test_a_map_takes_columns_that_a_map_before_it_makes(tmp_path: Path) -> None:
    file = write(tmp_path, a_table())
    steps = "[zca: {columns: [income, visits]}, pca: {columns: 'zca_*', n_components: 1}, robust: {columns: pca_1}]"
    planned = check(file, [f"data.preprocess={steps}"]).plan
    assert [(step.step.kind, step.columns, step.width) for step in planned.preprocess] == [
        ("zca", (1, 2), 4),
        ("pca", (2, 3), 4),
        ("robust", (2,), 3),
    ]
    assert dlrun.train(file, f"data.preprocess={steps}", runs=tmp_path / "runs").test["loss"] > 0
    with pytest.raises(SpecError, match="no feature is called 'pca_1'"):
        check(file, ["data.preprocess=[robust: {columns: pca_1}, pca: 1]"])
