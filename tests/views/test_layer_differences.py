"""The layers of two networks are aligned by what they are."""

from __future__ import annotations

from pathlib import Path

import pytest

from dlrun.checks.check import check_model
from dlrun.views.layer_differences import LayerDifference, layer_differences

OLD = "[linear: 8, relu, dropout: 0.3, linear: 4, relu, linear: 2]"


def differences(folder: Path, old: str, new: str) -> list[LayerDifference]:
    """Between two networks of these layers, which take 3 numbers."""
    plans = []
    for name, layers in (("old", old), ("new", new)):
        (folder / f"{name}.yaml").write_text(f"name: {name}\nmodel: {{input: [3], layers: {layers}}}\n")
        plans.append(check_model(folder / f"{name}.yaml"))
    return layer_differences(*plans)


@pytest.mark.parametrize(
    ("new", "found"),
    [
        (OLD, []),
        (OLD.replace("linear: 8", "linear: {out_features: 8, name: first}"), []),
        (
            OLD.replace("relu, dropout", "batch_norm, relu, dropout"),
            [("added", "batch_norm_1", "", "batch_norm")],
        ),
        (OLD.replace("dropout: 0.3, ", ""), [("removed", "dropout_1", "dropout: p 0.3", "")]),
        # 0.5 is the default, and is shown all the same, as it is what differs.
        (OLD.replace("0.3", "0.5"), [("changed", "dropout_1", "dropout: p 0.3", "dropout: p 0.5")]),
        # 3*8 + 8 = 32 weights become 3*9 + 9 = 36, and 8*4 + 4 = 36 become 9*4 + 4 = 40.
        (
            OLD.replace("linear: 8", "linear: 9"),
            [
                ("changed", "linear_1", "linear: out_features 8; 32 weights", "linear: out_features 9; 36 weights"),
                ("changed", "linear_2", "linear; 36 weights", "linear; 40 weights"),
            ],
        ),
        (
            OLD.replace("[linear: 8, relu", "[linear: 8, tanh"),
            [("removed", "relu_1", "relu", ""), ("added", "tanh_1", "", "tanh")],
        ),
        (
            OLD.replace("relu, linear: 2", "residual: {layers: [linear: 4]}, relu, linear: 2"),
            [("added", "residual_1.linear_1", "", "linear: out_features 4"), ("added", "residual_1", "", "residual")],
        ),
    ],
)
def test_a_layer_is_added_removed_or_changed(tmp_path: Path, new: str, found: list[tuple[str, ...]]) -> None:
    assert [(one.change, one.name, one.first, one.second) for one in differences(tmp_path, OLD, new)] == found
