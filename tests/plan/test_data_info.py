"""What the data says of several inputs and targets before it is loaded."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlrun.components.sources import SourceError
from dlrun.language.component import choose_some
from dlrun.language.experiment import DataSection, as_tuple
from dlrun.plan.data_info import DataInfo
from dlrun.plan.describe_data import describe


def described(folder: Path, arrays: dict[str, Any], features: Any, target: Any, *losses: Any) -> DataInfo:
    np.savez(folder / "rows.npz", **arrays)
    data = DataSection.read({"source": {"npz": "rows.npz"}, "features": features, "target": target})
    return describe(data, as_tuple(choose_some("losses", list(losses))), folder)


@pytest.fixture
def arrays() -> dict[str, Any]:
    return {
        "ids": np.array([[1, 2], [0, 8], [3, 3]]),
        "table": np.ones((3, 4)),
        "picture": np.ones((3, 2, 5)),
        "kind": np.array(["x", "y", "x"]),
        "size": np.ones((3, 2)),
    }


def test_every_input_has_a_shape_and_every_target_its_labels(tmp_path: Path, arrays) -> None:
    names = {"a": "ids", "b": "table", "c": "picture"}
    losses = [{"cross_entropy": {"output": "kind"}}, {"mse": {"output": "size"}}]
    data_info = described(tmp_path, arrays, names, {"kind": "kind", "size": "size"}, *losses)
    assert data_info.rows == 3
    found = {name: (feature.shape, feature.vocabulary) for name, feature in data_info.features.items()}
    assert found == {"a": ((2,), 9), "b": ((4,), None), "c": ((2, 5), None)}
    assert {name: (t.shape, t.labels, t.wants) for name, t in data_info.targets.items()} == {
        "kind": ((), ("x", "y"), "classes"),
        "size": ((2,), None, "numbers"),
    }
    assert data_info.classed == ["kind"]


def test_more_targets_than_inputs_are_all_found(tmp_path: Path, arrays) -> None:
    names = {"kind": "kind", "again": "kind", "size": "size"}
    losses = [{"cross_entropy": {"output": "kind"}}, {"binary_cross_entropy": {"output": "again"}}]
    data_info = described(tmp_path, arrays, "table", names, *losses, {"l1": {"output": "size"}})
    assert list(data_info.features) == ["input"]
    assert {name: t.wants for name, t in data_info.targets.items()} == {
        "kind": "classes",
        "again": "binary",
        "size": "numbers",
    }


def test_losses_that_compare_with_inputs_need_no_target(tmp_path: Path, arrays) -> None:
    data_info = described(tmp_path, arrays, {"a": "table", "b": "size"}, None, {"mse": {"output": "x", "target": "a"}})
    assert (list(data_info.features), data_info.targets) == (["a", "b"], {})


@pytest.mark.parametrize(
    ("arrays_with", "features", "target", "losses", "at", "message"),
    [
        (
            {"other": np.ones((5, 2))},
            {"a": "table", "b": "other"},
            None,
            [{"mse": "a"}],
            ("features", "b"),
            "'table' has 3 rows, but 'other' has 5",
        ),
        ({}, {"a": "table", "b": "tabel"}, "size", ["mse"], ("features", "b"), "no array 'tabel'"),
        (
            {},
            "table",
            {"a": "size", "b": "sise"},
            [{"mse": {"output": "a"}}, {"mse": {"output": "b"}}],
            ("target", "b"),
            "no array 'sise'",
        ),
        (
            {"few": np.ones(2)},
            "table",
            {"a": "size", "b": "few"},
            [{"mse": {"output": "a"}}, {"mse": {"output": "b"}}],
            ("target", "b"),
            "'table' has 3 rows, but 'few' has 2",
        ),
    ],
)
def test_what_is_wrong_leads_to_the_input_or_target_it_is_about(
    tmp_path: Path, arrays, arrays_with, features, target, losses, at, message
) -> None:
    with pytest.raises(SourceError, match=message) as caught:
        described(tmp_path, arrays | arrays_with, features, target, *losses)
    assert caught.value.at == at
