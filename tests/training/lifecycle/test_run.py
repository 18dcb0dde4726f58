"""Whole runs: what they compute, keep and promise."""

import json
import math
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from mlflow import MlflowClient
from networks import checked, rows_of
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode
from watching import run_silently

from dlrun.checks.check import check
from dlrun.errors import RunError, SpecError
from dlrun.network.files import load_network
from dlrun.runs.journal import read_journal
from dlrun.training.lifecycle.run import Outcome
from dlrun.training.lifecycle.setup import prepare_training
from dlrun.training.order import Order

WINE = """
name: wine
seed: 3
data:
  source: {sklearn: wine}
  split: {validation: 0.2, test: 0.2, stratify: true}
  preprocess: [standardize]
model:
  layers: [{linear: 16}, relu, {dropout: 0.2}, {linear: $classes}]
loss: cross_entropy
metrics: [accuracy]
optimizer: {adam: {lr: 0.01}}
train: {epochs: 4, batch_size: 32, device: cpu}
tracking: off
"""


@pytest.fixture
def train(tmp_path: Path):
    def trained(*overrides: str, text: str = WINE) -> Outcome:
        file = tmp_path / "spec.yaml"
        file.write_text(text)
        return run_silently(check(file, overrides, training=True), tmp_path / "runs")

    return trained


def test_two_runs_of_one_spec_give_the_same_bits(train) -> None:
    first, second = train().folder, train().folder
    for name in ("best.safetensors", "last.safetensors", "preprocess.safetensors"):
        one, other = load_file(first / name), load_file(second / name)
        assert one.keys() == other.keys()
        assert all(torch.equal(one[key], other[key]) for key in one)
    drop = ("time/epoch",)
    a, b = (
        [{k: v for k, v in r.metrics.items() if k not in drop} for r in read_journal(f / "metrics.jsonl")]
        for f in (first, second)
    )
    assert a == b


def test_another_seed_gives_other_bits(train) -> None:
    one, other = (load_file(train(f"seed={seed}").folder / "last.safetensors") for seed in (1, 2))
    assert not torch.equal(one["linear_1.weight"], other["linear_1.weight"])


