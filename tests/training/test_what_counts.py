"""What counts in a loss and in the metrics: classes by their weights, no padding, no class that is ignored."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from networks import train, two_ways
from sklearn.metrics import accuracy_score, log_loss
from torch.nn import functional

from dlrun.errors import SpecError
from dlrun.training.speed.capture import can_capture

IMAGES = """
data: {source: {npz: images.npz}, features: image, target: mask, split: {validation: 0.3, test: 0}}
model:
  input: [1, 6, 6]
  layers: [conv2d: {out_channels: 4, kernel_size: 3, padding: same}]
loss: {cross_entropy: {ignore_index: 255, weight: WEIGHT}}
metrics: [accuracy, log_loss]
optimizer: adam
train: {epochs: 2, batch_size: 7}
tracking: off
"""


def images(folder: Path) -> None:
    """Images with the classes 0, 1, 2, and 255 where nobody knows."""
    random = np.random.default_rng(0)
    mask = random.choice([0, 1, 2, 255], size=(40, 6, 6), p=[0.5, 0.2, 0.1, 0.2]).astype(np.uint8)
    mask[3] = 255  # an image of which nothing is known
    np.savez(folder / "images.npz", image=random.normal(size=(40, 1, 6, 6)).astype(np.float32), mask=mask)


@pytest.mark.parametrize("weight", ["balanced", "[1, 2, 3, 9]", "{'1': 4, '255': 7}"])
def test_pixels_of_the_class_that_is_ignored_do_not_count(weight: str, tmp_path: Path) -> None:
    images(tmp_path)
    done = train(tmp_path, IMAGES.replace("WEIGHT", weight))
    rows = done.ready.task.data.validation.batch(slice(0, 12))
    targets = rows.targets["target"]
    assert targets.min() == -100 and set(targets.unique().tolist()) == {-100, 0, 1, 2}
    done.ready.network.eval()
    with torch.no_grad():
        output = done.ready.network(*rows.inputs)
    known = targets.flatten() >= 0
    logits, classes = output.movedim(1, -1).flatten(0, -2)[known], targets.flatten()[known]
    train_classes = done.ready.task.data.train.batch(slice(None)).targets["target"].flatten()
    counts = torch.bincount(train_classes[train_classes >= 0], minlength=4)
    weights = {
        "balanced": [float(counts.sum() / (3 * count)) if count else 0.0 for count in counts],
        "[1, 2, 3, 9]": [1.0, 2.0, 3.0, 9.0],
    }.get(weight, [1.0, 4.0, 1.0, 7.0])
    expected = functional.cross_entropy(logits, classes, torch.tensor(weights))
    last = done.epochs[-1]
    assert last["validation/loss"] == pytest.approx(expected.item(), rel=1e-5)
    assert last["validation/accuracy"] == pytest.approx(accuracy_score(classes, logits.argmax(1)))
    chances = logits.double().softmax(1).numpy()
    assert last["validation/log_loss"] == pytest.approx(log_loss(classes, chances, labels=range(4)), rel=1e-6)


@pytest.mark.skipif(not can_capture(), reason="this Python's torch cannot capture a step")
def test_dice_is_captured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images(tmp_path)
    spec = IMAGES.replace("cross_entropy: {ignore_index: 255, weight: WEIGHT}", "dice: {ignore_index: 255}")
    codes = two_ways(tmp_path, spec.replace("epochs: 2", "epochs: 6"), monkeypatch)
    assert len(codes) >= 2 and all(code is not None for code in codes)


LETTERS = """
data: {source: {npz: letters.npz}, features: sound, target: text, split: {validation: 0.3, test: 0}}
model: {layers: [gru: {hidden_size: 8, output: sequence}, linear: $(classes + 1)]}
loss: {ctc: {ignore_index: pad}}
optimizer: {adam: 0.02}
train: {epochs: 20, batch_size: 10}
tracking: off
allow: [axis_order]
"""


def test_a_shorter_sequence_is_learned_from_a_longer_one(tmp_path: Path) -> None:
    """Each letter is a sound of two steps, after a pause of one; texts have one to three letters."""
    random = np.random.default_rng(3)
    sound, text = np.zeros((60, 9, 2), np.float32), np.full((60, 3), "pad")
    for row in range(60):
        for place in range(random.integers(1, 4)):
            letter = int(random.integers(0, 2))
            text[row, place] = "ab"[letter]
            sound[row, 3 * place + 1 : 3 * place + 3, letter] = 1
    np.savez(tmp_path / "letters.npz", sound=sound, text=text)
    done = train(tmp_path, LETTERS)
    losses = [epoch["validation/loss"] for epoch in done.epochs]
    assert losses[-1] < 0.5 * losses[0]


PAIRS = """
seed: 1
data:
  source: {pairs: {path: pairs.csv, source: german, target: english}}
  features: target_in
  split: {validation: 0.3, test: 0}
