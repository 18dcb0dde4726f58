"""Each metric against scikit-learn, over batches of any size."""

import math
import weakref

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as reference
from torch.utils._python_dispatch import TorchDispatchMode

from dlrun.components.metrics import MERGED
from dlrun.data.batches import Batch
from dlrun.language.component import choose
from dlrun.language.kinds import kinds
from dlrun.plan.objective import Answer, Watched
from dlrun.training.evaluation import Measurement, measure_batch
from dlrun.training.objective import Pairing

METRICS = settings(max_examples=60, deadline=None, derandomize=True)


def measured(
    written, output: torch.Tensor, target: torch.Tensor, ending: str = "", batch: int = 7, of: int | None = None
) -> float:
    watched = watching(written, output, ending, of)
    measurement = Measurement([watched], len(output))
    for start in range(0, len(output), batch):
        measurement.add(measure(watched, output[start : start + batch], target[start : start + batch]))
    return measurement.values()["figure"]


def watching(written, output: torch.Tensor, ending: str = "", of: int | None = None) -> Watched:
    """One metric on a network's only output."""
    answer, shape = Answer("target", is_input=False), tuple(output.shape[1:])
    return Watched(choose("metrics", written), "output", answer, ending, shape, "figure", of)


def measure(watched: Watched, output: torch.Tensor, target: torch.Tensor) -> list[torch.Tensor]:
    """What it has to say of a batch, of which only the target matters."""
    return measure_batch([watched], Pairing({}), output, Batch((target,), {"target": target}))


