"""A frozen trunk is computed once, and nothing shows it but the time."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import networks
import numpy as np
import pytest
import torch
from watching import Silent, run_silently

from dlrun.checks.check import check
from dlrun.data.rows import OnDisk
from dlrun.plan import memory
from dlrun.plan.trunk import find_trunk
from dlrun.runs.folder import LAST, RESOLVED
from dlrun.tracking.open import open_tracking
from dlrun.training.lifecycle import trunk as computing
from dlrun.training.lifecycle.resume import resume

ROWS = 200
SPEC = """
data: {source: {npz: rows.npz}, features: %s, target: y, split: {validation: 0.2, test: 0.2}}
model: {%s, freeze: trunk, layers: [{sequential: {name: trunk, layers: [%s]}}, %s]}
loss: cross_entropy
metrics: [accuracy]
optimizer: {sgd: {lr: 0.05}}
train: {epochs: 4, batch_size: 16}
"""
TAIL = "{dropout: 0.3}, {linear: 16}, batch_norm, relu, {linear: 4}"
IMAGE = ("x", "input: [3, 8, 8]")
WORDS = ("words", "input: [12]")
EMBEDDING = "{embedding: {num_embeddings: 20, embedding_dim: 12, padding_idx: 0}}"
CONV = "{conv2d: {out_channels: 8, kernel_size: 3, padding: same}}"
NETWORKS = {
    "convolutions": (*IMAGE, f"{CONV}, batch_norm, relu, {{max_pool2d: 2}}, {CONV}, relu, flatten", TAIL),
    "an image": (*IMAGE, f"{CONV}, batch_norm, {{dropout2d: 0}}, {{max_pool2d: 4}}", f"{CONV}, relu, flatten, {TAIL}"),
    "padding": (*WORDS, f"{EMBEDDING}, {{gru: {{hidden_size: 8, output: sequence}}}}", "{gru: 8}, {linear: 4}"),
    "attention": (
        *WORDS,
        f"{EMBEDDING}, {{transformer_encoder_layer: {{nhead: 2, dim_feedforward: 16, dropout: 0}}}}",
        "{multihead_attention: 2}, {select: -1}, {linear: 4}",
    ),
}


@pytest.fixture(autouse=True)
def _rows(tmp_path: Path) -> None:
    draw = np.random.default_rng(3)
    words = draw.integers(1, 20, (ROWS, 12))
    words[np.arange(12) >= draw.integers(3, 13, ROWS)[:, None]] = 0
    x = draw.normal(size=(ROWS, 3, 8, 8)).astype("f4")
    np.savez(tmp_path / "rows.npz", x=x, words=words, y=draw.integers(0, 4, ROWS), z=draw.normal(size=ROWS))


def both_ways(
    folder: Path, text: str, monkeypatch: pytest.MonkeyPatch, *overrides: str
) -> tuple[networks.Trained, networks.Trained]:
    """The training with the trunk computed once, and that without."""
    once = networks.train(folder, text, *overrides)
    assert once.ready.task.head is not None
    with monkeypatch.context() as patch:
        patch.setattr(computing, "trunk", lambda *_: None)
        plain = networks.train(folder, text, *overrides)
    assert plain.ready.task.head is None
    return once, plain


def timeless(done: networks.Trained) -> list[dict[str, float]]:
    return [{name: value for name, value in epoch.items() if name != "time/epoch"} for epoch in done.epochs]


def last(done: networks.Trained) -> dict[str, torch.Tensor]:
    assert done.state.last_weights is not None
    return done.state.last_weights


def assert_same(once: networks.Trained, plain: networks.Trained, atol: float = 1e-6) -> None:
    for one, other in zip(timeless(once), timeless(plain), strict=True):
        assert one == pytest.approx(other, rel=atol, abs=atol)
    for name, weight in last(once).items():
        torch.testing.assert_close(weight, last(plain)[name], rtol=atol, atol=atol, msg=name)


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize(
    "override",
    [
        "train.device=cpu",
        "train.batch_size=full",
        "train.accumulate=2",
        "train.average={swa: 1 epoch}",
        "train.early_stopping={patience: 1}",
        "data.split={validation: 0.2, test: 0}",
        "data.split={validation: 0.2, test: 0.2, train_on_validation: true}",
    ],
)
def test_a_training_gives_the_numbers_of_one_that_computes_the_trunk_in_each_step(
    network: str, override: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert_same(*both_ways(tmp_path, SPEC % NETWORKS[network], monkeypatch, override))


@pytest.mark.parametrize("network", NETWORKS)
def test_in_bfloat16_too(network: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    once, plain = both_ways(tmp_path, SPEC % NETWORKS[network], monkeypatch, "train.precision=bfloat16")
    assert_same(once, plain, 1e-3)
    if network == "convolutions":
        (values,) = once.ready.task.data.train.batch(slice(0, 3)).inputs
        assert values.dtype == torch.bfloat16


SEVERAL = """
data:
  source: {npz: rows.npz}
  features: {x: x, words: words}
  target: {kind: y, size: z}
  split: {validation: 0.2, test: 0.2}