model:
  layers:
    - embedding: {num_embeddings: $vocabulary, embedding_dim: 8, padding_idx: 0}
    - gru: {hidden_size: 8, output: sequence}
    - linear: $classes
loss: cross_entropy
metrics: [accuracy, perplexity]
optimizer: adam
train: {epochs: 2, batch_size: 7}
tracking: off
"""


def test_padding_does_not_count(tmp_path: Path) -> None:
    random, words = np.random.default_rng(3), ("eins", "zwei", "drei", "vier")
    lines = ["german,english"]
    for _ in range(40):
        chosen = random.choice(words, random.integers(1, 6))
        lines.append(f"{' '.join(chosen)},{' '.join(word.upper() for word in chosen)}")
    (tmp_path / "pairs.csv").write_text("\n".join(lines))
    done = train(tmp_path, PAIRS)
    rows = done.ready.task.data.validation.batch(slice(0, 12))
    targets = rows.targets["target"]
    assert (targets == -100).any() and not (targets == 0).any()
    done.ready.network.eval()
    with torch.no_grad():
        output: Any = done.ready.network(*rows.inputs)
    logits, classes = output.flatten(0, 1), targets.flatten()
    expected = functional.cross_entropy(logits, classes).item()
    last = done.epochs[-1]
    assert last["validation/loss"] == pytest.approx(expected, rel=1e-5)
    assert last["validation/perplexity"] == pytest.approx(np.exp(expected), rel=1e-5)
    known = classes >= 0
    assert last["validation/accuracy"] == pytest.approx(accuracy_score(classes[known], logits.argmax(1)[known]))


TABLE = """
data: {source: {csv: rows.csv}, target: y, split: {validation: 0.3, test: 0}}
model: {layers: [linear: HEAD]}
loss: LOSS
optimizer: adam
train: {epochs: 2, batch_size: 8}
tracking: off
"""


def table(folder: Path, rare: int) -> None:
    random = np.random.default_rng(2)
    labels = ["often"] * (40 - rare) + ["rare"] * rare
    random.shuffle(labels)
    lines = [f"{a:.3f},{b:.3f},{y}" for (a, b), y in zip(random.normal(size=(40, 2)), labels, strict=True)]
    (folder / "rows.csv").write_text("\n".join(["a,b,y", *lines]))


@pytest.mark.parametrize("of", ["rare", "often"])
def test_a_balanced_pos_weight_is_the_other_class_by_that_of_1(of: str, tmp_path: Path) -> None:
    table(tmp_path, 10)
    loss = f"{{binary_cross_entropy: {{pos_weight: balanced, of: {of}}}}}"
    done = train(tmp_path, TABLE.replace("HEAD", "1").replace("LOSS", loss))
    ones = done.ready.task.data.train.batch(slice(None)).targets["target"]
    (term,) = done.ready.task.objective.terms
    assert term.weight is not None and term.label == of
    assert term.weight[0] == pytest.approx(((ones == 0).sum() / (ones == 1).sum()).item())


@pytest.mark.parametrize(
    ("loss", "head"),
    [("{binary_cross_entropy: {pos_weight: balanced}}", "1"), ("{cross_entropy: {weight: balanced}}", "$classes")],
)
def test_a_class_without_a_training_row_has_no_balanced_weight(loss: str, head: str, tmp_path: Path) -> None:
    table(tmp_path, 1)
    spec = TABLE.replace("HEAD", head).replace("LOSS", loss)
    wrong = []
    for seed in range(12):
        try:
            train(tmp_path, spec, f"seed={seed}")
        except SpecError as error:
            wrong.append(error)
    assert wrong and all("has no training row" in str(error) for error in wrong)
    assert ("weight" in str(wrong[0])) and wrong[0].problems[0].hint


SOFT = """
seed: 2
data: {source: {csv: rows.csv}, features: [a, b], target: [cat, dog, cow], split: {validation: 0.3, test: 0.2}}
model: {layers: [linear: 8, tanh, linear: $classes]}
loss: {cross_entropy: {weight: WEIGHT}}
metrics: [accuracy, f1: none]
optimizer: adam
train: {epochs: 3, batch_size: 8}
tracking: off
"""


def chances(folder: Path, one_hot: bool) -> np.ndarray[Any, Any]:
    random = np.random.default_rng(5)
    shares = random.dirichlet([0.5] * 3, 50)
    if one_hot:
        shares = np.eye(3)[shares.argmax(1)]
    points = random.normal(size=(50, 2)).round(3)
    names = np.array(["cat", "dog", "cow"])[shares.argmax(1)]
    rows = [",".join(map(str, [*x, *p, y])) for x, p, y in zip(points.tolist(), shares.tolist(), names, strict=True)]
    (folder / "rows.csv").write_text("\n".join(["a,b,cat,dog,cow,kind", *rows, ""]))
    return shares


@pytest.mark.parametrize("weight", ["[1, 1, 1]", "{dog: 3}"])
def test_a_target_may_be_the_probability_of_each_class(weight: str, tmp_path: Path) -> None:
    chances(tmp_path, one_hot=False)
    done = train(tmp_path, SOFT.replace("WEIGHT", weight))
    rows = done.ready.task.data.validation.batch(slice(None))
    target = rows.targets["target"]
    with torch.no_grad():
        logs = done.ready.network.eval()(*rows.inputs).log_softmax(1)
    weights = torch.tensor([1.0, 3.0 if "dog" in weight else 1.0, 1.0])
    expected = -(target * weights * logs).sum() / (target * weights).sum()
    last = done.epochs[done.state.best_epoch - 1]
    assert last["validation/loss"] == pytest.approx(expected.item(), rel=1e-5)
    assert last["validation/accuracy"] == pytest.approx(accuracy_score(target.argmax(1), logs.argmax(1)))
    assert "validation/f1/dog" in last
    if "dog" not in weight:
        assert expected.item() == pytest.approx(functional.cross_entropy(logs, target).item(), rel=1e-6)


def test_columns_of_0_and_1_are_the_class_in_another_form(tmp_path: Path) -> None:
    chances(tmp_path, one_hot=True)
    file = tmp_path / "rows.csv"
    for name, number in (("cat", 1), ("dog", 2), ("cow", 3)):  # so that the classes have the order of the columns
        file.write_text(file.read_text().replace(f",{name}\n", f",{number}\n").replace(f",{name}", f",p{number}"))
    spec = SOFT.replace("loss: {cross_entropy: {weight: WEIGHT}}", "loss: cross_entropy").replace("f1: none", "f1")
    columns = train(tmp_path, spec.replace("target: [cat, dog, cow]", "target: [p1, p2, p3]")).epochs[-1]
    classes = train(tmp_path, spec.replace("target: [cat, dog, cow]", "target: kind")).epochs[-1]
    for name in ("train/loss", "validation/loss", "validation/accuracy", "validation/f1"):
        assert columns[name] == pytest.approx(classes[name], rel=1e-5)


@pytest.mark.parametrize(
    ("weight", "cells", "message"),
    [
        ("[1, 1, 1]", "0.5,0.5,0.5", "the target's numbers in row 7 make 1.5 together"),
        ("[1, 1, 1]", "1.5,-0.5,0", "the target's number in row 7 is less than 0"),
        ("balanced", "0,1,0", "`balanced` counts rows of classes, and the target is probabilities"),
        ("[1, 2]", "0,1,0", "`weight` has 2 numbers, and the data has 3 classes"),
    ],
)
def test_what_is_no_probability_is_refused(weight: str, cells: str, message: str, tmp_path: Path) -> None:
    chances(tmp_path, one_hot=False)
    lines = (tmp_path / "rows.csv").read_text().split("\n")
    first, second, *_ = lines[8].split(",")
    lines[8] = f"{first},{second},{cells},cat"
    (tmp_path / "rows.csv").write_text("\n".join(lines))
    with pytest.raises(SpecError, match=re.escape(message)):
        train(tmp_path, SOFT.replace("WEIGHT", weight))


def test_outputs_for_probabilities_are_as_many(tmp_path: Path) -> None:
    chances(tmp_path, one_hot=False)
    with pytest.raises(SpecError, match=r"needs outputs of shape \(3,\); the network outputs \(4,\)"):
        train(tmp_path, SOFT.replace("WEIGHT", "[1, 1, 1]").replace("$classes", "4"))