def drawn(seed: int, rows: int, classes: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    # Rounded, so that scores tie.
    output = (torch.randn(rows, classes, generator=generator) * 2).round() / 2
    output += torch.arange(classes) * 1e-3
    return output, torch.randint(classes, (rows,), generator=generator)


class Held(TorchDispatchMode):
    """Counts the bytes of the tensors that are alive, and their most."""

    def __init__(self, *given: torch.Tensor):
        super().__init__()
        self.alive = self.most = 0
        self.seen = {tensor.untyped_storage()._cdata for tensor in given}

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        made = func(*args, **(kwargs or {}))
        for tensor in made if isinstance(made, tuple | list) else (made,):
            if isinstance(tensor, torch.Tensor) and tensor.untyped_storage()._cdata not in self.seen:
                storage = tensor.untyped_storage()
                self.seen.add(storage._cdata)
                self.alive += storage.nbytes()
                weakref.finalize(storage, self._gone, storage._cdata, storage.nbytes())
        self.most = max(self.most, self.alive)
        return made

    def _gone(self, number: int, size: int) -> None:
        self.seen.discard(number)
        self.alive -= size


@pytest.mark.parametrize(("rows", "outputs"), [(10_000, 60), (50_000, 3), (3_000, 3_000)])
@pytest.mark.parametrize("kind", kinds("metrics"))
def test_a_metric_says_what_it_holds(kind: str, rows: int, outputs: int) -> None:
    for wants in sorted(choose("metrics", kind).suits):
        output = torch.randn(rows, outputs)
        target = torch.randn(rows, outputs)
        if wants == "binary":
            target = (target > 0).float()
        elif wants == "classes":
            target = torch.arange(rows) % outputs
        watched, batch = watching(kind, output), math.ceil(rows / (2 * MERGED - 2))
        with Held(output, target) as held:
            measurement = Measurement([watched], rows)
            for start in range(0, rows, batch):
                measurement.add(measure(watched, output[start : start + batch], target[start : start + batch]))
            held.most = held.alive  # what measuring a batch takes is gone
            measurement.values()
        said = watched.metric.held_bytes(rows, (outputs,), wants)
        assert said == pytest.approx(held.most, rel=0.2, abs=8 * 4 * outputs), wants


many = given(st.integers(0, 10**6), st.integers(1, 40), st.integers(2, 5))


@METRICS
@many
def test_accuracy_is_the_share_of_right_answers(seed: int, rows: int, classes: int) -> None:
    output, target = drawn(seed, rows, classes)
    assert measured("accuracy", output, target) == pytest.approx(reference.accuracy_score(target, output.argmax(1)))


@METRICS
@many
@pytest.mark.parametrize("average", ["macro", "micro", "weighted"])
def test_f1_averages_as_scikit_learn_does(average: str, seed: int, rows: int, classes: int) -> None:
    output, target = drawn(seed, rows, classes)
    expected = reference.f1_score(target, output.argmax(1), average=average, zero_division=math.nan)
    assert measured({"f1": {"average": average}}, output, target) == pytest.approx(expected)


@METRICS
@given(st.integers(0, 10**6), st.integers(1, 40))
def test_f1_of_one_class_is_not_defined_where_the_class_is_neither_there_nor_predicted(seed: int, rows: int) -> None:
    output, target = drawn(seed, rows, 2)
    yes, truth = output[:, :1], target[:, None].float()
    for of in (0, 1):
        expected = reference.f1_score(target, output.argmax(1), pos_label=of, zero_division=math.nan)
        assert measured("f1", output, target, of=of) == pytest.approx(expected, nan_ok=True)
        expected = reference.f1_score(target, (yes >= 0).long()[:, 0], pos_label=of, zero_division=math.nan)
        assert measured("f1", yes, truth, of=of) == pytest.approx(expected, nan_ok=True)


SHAPES = [(1,), (3,), (1, 8, 8), (2, 4)]


@pytest.mark.parametrize("batch", [1, 7, 29, 50])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", kinds("metrics"))
def test_outputs_of_any_shape_are_measured_as_columns(kind: str, shape: tuple[int, ...], batch: int) -> None:
    generator = torch.Generator().manual_seed(len(shape))
    output = (torch.randn(50, *shape, generator=generator) * 4).round() / 4
    suits = choose("metrics", kind).suits
    if "binary" in suits:
        target = torch.randint(2, output.shape, generator=generator).float()
        truth, chosen = target.flatten(1).numpy(), (output >= 0).flatten(1).numpy()
        alone = {"pos_label": 1} if shape == (1,) else {}
        if shape == (1,):
            truth, chosen = truth[:, 0], chosen[:, 0]
        expected = {
            "accuracy": lambda: reference.accuracy_score(truth.ravel(), chosen.ravel()),
            "roc_auc": lambda: reference.roc_auc_score(truth, output.flatten(1).numpy(), average="macro"),
        }
        if kind == "f1":
            for average in ("macro", "micro", "weighted"):
                value = reference.f1_score(truth, chosen, average=average, zero_division=math.nan, **alone)
                assert measured({"f1": {"average": average}}, output, target, batch=batch) == pytest.approx(value)
            return
        assert measured(kind, output, target, batch=batch) == pytest.approx(expected[kind]())
    if "numbers" in suits:
        target = torch.randn(output.shape, generator=generator)
        scored = {"mse": "mean_squared_error", "mae": "mean_absolute_error", "r2": "r2_score"}[kind]
        value = getattr(reference, scored)(target.flatten(1), output.flatten(1))
        assert measured(kind, output, target, batch=batch) == pytest.approx(value, rel=1e-5)


@pytest.mark.parametrize("batch", [1, 7, 500])
@pytest.mark.parametrize("offset", [2.5e6, -1e9, 1e12])
def test_r2_is_exact_far_from_0(offset: float, batch: int) -> None:
    generator = torch.Generator().manual_seed(1)
    target = offset + torch.randn(500, 2, generator=generator, dtype=torch.float64)
    output = target + 0.1 * torch.randn(500, 2, generator=generator, dtype=torch.float64)
    expected = reference.r2_score(target, output)
    assert measured("r2", output, target, batch=batch) == pytest.approx(expected, rel=1e-4)
    assert math.isnan(measured("r2", output, torch.full_like(target, offset + 0.1), batch=batch))


@pytest.mark.parametrize("of", [0, 1, 2])
def test_one_of_three_classes_is_measured_against_the_rest(of: int) -> None:
    output, target = drawn(5, 40, 3)
    area = reference.roc_auc_score(target == of, output.double().softmax(1)[:, of])
    assert measured("roc_auc", output, target, of=of) == pytest.approx(area)
    score = reference.f1_score(target == of, output.argmax(1) == of)
    assert measured("f1", output, target, of=of) == pytest.approx(score)


@METRICS
@given(st.integers(0, 10**6), st.integers(2, 40))
def test_roc_auc_of_yes_or_no_counts_ties_half(seed: int, rows: int) -> None:
    output, target = drawn(seed, rows, 2)
    score = output[:, :1]
    value = measured("roc_auc", score, target[:, None].float())
    if target.min() == target.max():
        assert math.isnan(value)
    else:
        assert value == pytest.approx(reference.roc_auc_score(target, score[:, 0]))


@METRICS
@many
def test_roc_auc_of_classes_is_each_against_the_rest(seed: int, rows: int, classes: int) -> None:
    output, target = drawn(seed, rows, classes)
    value = measured("roc_auc", output, target)
    if len(target.unique()) < classes:
        assert math.isnan(value)
        return
    shares = output.double().softmax(1)
    if classes == 2:
        expected = reference.roc_auc_score(target, shares[:, 1])
    else:
        expected = reference.roc_auc_score(target, shares, multi_class="ovr", average="macro")
    assert value == pytest.approx(expected)


@METRICS
@given(st.integers(0, 10**6), st.integers(2, 40), st.integers(1, 3))
def test_mse_mae_and_r2_of_numbers(seed: int, rows: int, targets: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    output, target = torch.randn(2, rows, targets, generator=generator) * 3 + 100
    assert measured("mse", output, target) == pytest.approx(reference.mean_squared_error(target, output), rel=1e-5)
    assert measured("mae", output, target) == pytest.approx(reference.mean_absolute_error(target, output), rel=1e-5)
    assert measured("r2", output, target) == pytest.approx(reference.r2_score(target, output), rel=1e-4, abs=1e-6)


def test_r2_is_not_defined_where_all_targets_are_alike() -> None:
    assert math.isnan(measured("r2", torch.randn(9, 1), torch.full((9, 1), 0.1)))


@pytest.mark.parametrize("kind", [k for k in kinds("metrics") if "numbers" in choose("metrics", k).suits])
def test_a_metric_says_whether_numbers_must_differ(kind: str) -> None:
    output = torch.randn(20, 3, generator=torch.Generator().manual_seed(0))
    target = output + 1
    assert math.isfinite(measured(kind, output, target))
    target[:, 1] = 2.5
    assert math.isnan(measured(kind, output, target)) == choose("metrics", kind).needs_spread


@pytest.mark.parametrize("kind", [k for k in kinds("metrics") if "binary" in choose("metrics", k).suits])
def test_a_metric_says_whether_each_yes_or_no_must_occur(kind: str) -> None:
    output = torch.randn(20, 3, generator=torch.Generator().manual_seed(0))
    target = (output > 0.1).float()
    assert math.isfinite(measured(kind, output, target))
    target[:, 1] = 1
    assert math.isnan(measured(kind, output, target)) == choose("metrics", kind).needs_spread


@pytest.mark.parametrize("kind", [k for k in kinds("metrics") if "classes" in choose("metrics", k).suits])
def test_a_metric_says_which_classes_must_have_a_row(kind: str) -> None:
    metric = choose("metrics", kind)
    output, target = drawn(0, 40, 3)
    assert math.isfinite(measured(kind, output, target))
    target[target == 2] = 0
    assert math.isnan(measured(kind, output, target)) == metric.needs_every_class
    values = []
    for column in (100.0, -100.0):  # the class is always predicted, or never
        output[:, 2] = column
        values.append(measured(kind, output, target, of=2))
    says_nothing = all(math.isnan(value) or value == 0 for value in values)
    assert says_nothing == (metric.needs_every_class or metric.needs_its_class)


@pytest.mark.parametrize("kind", [k for k in kinds("metrics") if "binary" in choose("metrics", k).suits])
def test_a_probability_and_its_logit_are_judged_alike(kind: str) -> None:
    logits = torch.tensor([[-2.0], [-0.1], [0.0], [0.3], [4.0]])
    target = torch.tensor([[0.0], [1.0], [1.0], [0.0], [1.0]])
    assert measured(kind, logits, target) == measured(kind, logits.sigmoid(), target, "probabilities")


@pytest.mark.parametrize("kind", kinds("metrics"))
def test_a_metric_does_not_depend_on_how_rows_are_batched(kind: str) -> None:
    metric = choose("metrics", kind)
    if "numbers" in metric.suits:
        output, target = torch.randn(2, 30, 2)
    else:
        output, target = drawn(3, 30, 3)
    values = {round(measured(kind, output, target, batch=batch), 12) for batch in (1, 4, 30)}
    assert len(values) == 1


@pytest.mark.parametrize("kind", kinds("metrics"))
def test_what_was_kept_halfway_is_gone_on_from_to_the_same_bits(kind: str) -> None:
    metric = choose("metrics", kind)
    output, target = torch.randn(2, 30, 2) if "numbers" in metric.suits else drawn(3, 30, 3)
    watched = watching(kind, output)
    whole, first, second = (Measurement([watched], 50) for _ in range(3))
    parts = [measure(watched, output[i : i + 10], target[i : i + 10]) for i in (0, 10, 20)]
    for part in parts:
        whole.add([value.clone() for value in part])  # the first that is added is added to
    for part in parts[:2]:
        first.add([value.clone() for value in part])
    second.load(first.as_tensors())
    second.add(parts[2])
    assert second.values() == whole.values()