model:
  inputs: {words: [12], x: [3, 8, 8]}
  outputs: [kind, size]
  freeze: [trunk, twice]
  layers:
    - embedding: {num_embeddings: 20, embedding_dim: 6}
    - sequential: {name: read, layers: [flatten, linear: 8]}
    - input: x
    - sequential: {name: trunk, layers: [flatten, linear: 8, tanh]}
    - linear: {name: twice, out_features: 8}
    - concat: [[], read]
    - linear: {name: mixed, out_features: 8}
    - use: twice
    - linear: {name: kind, out_features: 4}
    - concat: [{from: twice}, {from: mixed}]
    - sequential: {name: size, layers: [linear: 1]}
loss: [cross_entropy: {output: kind}, mse: {output: size, coefficient: 0.5}]
regularizers: [l1: {coefficient: 0.01, output: mixed}, l2: 0.01]
optimizer: {sgd: {lr: 0.05}}
train: {epochs: 4, batch_size: 16}
"""


def test_several_inputs_and_outputs_and_a_layer_that_is_used_again_behind_the_trunk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    once, plain = both_ways(tmp_path, SEVERAL, monkeypatch)
    assert_same(once, plain)
    words, values = once.ready.task.data.train.batch(slice(0, 5)).inputs
    assert words.dtype == torch.int64 and words.shape == (5, 12)
    assert values.shape == (5, 8)


AUTOENCODER = """
data: {source: {npz: rows.npz}, features: x, target: none, split: {validation: 0.2, test: 0.2}}
model:
  input: [3, 8, 8]
  freeze: trunk
  layers:
    - sequential: {name: trunk, layers: [flatten, linear: 12, relu]}
    - linear: 192
    - reshape: [3, 8, 8]
