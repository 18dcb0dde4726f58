"""A class at each of several positions of a row: losses and metrics over all positions of all rows."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from networks import two_ways
from sklearn.metrics import accuracy_score, f1_score
from torch.nn import functional

import dlrun
from dlrun.checks.check import check
from dlrun.components.losses.cross_entropy import CrossEntropy
from dlrun.components.metrics import Metric
from dlrun.data.batches import Batch
from dlrun.language.component import choose
from dlrun.language.kinds import find, kinds
from dlrun.language.target_kind import at_one_position
from dlrun.plan.answers import Answer
from dlrun.plan.losses import Term
from dlrun.plan.metrics import Watched
from dlrun.training.evaluation import Measurement, measure_batch
from dlrun.training.objective import Objective, Pairing

SPEC = """
data:
  source: {npz: rows.npz}
  features: x
  target: y
  split: {validation: 4, test: 6}
model:
  layers:
    - conv1d: {out_channels: 3, kernel_size: 1}
    - permute: [1, 0]
loss: cross_entropy
metrics: [accuracy, f1, perplexity]
optimizer: {sgd: {lr: 1e-12}}
train: {epochs: 1, batch_size: 7}
tracking: off
allow: [axis_order]
"""
ROWS, STEPS = 30, 5
DATA = Answer("target")


@pytest.fixture
def rows(tmp_path: Path) -> dict[str, np.ndarray]:
    random = np.random.default_rng(1)
    x = random.normal(size=(ROWS, 2, STEPS))
    arrays = {"x": x, "y": np.array(["b", "a", "c"])[random.integers(0, 3, (ROWS, STEPS))]}
    np.savez(tmp_path / "rows.npz", **arrays)
    return arrays


def drawn(shape: tuple[int, ...]) -> tuple[torch.Tensor, torch.Tensor]:
    """Outputs for 20 rows whose classes are at positions of this shape, and these classes, of 4."""
    generator = torch.Generator().manual_seed(len(shape))
    output = torch.randn(20, *shape, 4, generator=generator)
    target = torch.randint(4, (20, *shape), generator=generator)
    return output.movedim(-1, 1) if len(shape) > 1 else output, target


def test_the_classes_are_on_the_last_axis_of_a_sequence_and_on_the_first_of_an_image() -> None:
    assert at_one_position((7,), ()) == (7,)
    assert at_one_position((40, 7), (40,)) == (7,)
    assert at_one_position((7, 5, 6), (5, 6)) == (7,)
    assert at_one_position((5, 6, 7), (5, 6)) is None
    assert at_one_position((7, 40), (40,)) is None
    assert at_one_position((7,), (7,)) is None
    assert at_one_position((40, 7), ()) is None


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("shape", [(6,), (3, 2), (2, 2, 3)])
def test_cross_entropy_is_torchs_over_more_axes(shape: tuple[int, ...], smoothing: float) -> None:
    output, target = drawn(shape)
    loss = CrossEntropy(label_smoothing=smoothing)
    loss.check(tuple(output.shape[1:]), shape, 4, "")
    term = Term(loss, "output", DATA, "", "loss", False, "", shape)
    (found,) = Objective([term], Pairing({}))(output, Batch((target,), {"target": target}))
    of_torch = output.movedim(-1, 1) if len(shape) == 1 else output
    torch.testing.assert_close(found, functional.cross_entropy(of_torch, target, label_smoothing=smoothing))


@pytest.mark.parametrize("shape", [(6,), (3, 2), (2, 2, 3)])
@pytest.mark.parametrize("kind", [kind for kind in kinds("metrics") if "classes" in find("metrics", kind).suits])  # type: ignore[attr-defined]
def test_every_metric_of_classes_counts_each_position_that_counts(kind: str, shape: tuple[int, ...]) -> None:
    output, target = drawn(shape)
    target[0].flatten()[0] = target[3].flatten()[1] = -100  # padding
    flat = (output.movedim(1, -1) if len(shape) > 1 else output).reshape(-1, 4)
    assert values_of(kind, output, target, shape) == pytest.approx(
        values_of(kind, flat, target.flatten(), ()), rel=1e-6
    )
    truth, chosen = target.flatten(), flat.argmax(1)
    wanted = {
        "accuracy": accuracy_score(truth[truth >= 0], chosen[truth >= 0]),
        "f1": f1_score(truth[truth >= 0], chosen[truth >= 0], average="macro"),
        "perplexity": functional.cross_entropy(flat.double(), truth).exp(),  # which leaves -100 out
    }
    if kind in wanted:
        assert values_of(kind, output, target, shape) == [pytest.approx(float(wanted[kind]), rel=1e-5)]


def values_of(kind: str, output: torch.Tensor, target: torch.Tensor, positions: tuple[int, ...]) -> list[float]:
    metric = choose("metrics", kind)
    assert isinstance(metric, Metric)
    parts = metric.value_names("abcd")
    watched = [Watched(metric, "output", DATA, "", (4,), kind, positions=positions, parts=parts)]
    measurement = Measurement(watched, len(output))
    for start in range(0, len(output), 8):
        batch = Batch((target[start : start + 8],), {"target": target[start : start + 8]})
        measurement.add(measure_batch(watched, Pairing({}), output[start : start + 8], batch))
    return list(measurement.values().values())


def test_a_run_reports_the_figures_of_all_positions(tmp_path: Path, rows: dict[str, np.ndarray]) -> None:
    file = tmp_path / "spec.yaml"
    file.write_text(SPEC, "utf-8")
    done = dlrun.train(file, runs=tmp_path / "runs")
    reported = dlrun.read_run(done.folder)
    network = dlrun.load_network(done.folder, "last")
    with torch.no_grad():
        outputs = network(torch.from_numpy(rows["x"]).float()).double()
    classes = torch.from_numpy(np.searchsorted(["a", "b", "c"], rows["y"]))
    spec = check(file)
    assert spec.data_info is not None
    splits = spec.data_info.splits(spec.experiment.need("data").split, spec.experiment.seed)
    for place, (name, numbers) in enumerate(splits.named().items()):
        flat, truth = outputs[numbers].reshape(-1, 3), classes[numbers].reshape(-1)
        loss = functional.cross_entropy(flat, truth).item()
        wanted = {"loss": loss, "perplexity": math.exp(loss), "accuracy": accuracy_score(truth, flat.argmax(1))}
        for kind, value in wanted.items():
            assert reported.metric(f"{name}/{kind}") == [pytest.approx(value, rel=1e-5)], (name, kind)
        counts = [spec.classes["target"][label][place] for label in "abc"]
        assert counts == np.bincount(truth, minlength=3).tolist()


def test_captured_steps_compute_the_same_as_plain_ones(tmp_path: Path, rows, monkeypatch: pytest.MonkeyPatch) -> None:
    codes = two_ways(tmp_path, SPEC, monkeypatch, "train.epochs=4", "optimizer.sgd.lr=0.1")
    assert any(code is not None for code in codes)
    np.savez(tmp_path / "rows.npz", x=rows["x"][..., None].repeat(2, 3), y=rows["y"][..., None].repeat(2, 2))
    image = SPEC.replace("    - permute: [1, 0]\n", "").replace("conv1d", "conv2d")
    codes = two_ways(tmp_path, image, monkeypatch, "train.epochs=4", "optimizer.sgd.lr=0.1")
    assert any(code is not None for code in codes)


def problems(folder: Path, spec: str) -> list[tuple[str, str]]:
    file = folder / "spec.yaml"
    file.write_text(spec, "utf-8")
    with pytest.raises(dlrun.SpecError) as caught:
        check(file)
    return [(problem.message, problem.hint) for problem in caught.value.problems]


def test_outputs_at_other_positions_are_refused_with_the_shape_that_is_needed(tmp_path: Path, rows) -> None:
    kept = SPEC.replace("    - permute: [1, 0]\n", "")
    ((message, hint),) = problems(tmp_path, kept)
    wanted = "the target has a class at each of (5,) positions, so cross_entropy needs outputs (5, classes)"
    assert (message, hint) == (f"{wanted}; the network outputs (3, 5)", "")
    last = kept.replace("conv1d: {out_channels: 3, kernel_size: 1}", "permute: [1, 0]\n    - gru: 3")
    ((message, hint),) = problems(tmp_path, last)
    assert message == f"{wanted}; the network outputs (3,)"
    assert hint == "`output: sequence` keeps the outputs of a recurrent layer at every step"


def test_columns_of_0_and_1_are_no_classes_at_positions(tmp_path: Path) -> None:
    np.savez(
        tmp_path / "rows.npz",
        x=np.random.default_rng(0).normal(size=(30, 4)),
        y=np.eye(3, dtype=int)[np.arange(30) % 3],
    )
    spec = SPEC.replace("    - conv1d: {out_channels: 3, kernel_size: 1}\n    - permute: [1, 0]", "    - linear: 3")
    ((message, hint),) = problems(tmp_path, spec)
    assert message.startswith("the target has a class at each of (3,) positions")
    assert hint == "if the target is columns of 0 and 1, `argmax(axis=1)` makes one class of them"


def test_fractions_side_by_side_are_the_probabilities_of_classes_and_class_numbers_are_none(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    spec = SPEC.replace("    - conv1d: {out_channels: 3, kernel_size: 1}\n    - permute: [1, 0]", "    - linear: 3")
    spec = spec.replace(", f1, perplexity", "").replace("allow: [axis_order]", "baselines: off")
    np.savez(tmp_path / "rows.npz", x=random.normal(size=(30, 4)), y=random.dirichlet([1, 1, 1], 30))
    (tmp_path / "spec.yaml").write_text(spec)
    assert dlrun.train(tmp_path / "spec.yaml", runs=tmp_path / "runs").test["loss"] > 0
    np.savez(tmp_path / "rows.npz", x=random.normal(size=(30, 4)), y=random.integers(0, 3, (30, 3)).astype(float))
    with pytest.raises(dlrun.SpecError, match="together; a loss on classes takes the probabilities of classes"):
        dlrun.train(tmp_path / "spec.yaml", runs=tmp_path / "runs")


def test_rows_of_several_classes_are_neither_mixed_nor_stratified_nor_given_baselines(tmp_path: Path, rows) -> None:
    mixed = SPEC.replace("  target: y\n", "  target: y\n  augment: [mixup]\n")
    assert problems(tmp_path, mixed) == [
        ("mixup mixes one class a row, and 'target' has (5,) in each", "remove the augmentation")
    ]
    divided = SPEC.replace("test: 6}", "test: 6, stratify: true}")
    assert problems(tmp_path, divided) == [
        ("`stratify` needs one value in each row, and the target has (5,)", "remove `stratify`")
    ]
    compared = SPEC + "baselines: majority\n"
    assert problems(tmp_path, compared) == [
        ("there is no baseline to compare with: a row has several classes to predict", "remove `baselines`")
    ]
    np.savez(tmp_path / "rows.npz", x=rows["x"].reshape(ROWS, -1), y=rows["y"])
    projected = SPEC.replace("  target: y\n", "  target: y\n  preprocess: [lda]\n").replace(
        "    - conv1d: {out_channels: 3, kernel_size: 1}\n    - permute: [1, 0]", "    - linear: 3"
    )
    assert problems(tmp_path, projected)[0][0].startswith("lda: ")
