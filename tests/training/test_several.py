"""Networks with several inputs, several outputs and several losses: what they compute, tell and keep."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from networks import Trained, checked, train
from torch import nn
from torch.nn import functional

from dlrun.data.augment import Augmenter
from dlrun.data.batches import Batch
from dlrun.data.fit import modules_by_input
from dlrun.data.load import load
from dlrun.data.rows import InMemory
from dlrun.errors import SpecError
from dlrun.language.component import choose
from dlrun.language.resolved import as_yaml, resolved
from dlrun.network.preprocessing import as_tensors, with_preprocessing
from dlrun.training.loss_totals import LossError
from dlrun.training.order import Order

CPU = torch.device("cpu")
TWO = """
name: two
seed: 5
data:
  source: {npz: rows.npz}
  features: {words: words, table: table}
  target: {kind: kind, size: size}
  split: {validation: 0.2, test: 0.2}
  preprocess: [{standardize: {input: table}}]
model:
  inputs: {words: [4], table: [3]}
  outputs: [kind, size]
  layers:
    - embedding: {num_embeddings: 9, embedding_dim: 2}
    - flatten
    - concat: [[], table]
    - linear: {name: shared, out_features: 8}
    - tanh: {name: trunk}
    - linear: {name: kind, out_features: 3}
    - input: trunk
    - linear: {name: size, out_features: 2}
loss:
  - cross_entropy: {output: kind}
  - mse: {output: size, coefficient: 0.25}