loss: {mse: input}
metrics: [mae]
optimizer: {sgd: {lr: 0.05}}
train: {epochs: 3, batch_size: 16}
"""


def test_a_loss_that_compares_with_the_input_still_has_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    once, plain = both_ways(tmp_path, AUTOENCODER.replace(", target: none", ""), monkeypatch)
    assert_same(once, plain)
    assert [value.shape[1:] for value in once.ready.task.data.train.batch(slice(0, 5)).inputs] == [(3, 8, 8), (12,)]


def test_a_penalty_on_padded_values_of_the_head_leaves_the_padding_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trunk = f"{EMBEDDING}, {{gru: {{hidden_size: 8, output: sequence}}}}"
    text = SPEC % (*WORDS, trunk, "{linear: {name: steps, out_features: 6}}, {select: -1}, {linear: 4}")
    once, plain = both_ways(tmp_path, text, monkeypatch, "regularizers=[l1: {coefficient: 1, output: steps}]")
    assert_same(once, plain, 1e-5)
    assert once.epochs[0]["train/penalty"] > 0
    kept = once.ready.task.data.train.batch(slice(0, 7)).inputs
    found = find_trunk(once.ready.plan)
    assert found is not None and sum(value.nbytes for value in kept) <= 7 * found.row_bytes


def test_the_logits_of_a_sigmoid_come_from_the_head(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = SPEC % (*IMAGE, "flatten, {linear: 8}, relu", "{linear: 1}, sigmoid")
    text = text.replace("target: y", "target: z").replace("cross_entropy", "binary_cross_entropy")
    rows = dict(np.load(tmp_path / "rows.npz"))
    np.savez(tmp_path / "rows.npz", **{**rows, "z": (rows["y"] > 1).astype("f4")})
    assert_same(*both_ways(tmp_path, text, monkeypatch))


def test_weights_that_are_frozen_for_a_time_are_a_trunk_until_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text, until = SPEC % NETWORKS["convolutions"], "model.freeze={names: trunk, until: 2 epochs}"
    frozen = networks.train(tmp_path, text, "train.epochs=2")
    once, plain = both_ways(tmp_path, text, monkeypatch, until)
    assert_same(once, plain, 1e-5)
    assert timeless(once)[:2] == timeless(frozen)  # to the bit
    assert not torch.equal(*(last(done)["trunk.conv2d_1.weight"] for done in (once, frozen)))


def test_steps_are_captured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    codes = networks.two_ways(tmp_path, SPEC % NETWORKS["convolutions"], monkeypatch)
    assert codes and all(code is not None for code in codes)


def found(folder: Path, text: str, *overrides: str) -> bool:
    """Whether the trunk is computed once."""
    setup = networks.prepare_training(networks.checked(folder, text, *overrides))
    return computing.compute_trunk(setup, Silent()).task.head is not None


@pytest.mark.parametrize(
    "override",
    [
        "train.steps=7",
        "model.freeze=null",
        "model.freeze='trunk.conv2d_2'",
        "model.freeze='trunk.*.weight'",
        "data.augment=[random_horizontal_flip]",
    ],
)
def test_what_changes_from_epoch_to_epoch_or_is_not_seen_once_is_no_trunk(override: str, tmp_path: Path) -> None:
    text = (SPEC % NETWORKS["convolutions"]).replace("train: {epochs: 4, ", "train: {")
    for whole in ("train.epochs=1", "train.epochs=4", "train.steps=8", "model.freeze={names: trunk, until: 5 steps}"):
        assert found(tmp_path, text, whole)  # a training of whole epochs may be made longer
    assert not found(tmp_path, text, override)


@pytest.mark.parametrize(
    ("trunk", "is_found"),
    [
        ("flatten, relu", False),
        ("{conv2d: {out_channels: 8, kernel_size: 1}}", False),  # three products for each number that is kept
        ("flatten, {linear: 8}", True),
        ("{dropout: 0.1}, flatten, {linear: 8}", False),
        ("flatten, {linear: 8}, {dropout: 0.1}", True),
    ],
)
def test_only_what_takes_time_is_computed_once(trunk: str, is_found: bool, tmp_path: Path) -> None:
    head = "flatten, {linear: 4}"
    text = (SPEC % (*IMAGE, trunk, head)).replace("freeze: trunk", "freeze: '*trunk*'")
    if "linear: 8" not in trunk and "conv2d" not in trunk:
        text = text.replace("freeze: '*trunk*', ", "")
    assert found(tmp_path, text) == is_found


def test_values_that_take_too_much_memory_are_not_kept_and_check_counts_those_that_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = SPEC % NETWORKS["convolutions"]
    most = ROWS * 8 * 4 * 4 * 4
    for limit, is_found in ((most - 1, False), (most, True)):
        monkeypatch.setitem(memory.IN_MEMORY, "cpu", limit)
        assert found(tmp_path, text) == is_found
        counted = networks.checked(tmp_path, text).memory.data
        monkeypatch.setitem(memory.IN_MEMORY, "cpu", 0)
        assert counted - networks.checked(tmp_path, text).memory.data == (most if is_found else 0)


def test_rows_that_stay_in_their_file_are_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = dict(np.load(tmp_path / "rows.npz"))
    for name in ("x", "y"):
        np.save(tmp_path / f"{name}.npy", rows[name])
    text = (SPEC % NETWORKS["convolutions"]).replace("{npz: rows.npz}", "{npy: [x.npy, y.npy]}")
    monkeypatch.setitem(memory.IN_MEMORY, "cpu", ROWS * 8 * 4 * 4 * 4)
    once, plain = both_ways(tmp_path, text, monkeypatch)
    assert_same(once, plain)
    assert isinstance(once.ready.task.given.train, OnDisk) and isinstance(plain.ready.task.data.train, OnDisk)
    assert not isinstance(once.ready.task.data.train, OnDisk)


def test_inputs_that_stay_in_their_file_are_there_where_a_loss_compares_with_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.save(tmp_path / "x.npy", np.load(tmp_path / "rows.npz")["x"])
    monkeypatch.setitem(memory.IN_MEMORY, "cpu", ROWS * 12 * 4)
    text = AUTOENCODER.replace("{npz: rows.npz}, features: x, target: none", "{npy: x.npy}")
    once, plain = both_ways(tmp_path, text, monkeypatch)
    assert_same(once, plain)
    assert isinstance(once.ready.task.data.train, OnDisk)


def test_baselines_get_the_inputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own: list[Any] = []
    text = SPEC % NETWORKS["convolutions"] + "baselines: [majority, k_nearest_neighbors]\ntracking: off\n"
    for trunk in (computing.trunk, lambda *_: None):
        monkeypatch.setattr(computing, "trunk", trunk)
        done = run_silently(networks.checked(tmp_path, text), tmp_path / "runs")
        assert done.comparison is not None
        own.append({result.name: result.metrics for result in done.comparison.results})
    assert own[0] == own[1] and len(own[0]) == 2


def test_the_screen_says_it_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from dlrun.commands.train.run_screen import RunScreen

    checked = networks.checked(tmp_path, SPEC % NETWORKS["convolutions"])
    computing.compute_trunk(networks.prepare_training(checked), RunScreen(checked))
    assert re.findall(r"trunk.*", capsys.readouterr().out) == ["trunk   frozen: computed once for each of 200 rows"]


@pytest.mark.parametrize("freeze", ["trunk", "{names: trunk, until: 12 steps}"])
def test_a_run_that_is_made_longer_ends_in_the_bits_of_one_that_was_so_long(freeze: str, tmp_path: Path) -> None:
    text = SPEC % NETWORKS["convolutions"] + "baselines: off\ntracking: off\n"

    def begun(epochs: int) -> Path:
        longer = networks.checked(tmp_path, text, f"model.freeze={freeze}", f"train.epochs={epochs}")
        return run_silently(longer, tmp_path / str(epochs)).folder

    short, whole = begun(2), begun(5)
    longer = check(short / RESOLVED, ["train.epochs=5"], training=True)
    with open_tracking(longer.experiment.tracking, tmp_path) as tracking:
        resume(short, longer, Silent(), tracking)
    assert (short / LAST).read_bytes() == (whole / LAST).read_bytes()
