"""Training on mixed rows: the losses and metrics that a run reports, computed from the file by their definitions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from networks import train
from sklearn.metrics import accuracy_score, mean_absolute_error, roc_auc_score
from torch.nn import functional

from dlrun.modules.random_streams import RandomStream, streams

SPEC = """
seed: 4
data:
  source: {npz: rows.npz}
  features: {a: a, b: b}
  target: {kind: kind, late: late, size: size}
  split: {validation: 0, test: 0}
  augment: [mixup: 1.0]
  target_preprocess: [standardize]
model:
  outputs: [kind, late, size]
  layers:
    - concat: [[], b]
    - tanh: {name: trunk}
    - linear: {name: kind, out_features: 4}
    - input: trunk
    - linear: {name: late, out_features: 1}
    - input: trunk
    - linear: {name: size, out_features: 1}
loss:
  - cross_entropy: {output: kind, label_smoothing: 0.1}
  - binary_cross_entropy: {output: late}
  - mse: {output: size}
metrics: [accuracy: {output: kind}, accuracy: {output: late}, roc_auc: {output: late}, mae: {output: size}]
optimizer: {sgd: {lr: 1e-12}}
train: {epochs: 1, batch_size: full}
tracking: off
"""
ROWS = 80


@pytest.fixture
def rows(tmp_path: Path) -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    a, b = random.normal(size=(ROWS, 3)), random.normal(size=(ROWS, 2))
    kind = np.array(["red", "green", "blue"])[random.integers(0, 3, ROWS)]
    late = np.where(random.random(ROWS) < 0.3, "yes", "no")
    arrays = {"a": a, "b": b, "kind": kind, "late": late, "size": 2460000 + 10 * random.normal(size=ROWS)}
    np.savez(tmp_path / "rows.npz", **arrays)
    return arrays


def test_losses_are_of_the_mixed_targets_and_metrics_of_the_class_of_the_larger_share(tmp_path: Path, rows) -> None:
    done = train(tmp_path, SPEC)
    (metrics,) = done.epochs
    own = done.ready.loaded.splits.train
    draw = RandomStream(streams(4, 0, torch.arange(ROWS)))
    partner = own[draw.below(ROWS).numpy()]
    share = draw.beta(1.0).double()
    by_row, mixed = share.numpy()[:, None], {}
    for name in ("a", "b"):
        mixed[name] = torch.tensor(by_row * rows[name][own] + (1 - by_row) * rows[name][partner]).float()
    with torch.no_grad():
        kind, late, size = (done.ready.network.train()(*mixed.values())[name] for name in ("kind", "late", "size"))

    classes = np.unique(rows["kind"], return_inverse=True)[1]
    pair = [torch.tensor(classes[of]) for of in (own, partner)]
    each = [functional.cross_entropy(kind, y, label_smoothing=0.1, reduction="none") for y in pair]
    assert metrics["train/kind/cross_entropy"] == pytest.approx(
        (share * each[0] + (1 - share) * each[1]).mean().item(), rel=1e-5
    )
    larger = torch.where(share > 0.5, *pair)
    assert metrics["train/kind/accuracy"] == accuracy_score(larger, kind.argmax(1))

    is_late = [torch.tensor((rows["late"][of] == "yes").astype(np.float32)) for of in (own, partner)]
    logits = late.squeeze(1)
    each = [functional.binary_cross_entropy_with_logits(logits, y, reduction="none") for y in is_late]
    assert metrics["train/late/binary_cross_entropy"] == pytest.approx(
        (share * each[0] + (1 - share) * each[1]).mean().item(), rel=1e-5
    )
    larger = torch.where(share > 0.5, *is_late)
    assert metrics["train/late/accuracy"] == accuracy_score(larger, logits > 0)
    assert metrics["train/late/roc_auc"] == pytest.approx(roc_auc_score(larger, logits), abs=1e-6)

    numbers = [torch.tensor(rows["size"][of]) for of in (own, partner)]
    target = share * numbers[0] + (1 - share) * numbers[1]
    mean, std = rows["size"].mean(), rows["size"].std()
    scaled = size.squeeze(1).double()
    assert metrics["train/size/mse"] == pytest.approx((scaled - (target - mean) / std).square().mean().item(), rel=1e-5)
    assert metrics["train/size/mae"] == pytest.approx(mean_absolute_error(target, scaled * std + mean), rel=1e-5)


def test_an_autoencoder_rebuilds_the_mixed_rows(tmp_path: Path, rows) -> None:
    spec = """
data: {source: {npz: rows.npz}, features: a, augment: [mixup: 1.0], split: {validation: 0, test: 0}}
model: {layers: [{linear: 2}, {linear: 3}]}
loss: {mse: {target: input}}
optimizer: {sgd: {lr: 1e-12}}
train: {epochs: 1, batch_size: full}
tracking: off
"""
    done = train(tmp_path, spec)
    task = done.ready.task
    (x,) = task.augment(task.data.train, 0, torch.arange(ROWS)).inputs
    with torch.no_grad():
        expected = functional.mse_loss(done.ready.network(x), x).item()
    assert done.epochs[0]["train/loss"] == pytest.approx(expected, rel=1e-5)
    assert not torch.equal(x, task.data.train.batch(slice(None)).inputs[0])
