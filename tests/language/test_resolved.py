"""What a resolved spec says is what the spec says that it was made of."""

from pathlib import Path

import pytest
import safetensors.torch
from networks import built

from dlrun.checks.check import check
from dlrun.language.resolved import as_yaml, flattened, resolved

DATA = """
data: {source: {sklearn: iris}, preprocess: [%s]}
loss: cross_entropy
optimizer: adam
train: {epochs: 1}
"""
SPECS = {
    "without the input's shape": (DATA % "", "model: {layers: [{linear: $classes}]}"),
    "with it": (DATA % "", "model: {input: [2, 2], layers: [flatten, {linear: $classes}]}"),
    "behind a projection": (DATA % "pca: 2", "model: {layers: [{linear: $classes}]}"),
    "with weights to start from": (DATA % "", "model: {weights: w.safetensors, layers: [{linear: $classes}]}"),
}


@pytest.mark.parametrize("case", SPECS)
def test_settings_are_the_same_once_a_spec_is_resolved(case: str, tmp_path: Path) -> None:
    weights = built("{input: [4], layers: [{linear: 3}]}").state_dict()
    safetensors.torch.save_file(weights, tmp_path / "w.safetensors")
    first = tmp_path / "spec.yaml"
    first.write_text("".join(SPECS[case]))
    (tmp_path / "elsewhere").mkdir()
    second = tmp_path / "elsewhere" / "resolved.yaml"
    settings = []
    for file in (first, second):
        checked = check(file, training=True)
        given = checked.experiment, checked.reading.folder, checked.plan.input_shapes
        second.write_text(as_yaml(resolved(*given)))
        settings.append(flattened(*given))
    assert settings[0] == settings[1]
    assert settings[0]["model.input"] == {"with it": "[2, 2]", "behind a projection": "[2]"}.get(case, "[4]")
