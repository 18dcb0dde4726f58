"""Runs whose target is their own input, and runs with tied weights."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from watching import run_silently

from dlrun.checks.check import check
from dlrun.errors import SpecError
from dlrun.network.files import load_network
from dlrun.training.lifecycle.run import Outcome

NET = """
model: {layers: [{linear: 2}, {linear: $features}]}
loss: {mse: input}
metrics: [mae, r2]
optimizer: {adam: {lr: 0.05}}
train: {epochs: 60, batch_size: 32, device: cpu}
tracking: off
"""


@pytest.fixture
def train(tmp_path: Path):
    def trained(text: str) -> Outcome:
        file = tmp_path / "spec.yaml"
        file.write_text(text)
        return run_silently(check(file, training=True), tmp_path / "runs")

    return trained


@pytest.fixture
def plane(tmp_path: Path) -> np.ndarray:
    """Rows of five numbers that lie on a plane, so that two numbers say all of them."""
    generator = np.random.default_rng(0)
    rows = generator.normal(size=(300, 2)) @ generator.normal(size=(2, 5))
    np.savez(tmp_path / "rows.npz", x=rows)
    lines = "\n".join(",".join(f"{value:.6f}" for value in row) + ",word" for row in rows)
    (tmp_path / "rows.csv").write_text("a,b,c,d,e,label\n" + lines + "\n")
    return rows


@pytest.mark.parametrize(
    "data",
    [
        "{source: {npz: rows.npz}, features: x",
        "{source: {csv: rows.csv}, target: label",
        "{source: {csv: rows.csv}, features: [a, b, c, d, e]",
    ],
    ids=["npz", "csv without its labels", "csv by features"],
)
def test_an_autoencoder_needs_no_target_and_learns_a_plane(train, plane, data: str) -> None:
    outcome = train(f"data: {data}, preprocess: [standardize]}}" + NET)
    assert outcome.test["r2"] > 0.98
    network = load_network(outcome.folder)
    rows = torch.tensor(plane)
    standard = (rows - rows.mean(0)) / rows.std(0)
    assert (network(rows) - standard).square().mean() < 0.1


def test_an_autoencoder_must_give_what_it_takes(train, plane) -> None:
    text = "data: {source: {npz: rows.npz}, features: x}" + NET.replace("$features", "4")
    with pytest.raises(SpecError, match=r"needs outputs of shape \(5,\); the network outputs \(4,\)"):
        train(text)


def test_tied_weights_train_as_one_are_saved_once_and_load_again(train, tmp_path: Path) -> None:
    words = np.random.default_rng(0).integers(0, 12, size=(200, 4))
    np.savez(tmp_path / "words.npz", x=words, y=words[:, -1])
    outcome = train(
        """
data: {source: {npz: words.npz}, features: x, target: y}
model:
  layers:
    - embedding: {num_embeddings: 12, embedding_dim: 16, name: words}
    - multihead_attention: {num_heads: 2, causal: true}
    - select: -1
    - linear: {out_features: 12, bias: false, tied_to: words}
loss: cross_entropy
metrics: [accuracy]
optimizer: {adam: {lr: 0.01}}
train: {epochs: 30, batch_size: 20, device: cpu}
tracking: off
"""
    )
    assert outcome.test["accuracy"] > 0.9  # to say the last word again
    held = load_file(outcome.folder / "last.safetensors")
    assert "words.weight" in held and "linear_1.weight" not in held
    network = load_network(outcome.folder, "last")
    assert network.get_parameter("linear_1.weight") is network.get_parameter("words.weight")
    assert torch.equal(network.get_parameter("words.weight"), held["words.weight"])
    again = train(
        (outcome.folder / "resolved.yaml")
        .read_text()
        .replace("model:\n", f"model:\n  weights: {outcome.folder / 'best.safetensors'}\n", 1)
    )
    assert again.test["accuracy"] > 0.9
