"""The way out of mistakes that people bring from other tools: what an error says, to be written as it stands."""

from __future__ import annotations

from pathlib import Path

import pytest

from dlrun.checks.check import check
from dlrun.errors import SpecError

SPEC = """\
data: {source: {csv: data.csv}, target: y}
model:
  layers: [linear: 4, relu, linear: $classes]
loss: cross_entropy
metrics: [accuracy]
optimizer: {adam: {lr: 1e-2}}
train: {epochs: 2}
tracking: off
"""
LAYERS, SOURCE = "linear: 4, relu", "{csv: data.csv}"
CASES = [
    (SOURCE, "x.npz", "write `source: {npz: x.npz}`"),
    (SOURCE, "iris", "write `sklearn: iris`"),
    (SOURCE, "csv:data.csv", "write `csv: data.csv`"),
    (SOURCE, "{path: data.csv}", "`csv: {path: data.csv}`"),
    (SOURCE, "{sklearn: load_iris}", "did you mean 'iris'?"),
    (SOURCE, "[csv: a.csv, csv: b.csv]", "all rows come from one source: join tables by their key"),
    (SOURCE, "{join: [csv: a.csv, csv: b.csv]}", "all rows come from one source: join tables by their key"),
    (SOURCE, "{csv: a.csv, npz: b.npz}", "all rows come from one source: join tables by their key"),
    (SOURCE, "{people: {csv: a.csv}, jobs: {csv: b.csv}}", "all rows come from one source: join tables by their key"),
    (SOURCE, "{csv: {path: data.csv, na_values: [x]}}", "did you mean 'missing'?"),
    (LAYERS, "identity", "leave it out; as a branch, `[]` is the input itself"),
    (LAYERS, "Activation: relu", "such as `- relu`"),
    (LAYERS, "InputLayer", "`model.input` gives the shape"),
    (LAYERS, "transpose: [0, 1]", "did you mean 'permute'?"),
    (LAYERS, "unsqueeze: 0", "`reshape` adds an axis"),
    (LAYERS, "self_attention: 2", "did you mean 'multihead_attention'?"),
    (LAYERS, "slice: 3", "did you mean 'select'?"),
    (LAYERS, '"nn.Linear(3, 4)"', "did you mean 'linear'?"),
    (LAYERS, "torch.nn.ReLU", "did you mean 'relu'?"),
    (LAYERS, "{class: Linear, out_features: 3}", "write `linear: {out_features: 3}`"),
    (LAYERS, '"linear:4"', "write `linear: 4`"),
    (LAYERS, "residual: relu", "put `[` and `]` around it: `[relu]`"),
    (LAYERS, "reshape: -1", "put `[` and `]` around it"),
    (LAYERS, "lstm: {hidden_size: 3, return_sequences: true}", "write `output: sequence`"),
    ("linear: 4", "linear: {out_features: 4, regularizers: {l2: 1e-3}}", "put `[` and `]` around it"),
    ("{adam: {lr: 1e-2}}", "{lr: 1e-2}", "such as `sgd: {lr: 0.01}`"),
    ("[accuracy]", "accuracy", "around it: `[accuracy]`"),
    ("[accuracy]", "[f1: {pos_label: p}]", "did you mean 'of'?"),
    ("epochs: 2", "early_stopping: 5", "the settings here are monitor, patience, min_delta, start_after"),
    ("epochs: 2", "device: gpu", "did you mean 'cuda'?"),
    ("epochs: 2", "precision: bf16-mixed", "did you mean 'bfloat16'?"),
    ("epochs: 2", "gradient_clip_val: 1", "did you mean 'clip_grad_norm'?"),
    ("target: y", "target: y, split: 0.2", "the settings here are validation, test"),
    ("target: y", "target: y, split: {test_size: 0.2}", "did you mean 'test'?"),
    ("target: y", "target: y, split: {validation: 1.5}", "or a whole number of rows"),
    ("target: y", "target: y, split: {validation: 20%}", "write 0.2"),
    ("tracking: off", "schedule: {gamma: 0.5}\ntracking: off", "such as `exponential: {gamma: 0.5}`"),
]


@pytest.mark.parametrize(("right", "wrong", "way_out"), CASES, ids=[case[1] for case in CASES])
def test_a_word_of_another_tool_leads_to_what_to_write(tmp_path: Path, right: str, wrong: str, way_out: str) -> None:
    (tmp_path / "data.csv").write_text("a,b,y\n" + "1,2,p\n3,4,q\n" * 20, "utf-8")
    file = tmp_path / "spec.yaml"
    file.write_text(SPEC.replace(right, wrong, 1), "utf-8")
    with pytest.raises(SpecError) as caught:
        check(file)
    assert way_out in str(caught.value)