def test_the_loop_computes_what_a_plain_torch_loop_computes(train, tmp_path: Path) -> None:
    overrides = ["model.layers=[{linear: {out_features: 16, regularizers: [l2: 0.01]}}, tanh, {linear: 3}]"]
    rising = "{linear: {of: betas.0, start_factor: 0, end_factor: 1}}"
    others = (
        "{linear: {of: '*.l2.coefficient', end_factor: 5}}, {step: {of: loss.coefficient, step_size: 1, gamma: 0.5}}"
    )
    overrides += [f"schedule=[{{exponential: 0.9}}, {rising}, {others}]", "train.clip_grad_norm=0.5", "metrics=[]"]
    outcome = train(*overrides)
    loaded = rows_of(check(tmp_path / "spec.yaml", overrides))

    rows, classes = loaded.features["input"], torch.as_tensor(loaded.targets["target"].values).long()
    own = rows[loaded.splits.train]
    x = torch.tensor((own - own.mean(0)) / own.std(0), dtype=torch.float32)
    y = classes[loaded.splits.train]
    torch.manual_seed(3)
    network = nn.Sequential(nn.Linear(13, 16), nn.Tanh(), nn.Linear(16, 3))
    optimizer = torch.optim.Adam(network.parameters(), 0.01)
    steps = math.ceil(len(x) / 32)
    for epoch in range(4):
        order = Order(3, epoch, len(x), torch.device("cpu")).part(0, len(x))
        for step in range(steps):
            optimizer.param_groups[0]["lr"] = 0.01 * 0.9 ** (epoch + step / steps)
            optimizer.param_groups[0]["betas"] = (0.9 * (epoch * steps + step) / (4 * steps), 0.999)
            index = order[step * 32 : (step + 1) * 32]
            optimizer.zero_grad()
            loss = functional.cross_entropy(network(x[index]), y[index])
            share = (epoch * steps + step) / (4 * steps)
            (0.5**epoch * loss + 0.01 * (1 + 4 * share) * network[0].weight.square().sum()).backward()
            nn.utils.clip_grad_norm_(network.parameters(), 0.5)
            optimizer.step()

    last = load_file(outcome.folder / "last.safetensors")
    for name, parameter in (("linear_1", network[0]), ("linear_2", network[2])):
        torch.testing.assert_close(last[f"{name}.weight"], parameter.weight.detach(), rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(last[f"{name}.bias"], parameter.bias.detach(), rtol=1e-4, atol=1e-5)


def test_a_saved_network_takes_raw_rows_and_gives_the_test_metrics(train, tmp_path: Path) -> None:
    outcome = train("data.preprocess=[standardize, {pca: 0.9}]")
    loaded = rows_of(check(tmp_path / "spec.yaml"))
    network = load_network(outcome.folder, "last")
    rows = torch.as_tensor(loaded.features["input"][loaded.splits.test])
    target = torch.as_tensor(loaded.targets["target"].values[loaded.splits.test]).long()
    with torch.no_grad():
        output = network(rows)
    assert functional.cross_entropy(output, target).item() == pytest.approx(outcome.test["loss"], rel=1e-5)
    assert (output.argmax(1) == target).double().mean().item() == outcome.test["accuracy"]


def test_a_saved_network_can_be_loaded_where_its_data_is_gone(train, tmp_path: Path) -> None:
    rows = "\n".join(f"{i},{i % 7},{'ab'[i % 2]}" for i in range(40))
    (tmp_path / "rows.csv").write_text("x,y,class\n" + rows + "\n")
    outcome = train("data.source={csv: rows.csv}", "data.target=class", "data.preprocess=[minmax]")
    (tmp_path / "rows.csv").unlink()
    assert load_network(outcome.folder)(torch.zeros(5, 2)).shape == (5, 2)
    assert json.loads((outcome.folder / "labels.json").read_text()) == ["a", "b"]


def test_the_resolved_spec_trains_to_the_same_bits(train, tmp_path: Path) -> None:
    outcome = train("optimizer.adam.lr=0.003")
    resolved = (outcome.folder / "resolved.yaml").read_text()
    again = train(text=resolved)
    one, other = (load_file(o.folder / "last.safetensors") for o in (outcome, again))
    assert all(torch.equal(one[key], other[key]) for key in one)
    assert (again.folder / "resolved.yaml").read_text() == resolved


def test_early_stopping_stops_after_its_patience_and_brings_the_best_weights_back(train) -> None:
    outcome = train("train.epochs=200", "train.early_stopping.patience=3", "optimizer.adam.lr=0.1")
    records = read_journal(outcome.folder / "metrics.jsonl")
    losses = [r.metrics["validation/loss"] for r in records if "validation/loss" in r.metrics]
    best = min(range(len(losses)), key=losses.__getitem__) + 1
    assert outcome.state.stopped_early and outcome.state.best_epoch == best
    assert len(losses) == best + 3
    # The test was measured with the best weights, not with the last.
    network, last = load_network(outcome.folder, "best"), load_network(outcome.folder, "last")
    assert not torch.equal(network.state_dict()["linear_1.weight"], last.state_dict()["linear_1.weight"])


def test_early_stopping_on_a_metric_wants_it_to_rise(train) -> None:
    outcome = train("train.epochs=30", "train.early_stopping={monitor: validation/accuracy, patience: 4}")
    metrics = [r.metrics.get("validation/accuracy", -1) for r in read_journal(outcome.folder / "metrics.jsonl")]
    assert outcome.state.best_value == max(metrics)


def test_the_test_rows_are_touched_once_at_the_end(train) -> None:
    records = read_journal(train().folder / "metrics.jsonl")
    assert [any(name.startswith("test/") for name in r.metrics) for r in records] == [False] * 4 + [True]


def test_every_epoch_has_its_metrics_under_stable_names(train) -> None:
    records = read_journal(train().folder / "metrics.jsonl")
    assert [r.epoch for r in records] == [1, 2, 3, 4, 4]
    assert set(records[0].metrics) == {
        "train/loss",
        "train/accuracy",
        "validation/loss",
        "validation/accuracy",
        "time/epoch",
        "lr",
    }
    assert set(records[-1].metrics) == {"test/loss", "test/accuracy"}


def test_penalties_are_metrics_of_their_own(train) -> None:
    records = read_journal(train("regularizers=[l2: 0.5]", "optimizer={sgd: {lr: 1e-9}}").folder / "metrics.jsonl")
    assert records[0].metrics["train/penalty"] > 0.5
    plain = read_journal(train("optimizer={sgd: {lr: 1e-9}}").folder / "metrics.jsonl")
    assert records[0].metrics["train/loss"] == pytest.approx(plain[0].metrics["train/loss"], rel=1e-3)


def test_a_loss_that_is_no_number_ends_the_run_with_epoch_and_step(train, tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"the loss became (nan|inf) in epoch \d+, step \d+"):
        train("optimizer={sgd: {lr: 1e20}}", "train.epochs=20")
    (folder,) = (tmp_path / "runs").iterdir()
    assert json.loads((folder / "run.json").read_text())["status"] == "FAILED"
    assert not (folder / "last.safetensors").exists()  # they are no numbers any more


def test_steps_end_training_inside_an_epoch(train) -> None:
    outcome = train("train.epochs=null", "train.steps=6")
    assert outcome.state.step == 6
    assert outcome.state.epoch == 2  # 106 training rows are 4 batches of 32


@pytest.mark.parametrize(("setting", "steps"), [("train.batch_size=full", 4), ("train.drop_last=true", 12)])
def test_batches_are_all_rows_or_whole_ones(train, setting, steps) -> None:
    assert train(setting).state.step == steps


def test_one_row_a_batch_works(train) -> None:
    assert train("train.batch_size=1", "train.epochs=1").state.step == 106


def test_frozen_weights_stay_as_they_started(train) -> None:
    before = load_file(train("train.steps=1", "train.epochs=null", "model.freeze=linear_1").folder / "last.safetensors")
    after = load_file(train("model.freeze=linear_1").folder / "last.safetensors")
    assert torch.equal(before["linear_1.weight"], after["linear_1.weight"])
    assert not torch.equal(before["linear_2.weight"], after["linear_2.weight"])


def test_a_run_starts_from_another_runs_weights(train) -> None:
    first = train()
    again = train(
        f"model.weights={first.folder / 'last.safetensors'}", "optimizer={sgd: {lr: 1e-12}}", "train.epochs=1"
    )
    one, other = (load_file(o.folder / "last.safetensors") for o in (first, again))
    torch.testing.assert_close(one["linear_1.weight"], other["linear_1.weight"])


def test_validation_and_test_rows_never_reach_what_is_fitted(train, tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    x, y = generator.normal(size=(200, 6)), np.arange(200) % 3
    data = "data={source: {npz: rows.npz}, features: x, target: y, preprocess: [standardize, {pca: 4}, lda]}"
    np.savez(tmp_path / "rows.npz", x=x, y=y)
    first = train(data)
    splits = rows_of(check(tmp_path / "spec.yaml", [data])).splits
    x[splits.validation] = 1e6
    x[splits.test] *= -50
    np.savez(tmp_path / "rows.npz", x=x, y=y)
    second = train(data)
    one, other = (load_file(o.folder / "preprocess.safetensors") for o in (first, second))
    assert len(one) == 6
    assert all(torch.equal(one[key], other[key]) for key in one)


def test_a_run_folder_says_what_the_run_was(train) -> None:
    outcome = train()
    about = json.loads((outcome.folder / "run.json").read_text())
    assert about["status"] == "FINISHED"
    assert about["test"] == outcome.test
    assert {"dlrun.version", "torch.version", "spec.hash", "data.hash", "split.hash"} <= about["tags"].keys()
    assert (outcome.folder / "spec.yaml").read_text() == WINE
    assert "linear_1" in (outcome.folder / "params.txt").read_text()
    assert not list(outcome.folder.glob(".*"))


def test_a_missing_gpu_is_reported(train) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is one")
    with pytest.raises(SpecError, match="sees no GPU"):
        train("train.device=cuda")


def test_a_sequence_of_indices_trains_through_embedding_and_lstm(train, tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    x = generator.integers(0, 9, size=(120, 5))
    np.savez(tmp_path / "words.npz", x=x, y=(x[:, 0] > 4).astype(int))
    text = """
name: words
data: {source: {npz: words.npz}, features: x, target: y}
model: {layers: [{embedding: {num_embeddings: $vocabulary, embedding_dim: 8}}, {lstm: 16}, {linear: 1}]}
loss: binary_cross_entropy
metrics: [accuracy, f1, roc_auc]
optimizer: {adam: {lr: 0.02}}
train: {epochs: 15, batch_size: 16, device: cpu}
tracking: off
"""
    outcome = train(text=text)
    assert outcome.test["accuracy"] > 0.8
    assert load_network(outcome.folder)(torch.as_tensor(x[:4])).shape == (4, 1)


@pytest.mark.parametrize("final", ["{linear: 1}", "{linear: 1}, sigmoid"])
def test_binary_cross_entropy_reads_logits_and_probabilities_alike(train, final) -> None:
    text = f"""
data: {{source: {{sklearn: breast_cancer}}, preprocess: [standardize], split: {{stratify: true}}}}
model: {{layers: [{{linear: 16}}, relu, {final}], init: xavier_uniform, bias_init: zeros}}
loss: binary_cross_entropy
metrics: [accuracy, roc_auc]
optimizer: {{adam: {{lr: 0.01}}}}
train: {{epochs: 8, device: cpu}}
tracking: off
"""
    outcome = train(text=text)
    assert outcome.test["accuracy"] > 0.93
    assert outcome.test["roc_auc"] > 0.97


@pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy")  # MLflow's own way of asking SQLAlchemy
def test_a_run_is_in_mlflow_with_everything_to_compare_it_by(train, tmp_path: Path) -> None:
    outcome = train("tracking=null", "optimizer.adam.lr=0.003", "description=a try")
    assert outcome.undelivered == ""
    client = MlflowClient(f"sqlite:///{tmp_path}/runs/mlflow.db")
    experiment = client.get_experiment_by_name("wine")
    (found,) = client.search_runs([experiment.experiment_id])
    assert (found.info.status, found.info.run_name) == ("FINISHED", "wine lr=0.003")
    params = found.data.params
    assert (params["optimizer"], params["optimizer.lr"], params["model.layers.0"]) == ("adam", "0.003", "linear")
    assert (params["model.layers.0.out_features"], params["data.source.name"]) == ("16", "wine")
    history = client.get_metric_history(found.info.run_id, "validation/accuracy")
    assert [entry.step for entry in history] == [1, 2, 3, 4]
    assert found.data.metrics["test/accuracy"] == outcome.test["accuracy"]
    assert {"train/loss", "validation/loss", "time/epoch", "lr"} <= found.data.metrics.keys()
    assert {"spec.hash", "data.hash", "split.hash", "torch.version", "mlflow.note.content"} <= found.data.tags.keys()
    texts = {file.path for file in client.list_artifacts(found.info.run_id)}
    assert texts == {"spec.yaml", "resolved.yaml", "params.txt", "network.svg", "network"}
    (data,) = found.inputs.dataset_inputs
    assert data.dataset.name == "wine"


@pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy")  # MLflow's own way of asking SQLAlchemy
def test_a_run_that_fails_has_failed_in_mlflow_too(train, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="the loss became"):
        train("tracking=null", "optimizer={sgd: {lr: 1e20}}", "train.epochs=20")
    client = MlflowClient(f"sqlite:///{tmp_path}/runs/mlflow.db")
    (found,) = client.search_runs([client.get_experiment_by_name("wine").experiment_id])
    assert found.info.status == "FAILED"


class Reads(TorchDispatchMode):
    """Counts the operations that bring a number from the device to the host."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.count += func.overloadpacket.__name__ in ("_local_scalar_dense", "item", "is_nonzero", "nonzero", "equal")
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize(
    "overrides",
    [
        ["metrics=[accuracy, f1, roc_auc]", "regularizers=[l1: 0.1, l2: 0.1]", "train.clip_grad_norm=1.0"],
        ["optimizer={sgd: {lr: 0.01, momentum: 0.9}}", "schedule={cosine_annealing: {warmup: 1 epoch}}"],
        ["optimizer=rmsprop", "model.layers[1]=batch_norm"],
    ],
    ids=["metrics and penalties", "schedule", "batch norm"],
)
def test_nothing_in_a_step_waits_for_the_device(train, monkeypatch, overrides) -> None:
    monkeypatch.setattr("dlrun.training.loop.REPORT_EVERY", 1e9)
    # Captured code cannot wait: what reads a number back is not captured. To capture it looks once a size of batch.
    monkeypatch.setattr("dlrun.training.speed.capture.AFTER", sys.maxsize)
    counts = []
    for batch in (32, 8):  # 4 and 14 steps an epoch
        with Reads() as reads:
            train(*overrides, f"train.batch_size={batch}", "train.epochs=3")
        counts.append(reads.count)
    assert counts[0] == counts[1]


SEVERAL = """
name: several
seed: 4
data:
  source: {npz: rows.npz}
  features: {words: words, table: table}
  target: {kind: kind, size: size}
  split: {validation: 0.2, test: 0.2}
  preprocess: [{standardize: {input: table}}]
model:
  outputs: [kind, size]
  layers:
    - embedding: {num_embeddings: $vocabulary, embedding_dim: 3}
    - flatten
    - concat: {branches: [[], table], name: both}
    - linear: {name: kind, out_features: $classes}
    - input: both
    - linear: {name: size, out_features: 1}
loss: [{cross_entropy: {output: kind}}, {mse: {output: size, coefficient: 0.5}}]
metrics: [{accuracy: {output: kind}}]
optimizer: {adam: {lr: 0.05}}
train: {epochs: 3, device: cpu}
tracking: off
"""


def test_a_run_with_several_inputs_and_outputs_is_saved_for_raw_rows_of_each(train, tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    words, table = generator.integers(0, 6, size=(80, 4)), generator.normal(50, 20, size=(80, 2))
    rows = {"words": words, "table": table, "kind": np.array(list("abc"))[words[:, 0] % 3], "size": table.sum(1)}
    np.savez(tmp_path / "rows.npz", **rows)
    outcome = train(text=SEVERAL)
    loaded = rows_of(check(tmp_path / "spec.yaml"))
    test = loaded.splits.test
    (tmp_path / "rows.npz").unlink()
    network = load_network(outcome.folder, "last")
    with torch.no_grad():
        given = network(torch.tensor(words[test]), torch.tensor(table[test]))
    kind, size = (torch.tensor(loaded.targets[name].values[test]) for name in ("kind", "size"))
    losses = (
        functional.cross_entropy(given["kind"], kind.long()).item(),
        functional.mse_loss(given["size"], size).item(),
    )
    assert outcome.test == {
        "loss": pytest.approx(losses[0] + 0.5 * losses[1], rel=1e-5),
        "kind/cross_entropy": pytest.approx(losses[0], rel=1e-5),
        "size/mse": pytest.approx(losses[1], rel=1e-5),
        "kind/accuracy": (given["kind"].argmax(1) == kind).double().mean().item(),
    }
    assert json.loads((outcome.folder / "labels.json").read_text()) == ["a", "b", "c"]
    np.savez(tmp_path / "rows.npz", **rows)
    again = train(text=(outcome.folder / "resolved.yaml").read_text())
    one, other = (load_file(o.folder / "last.safetensors") for o in (outcome, again))
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_the_features_are_let_go_of_once_they_are_on_the_device(tmp_path: Path) -> None:
    setup = prepare_training(checked(tmp_path, WINE))
    assert setup.loaded.features == {}
    assert setup.loaded.rows == 178  # scikit-learn's wines
    assert len(setup.task.data.train) == 178 - 2 * 36