metrics: [{accuracy: {output: kind}}, {r2: {output: size}}]
optimizer: {sgd: {lr: 0.1, momentum: 0.9}}
train: {epochs: 3, batch_size: 16}
tracking: off
"""
"""Indices and a table in; a class and two numbers out."""


@pytest.fixture
def rows(tmp_path: Path) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(1)
    words = generator.integers(0, 9, size=(100, 4))
    table = generator.normal(size=(100, 3)) * [1, 10, 100] + 5
    size = np.stack([table[:, 0] - 5, (table[:, 1] - 5) / 10 + words[:, 0] / 9], 1)
    found = {"words": words, "table": table, "kind": words[:, 1] % 3, "size": size}
    np.savez(tmp_path / "rows.npz", **found)
    return found


class Plain(nn.Module):
    """The network of `TWO`, written down in torch."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding_1 = nn.Embedding(9, 2)
        self.shared = nn.Linear(4 * 2 + 3, 8)
        self.kind = nn.Linear(8, 3)
        self.size = nn.Linear(8, 2)

    def forward(self, words: torch.Tensor, table: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        joined = torch.cat([self.embedding_1(words).flatten(1), table], 1)
        trunk = torch.tanh(self.shared(joined))
        return self.kind(trunk), self.size(trunk)


def standard(done: Trained, table: np.ndarray) -> np.ndarray:
    """The table brought to mean 0 and variance 1 over the training rows, as the network takes it."""
    own = table[done.ready.loaded.splits.train]
    return ((table - own.mean(0)) / own.std(0)).astype(np.float32)


class Reference:
    """The training of `TWO` in plain torch."""

    def __init__(self, done: Trained, rows: dict[str, np.ndarray]):
        self.words, self.table = torch.tensor(rows["words"]), torch.tensor(standard(done, rows["table"]))
        self.kind, self.size = torch.tensor(rows["kind"]), torch.tensor(rows["size"], dtype=torch.float32)
        self.splits = done.ready.loaded.splits
        torch.manual_seed(5)
        self.network = Plain()
        self.optimizer = torch.optim.SGD(self.network.parameters(), 0.1, 0.9)

    def losses(self, chosen: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        kind, size = self.network(self.words[chosen], self.table[chosen])
        return functional.cross_entropy(kind, self.kind[chosen]), functional.mse_loss(size, self.size[chosen])

    def epoch(self, epoch: int) -> dict[str, float]:
        """Train once over the rows; returns the metrics."""
        order = Order(5, epoch, len(self.splits.train), CPU)
        own = torch.tensor(self.splits.train)[order.part(0, len(order))]
        sums = [0.0, 0.0]
        for chosen in own.split(16):
            self.optimizer.zero_grad()
            found = self.losses(chosen)
            (found[0] + 0.25 * found[1]).backward()
            self.optimizer.step()
            sums = [before + one.item() * len(chosen) for before, one in zip(sums, found, strict=True)]
        kind, size = (one / len(own) for one in sums)
        with torch.no_grad():
            held = torch.tensor(self.splits.validation)
            validation = [one.item() for one in self.losses(held)]
            right = self.network(self.words[held], self.table[held])[0].argmax(1) == self.kind[held]
        return {
            "train/loss": kind + 0.25 * size,
            "train/kind/cross_entropy": kind,
            "train/size/mse": size,
            "validation/loss": validation[0] + 0.25 * validation[1],
            "validation/kind/cross_entropy": validation[0],
            "validation/size/mse": validation[1],
            "validation/kind/accuracy": right.double().mean().item(),
        }


def test_two_inputs_two_outputs_and_two_losses_train_as_plain_torch_does(tmp_path: Path, rows) -> None:
    done = train(tmp_path, TWO)
    reference = Reference(done, rows)
    for epoch, metrics in enumerate(done.epochs):
        expected = reference.epoch(epoch)
        assert {name: metrics[name] for name in expected} == pytest.approx(expected, rel=1e-5)
    weights = done.ready.network.state_dict()
    assert weights.keys() == reference.network.state_dict().keys()
    for name, weight in reference.network.state_dict().items():
        torch.testing.assert_close(weights[name], weight, rtol=1e-5, atol=1e-6)


def test_every_loss_and_metric_has_a_value_under_its_outputs_name(tmp_path: Path, rows) -> None:
    metrics = train(tmp_path, TWO).epochs[0]
    names = ["loss", "kind/cross_entropy", "size/mse", "kind/accuracy", "size/r2"]
    assert metrics.keys() == {f"{split}/{name}" for split in ("train", "validation") for name in names} | {
        "lr",
        "time/epoch",
    }


def test_one_loss_has_no_second_value_and_two_at_one_output_have_their_kinds(tmp_path: Path, rows) -> None:
    text = """
data: {source: {npz: rows.npz}, features: table, target: size, preprocess: [standardize]}
model: {layers: [{linear: 2}]}
loss: %s
optimizer: {sgd: {lr: 0.01}}
train: {epochs: 2}
tracking: off
"""
    alone = train(tmp_path, text % "mse").epochs
    assert not any("mse" in name for metrics in alone for name in metrics)
    both = train(tmp_path, text % "[{mse: {coefficient: 2}}, {l1: {coefficient: 0.5}}]").epochs
    for metrics in both:
        for split in ("train", "validation"):
            total = 2 * metrics[f"{split}/mse"] + 0.5 * metrics[f"{split}/l1"]
            assert metrics[f"{split}/loss"] == pytest.approx(total, rel=1e-6)


def test_a_coefficient_is_a_factor_of_the_gradient(tmp_path: Path, rows) -> None:
    text = """
data: {source: {npz: rows.npz}, features: table, target: size, preprocess: [standardize]}
model: {layers: [{linear: 2}]}
loss: {mse: {coefficient: %s}}
optimizer: {sgd: {lr: %s}}
train: {epochs: 2}
tracking: off
"""
    quarter = train(tmp_path, text % (0.25, 0.04)).ready.network.state_dict()
    whole = train(tmp_path, text % (1, 0.01)).ready.network.state_dict()
    assert all(torch.equal(quarter[name], whole[name]) for name in whole)


DEEP = """
seed: 2
data: {source: {npz: rows.npz}, features: table, target: kind, preprocess: [standardize]}
model:
  outputs: [early, late]
  layers:
    - linear: 6
    - tanh: {name: middle}
    - linear: {name: early, out_features: $classes}
    - input: middle
    - linear: 6
    - tanh
    - linear: {name: late, out_features: $classes}
loss: [{cross_entropy: {output: early, coefficient: 0.3}}, {cross_entropy: {output: late}}]
metrics: [{accuracy: {output: early}}, {accuracy: {output: late}}]
optimizer: {sgd: {lr: 0.1}}
train: {epochs: 1, batch_size: full}
tracking: off
"""
"""Deep supervision, as Lee and others have it (2015): one target for two outputs."""


def test_one_target_judges_several_outputs(tmp_path: Path, rows) -> None:
    done = train(tmp_path, DEEP)
    own = done.ready.loaded.splits.train
    x, y = torch.tensor(standard(done, rows["table"])[own]), torch.tensor(rows["kind"][own])
    torch.manual_seed(2)
    first, early, second, late = nn.Linear(3, 6), nn.Linear(6, 3), nn.Linear(6, 6), nn.Linear(6, 3)
    half = torch.tanh(first(x))
    losses = [functional.cross_entropy(early(half), y)]
    losses.append(functional.cross_entropy(late(torch.tanh(second(half))), y))
    total = 0.3 * losses[0] + losses[1]
    total.backward()
    (metrics,) = done.epochs
    reported = [metrics[f"train/{name}"] for name in ("loss", "early/cross_entropy", "late/cross_entropy")]
    assert reported == pytest.approx([total.item(), losses[0].item(), losses[1].item()], rel=1e-6)
    assert first.weight.grad is not None
    stepped = first.weight.detach() - 0.1 * first.weight.grad
    torch.testing.assert_close(done.ready.network.state_dict()["linear_1.weight"], stepped, rtol=1e-5, atol=1e-7)


def test_a_network_gives_its_outputs_by_name_and_one_output_as_it_is(tmp_path: Path, rows) -> None:
    both = train(tmp_path, DEEP).ready.network(torch.zeros(4, 3))
    assert {name: output.shape for name, output in both.items()} == {"early": (4, 3), "late": (4, 3)}
    text = """
data: {source: {npz: rows.npz}, features: table, target: kind}
model: {outputs: [late], layers: [{linear: 6}, {linear: {name: late, out_features: $classes}}]}
loss: cross_entropy
metrics: [accuracy]
optimizer: adam
train: {epochs: 1}
tracking: off
"""
    one = train(tmp_path, text)
    assert one.ready.network(torch.zeros(4, 3)).shape == (4, 3)
    assert one.epochs[0].keys() >= {"train/loss", "train/accuracy", "validation/loss"}


def test_the_only_output_can_be_any_named_layer(tmp_path: Path, rows) -> None:
    text = """
data: {source: {npz: rows.npz}, features: table, target: {place: size}}
model: {outputs: [place], layers: [{linear: {name: place, out_features: 2}}]}
loss: mse
metrics: [r2]
optimizer: adam
train: {epochs: 1}
tracking: off
"""
    assert {"train/r2", "validation/r2"} <= train(tmp_path, text).epochs[0].keys()


CSV = """
data:
  source: {csv: rows.csv}
  target: {flower: kind, height: tall}
  split: {validation: 0, test: 0}
model:
  outputs: [flower, height]
  layers: [{linear: {name: flower, out_features: 2}}, {input: input}, {linear: {name: height, out_features: 1}}]
loss: [{cross_entropy: {output: flower}}, {mse: {output: height}}]
optimizer: adam
train: {epochs: 1}
tracking: off
"""


@pytest.fixture
def table(tmp_path: Path) -> list[list[object]]:
    lines = [[i, i * i, "ab"[i % 2], i / 2, 10 - i] for i in range(12)]
    text = "\n".join(",".join(map(str, line)) for line in lines)
    (tmp_path / "rows.csv").write_text(f"one,two,kind,tall,three\n{text}\n")
    return lines


def test_what_is_predicted_is_no_feature_whichever_output_predicts_it(tmp_path: Path, table) -> None:
    found = checked(tmp_path, CSV)
    assert found.data_info is not None
    assert found.data_info.features["input"].shape == (3,)
    loaded = load(found.experiment.need("data"), found.data_info, 0)
    assert loaded.features["input"].tolist() == [[line[0], line[1], line[4]] for line in table]
    assert loaded.targets["flower"].labels == ("a", "b")
    assert loaded.targets["flower"].values.tolist() == [i % 2 for i in range(12)]
    assert (loaded.targets["height"].labels, loaded.targets["height"].values.dtype) == (None, np.float32)
    assert loaded.targets["height"].values.tolist() == [[i / 2] for i in range(12)]


def test_the_columns_of_a_csv_go_to_the_inputs_that_name_them(tmp_path: Path, table) -> None:
    features = "data.features={left: [three, one], right: two}"
    layers = "[{linear: {name: flower, out_features: 2}}, {input: right}, {linear: {name: height, out_features: 1}}]"
    found = checked(tmp_path, CSV, features, f"model.layers={layers}")
    assert found.data_info is not None
    assert found.plan.input_shapes == {"left": (2,), "right": (1,)}
    loaded = load(found.experiment.need("data"), found.data_info, 0)
    assert loaded.features["left"].tolist() == [[line[4], line[0]] for line in table]
    assert loaded.features["right"].tolist() == [[line[1]] for line in table]


def test_the_digest_covers_every_input_and_every_target(tmp_path: Path, rows) -> None:
    def digest() -> str:
        found = checked(tmp_path, TWO)
        assert found.data_info is not None
        return load(found.experiment.need("data"), found.data_info, 5).digest

    digests = {digest()}
    for name in rows:
        changed = rows | {name: np.concatenate([rows[name][1:], rows[name][:1]])}
        np.savez(tmp_path / "rows.npz", **changed)
        digests.add(digest())
    assert len(digests) == 5


def test_each_inputs_preprocessing_is_fitted_on_its_own_training_rows(tmp_path: Path) -> None:
    generator = np.random.default_rng(3)
    left, right = generator.normal(3, 2, size=(50, 4)), generator.normal(-7, 5, size=(50, 2))
    text = """
data:
  source: {npz: rows.npz}
  features: {left: left, right: right}
  target: y
  preprocess: [{standardize: {input: left}}, {minmax: {input: right}}, {pca: {n_components: 2, input: left}}]
model: {layers: [{concat: [[], right]}, {linear: 2}]}
loss: cross_entropy
optimizer: adam
train: {epochs: 1}
tracking: off
"""

    def learned() -> Trained:
        np.savez(tmp_path / "rows.npz", left=left, right=right, y=np.arange(50) % 2)
        return train(tmp_path, text)

    first = learned()
    splits = first.ready.loaded.splits
    names = {entry.name: [step.name for step in entry.preprocess] for entry in first.ready.plan.inputs}
    assert names == {"left": ["preprocess.standardize_1", "preprocess.pca_1"], "right": ["preprocess.minmax_1"]}
    held = first.ready.task.data.train.batch(slice(None)).inputs
    assert held[1].amin(0).tolist() == pytest.approx([0, 0], abs=1e-6)
    assert held[1].amax(0).tolist() == pytest.approx([1, 1], abs=1e-6)
    standardized = (left[splits.train] - left[splits.train].mean(0)) / left[splits.train].std(0)
    _, _, directions = np.linalg.svd(standardized - standardized.mean(0), full_matrices=False)
    projected = np.abs(standardized @ directions[:2].T)  # a direction's sign is free
    assert np.abs(held[0].numpy()) == pytest.approx(projected, abs=1e-5)
    for values in (left, right):
        values[splits.validation], values[splits.test] = 1e6, -1e6
    again = as_tensors(learned().ready.fitted)
    before = as_tensors(first.ready.fitted)
    assert before.keys() == again.keys()
    assert all(torch.equal(before[name], again[name]) for name in before)


def test_an_augmentation_changes_its_own_input_alone(tmp_path: Path, rows) -> None:
    augment = "data.augment=[{gaussian_noise: {std: 0.5, input: table}}]"
    done = train(tmp_path, TWO, augment)
    task = done.ready.task
    numbers = torch.arange(len(task.data.train))
    batch = task.augment(task.data.train, 1, numbers)
    words, table = task.data.train.batch(slice(None)).inputs
    assert torch.equal(batch.inputs[0], words)
    noise = batch.inputs[1] - table
    assert noise.std().item() == pytest.approx(0.5, rel=0.2)
    targets = task.data.train.batch(slice(None)).targets
    assert all(torch.equal(batch.targets[name], targets[name]) for name in ("kind", "size"))
    plain = train(tmp_path, TWO)
    assert done.epochs[0]["train/loss"] != plain.epochs[0]["train/loss"]


def test_two_inputs_draw_different_numbers_for_one_row(tmp_path: Path) -> None:
    np.savez(tmp_path / "rows.npz", a=np.zeros((40, 5)), b=np.zeros((40, 5)), y=np.arange(40) % 2)
    text = """
seed: 6
data:
  source: {npz: rows.npz}
  features: {a: a, b: b}
  target: y
  augment: [{gaussian_noise: {std: 1, input: a}}, {gaussian_noise: {std: 1, input: b}}]
model: {layers: [{concat: [[], b]}, {linear: 2}]}
loss: cross_entropy
optimizer: adam
train: {epochs: 1}
tracking: off
"""
    task = train(tmp_path, text).ready.task
    numbers = torch.arange(len(task.data.train))
    a, b = task.augment(task.data.train, 0, numbers).inputs
    assert not torch.equal(a, b)
    assert abs(torch.corrcoef(torch.stack([a.flatten(), b.flatten()]))[0, 1].item()) < 0.3
    alone = Augmenter([choose("augment", {"gaussian_noise": 1})], ["a"], 6)  # type: ignore[list-item]
    only = InMemory(Batch((torch.zeros(len(numbers), 5),), {}), "")
    assert torch.equal(alone(only, 0, numbers).inputs[0], a)  # the first is as an only one is


def test_a_network_behind_its_preprocessing_takes_raw_rows_of_every_input(tmp_path: Path, rows) -> None:
    done = train(tmp_path, TWO)
    ready = done.ready
    whole = with_preprocessing(ready.network, ready.plan, modules_by_input(ready.plan, ready.fitted)).eval()
    test = ready.loaded.splits.test
    with torch.no_grad():
        raw = whole(torch.tensor(rows["words"][test]), torch.tensor(rows["table"][test]))
        named = whole(table=torch.tensor(rows["table"][test]), words=torch.tensor(rows["words"][test]))
        prepared = ready.network.eval()(*ready.task.data.test.batch(slice(None)).inputs)
    for name in ("kind", "size"):
        assert torch.equal(raw[name], prepared[name])
        assert torch.equal(raw[name], named[name])


def test_the_resolved_spec_of_several_inputs_and_outputs_trains_to_the_same_bits(tmp_path: Path, rows) -> None:
    first = train(tmp_path, TWO)
    checked = first.ready.checked
    text = as_yaml(resolved(checked.experiment, tmp_path, first.ready.plan.input_shapes))
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    again = train(elsewhere, text)
    one, other = first.ready.network.state_dict(), again.ready.network.state_dict()
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert as_yaml(resolved(again.ready.checked.experiment, elsewhere, again.ready.plan.input_shapes)) == text


@pytest.mark.parametrize(("monitor", "best"), [("kind/accuracy", max), ("size/mse", min)])
def test_early_stopping_watches_one_outputs_metric_and_knows_which_way_is_better(
    tmp_path: Path, rows, monitor: str, best
) -> None:
    stopping = f"train.early_stopping={{monitor: validation/{monitor}, patience: 3}}"
    done = train(tmp_path, TWO, stopping, "train.epochs=60", "optimizer.sgd.lr=0.3")
    metrics = [epoch[f"validation/{monitor}"] for epoch in done.epochs]
    first = metrics.index(best(metrics))
    assert (done.state.best_value, done.state.best_epoch) == (metrics[first], first + 1)
    assert done.state.stopped_early and len(metrics) == first + 1 + 3


def test_what_an_output_is_compared_with_can_be_any_input(tmp_path: Path, rows) -> None:
    text = TWO.replace("target: {kind: kind, size: size}", "target: {kind: kind}")
    text = text.replace("mse: {output: size,", "mse: {output: size, target: table,").replace("{r2: {output: size}}", "")
    text = text.replace("out_features: 2}\nloss", "out_features: 3}\nloss").replace(", ]", "]")
    done = train(tmp_path, text, "train.epochs=1", "train.batch_size=full")
    assert list(done.ready.loaded.targets) == ["kind"]
    own = done.ready.loaded.splits.train
    words, table = torch.tensor(rows["words"][own]), torch.tensor(standard(done, rows["table"])[own])
    # The loss of the first step, on the weights as they started.
    torch.manual_seed(5)
    embedding, shared, _, size = nn.Embedding(9, 2), nn.Linear(11, 8), nn.Linear(8, 3), nn.Linear(8, 3)
    trunk = torch.tanh(shared(torch.cat([embedding(words).flatten(1), table], 1)))
    expected = functional.mse_loss(size(trunk), table).item()
    assert done.epochs[0]["train/size/mse"] == pytest.approx(expected, rel=1e-5)


def test_a_loss_of_one_output_that_is_no_number_stops_the_training(tmp_path: Path, rows) -> None:
    with pytest.raises(LossError, match=r"the loss became (nan|inf) in epoch \d+, step \d+"):
        train(tmp_path, TWO, "optimizer={sgd: {lr: 1e20}}", "train.epochs=20")


def test_stratifying_goes_by_the_only_target_of_classes(tmp_path: Path, rows) -> None:
    done = train(tmp_path, TWO, "data.split={validation: 0.2, test: 0.2, stratify: true}", "train.epochs=1")
    splits = done.ready.loaded.splits
    whole = np.bincount(rows["kind"], minlength=3)
    for chosen in (splits.validation, splits.test):
        counts = np.bincount(rows["kind"][chosen], minlength=3)
        assert np.abs(counts - 0.2 * whole).max() < 1


def test_an_index_of_one_input_that_its_embedding_lacks_is_reported(tmp_path: Path, rows) -> None:
    rows["words"][7, 2] = 9
    np.savez(tmp_path / "rows.npz", **rows)
    with pytest.raises(SpecError, match="the data has the index 9; there are 9, from 0 to 8"):
        train(tmp_path, TWO)


def test_the_order_of_rows_is_one_for_all_inputs_and_targets(tmp_path: Path) -> None:
    numbers = np.arange(60)
    np.savez(tmp_path / "rows.npz", a=numbers[:, None], b=-numbers[:, None], y=numbers % 4, z=numbers / 4)
    text = """
data: {source: {npz: rows.npz}, features: {a: a, b: b}, target: {y: y, z: z}}
model:
  outputs: [y, z]
  layers:
    - concat: {branches: [[], b], name: both}
    - linear: {name: y, out_features: 4}
    - input: both
    - linear: {name: z, out_features: 1}
loss: [{cross_entropy: {output: y}}, {mse: {output: z, coefficient: 1e-3}}]
optimizer: {sgd: {lr: 1e-6}}
train: {epochs: 1}
tracking: off
"""
    data = train(tmp_path, text).ready.task.data
    splits = (data.train, data.validation, data.test)
    some = [data.train.batch(torch.tensor([5, 0, 3])), data.train.batch(slice(2, 4))]
    for batch in [*(split.batch(slice(None)) for split in splits), *some]:
        a, b = batch.inputs
        assert torch.equal(a, -b)
        assert (a[:, 0].long() % 4).tolist() == batch.targets["y"].tolist()
        assert (a / 4).tolist() == batch.targets["z"].tolist()
