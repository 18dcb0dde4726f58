"""Each metric against scikit-learn, SciPy or NumPy, over batches of any size."""

import math
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from figures_of_numbers import OF_NUMBERS
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special, stats
from sklearn import calibration
from sklearn import metrics as reference
from torch.utils._python_dispatch import TorchDispatchMode

from dlrun.components.metrics import MERGED, Metric
from dlrun.components.metrics._class_score import ClassScore
from dlrun.data.batches import Batch
from dlrun.language.component import choose
from dlrun.language.fields import OutputForm
from dlrun.language.kinds import find, kinds
from dlrun.plan.answers import Answer
from dlrun.plan.metrics import Watched
from dlrun.shapes import ShapeError
from dlrun.training.evaluation import Measurement, measure_batch
from dlrun.training.objective import Pairing

METRICS = settings(max_examples=300, deadline=None, derandomize=True)
FEWER = settings(METRICS, max_examples=60)
SCORES = [kind for kind in kinds("metrics") if issubclass(find("metrics", kind), ClassScore)]
NAN = math.nan


def metric_of(written: Any) -> Metric:
    metric = choose("metrics", written)
    assert isinstance(metric, Metric)
    return metric


def suiting(wants: str, shape: tuple[int, ...] = (3,)) -> list[str]:
    """The kinds that measure outputs of a shape for such a target."""
    return [kind for kind in kinds("metrics") if wants in metric_of(kind).suits and not refused(kind, wants, shape)]


def refused(kind: str, wants: Any, shape: tuple[int, ...]) -> bool:
    try:
        metric_of(kind).check(shape, wants)
    except ShapeError:
        return True
    return False


def measured(written: Any, output: torch.Tensor, target: torch.Tensor, *given: Any, **more: Any) -> float:
    """The value of a metric of one value; see `all_measured`."""
    (value,) = all_measured(written, output, target, *given, **more)
    return value


def all_measured(
    written: Any,
    output: torch.Tensor,
    target: torch.Tensor,
    ending: OutputForm = "",
    batch: int = 7,
    of: int | None = None,
) -> list[float]:
    """The values of a metric, in the order of their names."""
    watched = watching(written, output, ending, of)
    measurement = Measurement([watched], len(output))
    for start in range(0, len(output), batch):
        measurement.add(measure(watched, output[start : start + batch], target[start : start + batch]))
    values = measurement.values()
    assert list(values) == list(watched.names)
    return list(values.values())


def watching(written: Any, output: torch.Tensor, ending: OutputForm = "", of: int | None = None) -> Watched:
    """One metric on a network's only output."""
    answer, shape, metric = Answer("target"), tuple(output.shape[1:]), metric_of(written)
    classes = [f"c{number}" for number in range(max(2, math.prod(shape)))]
    return Watched(metric, "output", answer, ending, shape, "figure", of, parts=metric.value_names(classes))


def measure(watched: Watched, output: torch.Tensor, target: torch.Tensor) -> list[torch.Tensor]:
    """What it has to say of a batch, of which only the target matters."""
    return measure_batch([watched], Pairing({}), output, Batch((target,), {"target": target}))


def drawn(seed: int, rows: int, classes: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    # Rounded, so that scores tie.
    output = (torch.randn(rows, classes, generator=generator) * 2).round() / 2
    output += torch.arange(classes) * 1e-3
    return output, torch.randint(classes, (rows,), generator=generator)


def same(value: float | list[float], expected: Any, rel: float = 1e-5) -> bool:
    return bool(np.allclose(value, expected, rtol=rel, atol=1e-7, equal_nan=True))


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
    for wants in sorted(metric_of(kind).suits):
        if refused(kind, wants, (outputs,)) or (metric_of(kind).is_table and outputs > 100):
            continue
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


def shares_of(logits: np.ndarray) -> np.ndarray:
    return torch.from_numpy(logits).softmax(1).numpy()  # as torch rounds them: equal ones are ties


def calibration_of(truth: np.ndarray, share: np.ndarray, bins: int = 15) -> float:
    """From the bins of scikit-learn's curve, which leaves empty ones out, and how many rows each has."""
    right, mean = calibration.calibration_curve(truth, share, n_bins=bins)
    number = np.searchsorted(np.linspace(0, 1, bins + 1)[1:-1], share)
    return float(np.abs(right - mean) @ np.unique(number, return_counts=True)[1] / len(truth))


def confidence_of(truth: np.ndarray, logits: np.ndarray) -> float:
    shares = shares_of(logits)
    if shares.shape[1] == 2:
        return calibration_of(truth == 1, shares[:, 1])
    return calibration_of(truth == logits.argmax(1), shares.max(1))


def auc_of(truth: np.ndarray, logits: np.ndarray) -> float:
    shares, there = shares_of(logits), np.unique(truth)
    if len(there) < shares.shape[1]:
        return NAN
    return float(np.mean([reference.roc_auc_score(truth == c, shares[:, c]) for c in there]))


def precision_area_of(truth: np.ndarray, logits: np.ndarray) -> float:
    shares, there = shares_of(logits), np.unique(truth)
    if len(there) < shares.shape[1]:
        return NAN
    return float(np.mean([reference.average_precision_score(truth == c, shares[:, c]) for c in there]))


def correlation_of(truth: np.ndarray, answers: np.ndarray) -> float:
    defined = len(np.unique(truth)) > 1 and len(np.unique(answers)) > 1
    return float(reference.matthews_corrcoef(truth, answers)) if defined else NAN


def likelihood_of(truth: np.ndarray, logits: np.ndarray) -> float:
    return float(-special.log_softmax(logits, axis=1)[np.arange(len(truth)), truth].mean())


def brier_of(truth: np.ndarray, logits: np.ndarray) -> float:
    distance = ((shares_of(logits) - np.eye(logits.shape[1])[truth]) ** 2).sum(1).mean()
    return float(distance / (2 if logits.shape[1] == 2 else 1))


OF_CLASSES: dict[str, Callable[[np.ndarray, np.ndarray], Any]] = {
    "accuracy": lambda y, x: reference.accuracy_score(y, x.argmax(1)),
    "average_precision": precision_area_of,
    "balanced_accuracy": lambda y, x: np.mean([(x.argmax(1)[y == c] == c).mean() for c in np.unique(y)]),
    "bits_per_character": lambda y, x: likelihood_of(y, x) / np.log(2),
    "brier_score": brier_of,
    "calibration_error": confidence_of,
    "confusion_matrix": lambda y, x: reference.confusion_matrix(y, x.argmax(1), labels=range(x.shape[1])).ravel(),
    "entropy": lambda _, x: stats.entropy(shares_of(x), base=2, axis=1).mean(),
    "log_loss": lambda y, x: reference.log_loss(y, shares_of(x), labels=range(x.shape[1])),
    "matthews": lambda y, x: correlation_of(y, x.argmax(1)),
    "perplexity": lambda y, x: np.exp(likelihood_of(y, x)),
    "roc_auc": auc_of,
    "top_k_accuracy": lambda y, x: np.mean([c in row.argsort()[-2:] for c, row in zip(y, x, strict=True)]),
}
"""For each metric of classes what other libraries make of class numbers and logits; scores are below."""


def counts_of(truth: np.ndarray, answers: np.ndarray, classes: int) -> np.ndarray:
    """Wrong and right no, wrong and right yes, for each class: (classes, 4)."""
    if truth.ndim == 1:
        table = reference.multilabel_confusion_matrix(truth, answers, labels=range(classes))
    else:
        table = reference.multilabel_confusion_matrix(truth, answers)
    return table.reshape(-1, 4)  # tn, fp, fn, tp


def ratio_of(kind: str, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    tn, fp, fn, tp = counts.T
    return {
        "precision": (tp, tp + fp),
        "recall": (tp, tp + fn),
        "specificity": (tn, tn + fp),
        "f1": (2 * tp, 2 * tp + fp + fn),
        "f_beta": (5 * tp, 5 * tp + fp + 4 * fn),
        "iou": (tp, tp + fp + fn),
        "dice": (2 * tp, 2 * tp + fp + fn),
    }[kind]


def score_of(kind: str, average: str, counts: np.ndarray) -> Any:
    """By the definitions of scikit-learn's guide, with zero_division=nan."""
    above, below = ratio_of(kind, counts)
    with np.errstate(invalid="ignore"):
        if average == "micro":
            return above.sum() / below.sum() if below.sum() else NAN
        each, there = above / below, below > 0
        if average == "none":
            return each
        weights = np.ones(len(each)) if average == "macro" else counts[:, 2] + counts[:, 3]
        total = weights[there].sum()
        return (weights * each)[there].sum() / total if total else NAN


many = given(st.integers(0, 10**6), st.integers(1, 40), st.integers(2, 5), st.sampled_from((3, 7, 40)))


@pytest.mark.parametrize("kind", [kind for kind in suiting("classes") if kind not in SCORES])
def test_a_metric_of_classes_is_that_of_other_libraries(kind: str) -> None:
    @METRICS
    @many
    def holds(seed: int, rows: int, classes: int, batch: int) -> None:
        output, target = drawn(seed, rows, classes)
        values = all_measured(kind, output.double(), target, batch=batch)
        assert same(values, OF_CLASSES[kind](target.numpy(), output.double().numpy()))

    holds()


AVERAGES = ("macro", "micro", "weighted", "none")


@pytest.mark.parametrize("kind", SCORES)
def test_a_score_of_classes_is_averaged_as_scikit_learn_does(kind: str) -> None:
    @METRICS
    @many
    def holds(seed: int, rows: int, classes: int, batch: int) -> None:
        average = AVERAGES[seed % len(AVERAGES)]
        output, target = drawn(seed, rows, classes)
        expected = score_of(kind, average, counts_of(target.numpy(), output.argmax(1).numpy(), classes))
        assert same(all_measured({kind: {"average": average}}, output, target, batch=batch), expected)

    holds()


@pytest.mark.parametrize("average", AVERAGES)
def test_scores_are_scikit_learns_own(average: str) -> None:
    output, target = drawn(1, 60, 4)
    truth, answers = target.numpy(), output.argmax(1).numpy()
    scores: dict[str, Any] = {
        "precision": reference.precision_score,
        "recall": reference.recall_score,
        "f1": reference.f1_score,
        "f_beta": lambda *given, **more: reference.fbeta_score(*given, beta=2, **more),
        "iou": reference.jaccard_score,
        "dice": reference.f1_score,
    }
    for kind, score in scores.items():
        expected = score(truth, answers, average=None if average == "none" else average)
        assert same(all_measured({kind: {"average": average}}, output, target), expected), kind
    assert same(
        measured({"f_beta": 0.5}, output, target), reference.fbeta_score(truth, answers, beta=0.5, average="macro")
    )
    assert same(measured("balanced_accuracy", output, target), reference.balanced_accuracy_score(truth, answers))
    assert same(measured({"top_k_accuracy": 3}, output, target), reference.top_k_accuracy_score(truth, output, k=3))
    shares = output.double().softmax(1)
    assert same(measured("brier_score", output, target), reference.brier_score_loss(truth, shares))
    assert same(measured("roc_auc", output, target), reference.roc_auc_score(truth, shares, multi_class="ovr"))
    assert same(measured("average_precision", output, target), reference.average_precision_score(truth, shares))


@pytest.mark.parametrize("kind", SCORES)
def test_a_score_of_one_class_is_not_defined_where_it_is_0_of_0(kind: str) -> None:
    @FEWER
    @given(st.integers(0, 10**6), st.integers(1, 12))
    def holds(seed: int, rows: int) -> None:
        output, target = drawn(seed, rows, 2)
        yes, truth = output[:, :1], target[:, None].float()
        of_two = score_of(kind, "none", counts_of(target.numpy(), output.argmax(1).numpy(), 2))
        of_one = score_of(kind, "none", counts_of(target.numpy(), (yes >= 0).long()[:, 0].numpy(), 2))
        for of in (0, 1):
            assert same(measured(kind, output, target, of=of), of_two[of])
            assert same(measured(kind, yes, truth, of=of), of_one[of])

    holds()


def test_equal_outputs_are_in_the_order_of_their_numbers() -> None:
    output, target = torch.zeros(4, 4), torch.arange(4)
    for k, share in ((1, 0.25), (2, 0.5), (3, 0.75)):
        assert measured({"top_k_accuracy": k}, output, target) == share
    assert measured("accuracy", output, target) == 0.25


FORMS: dict[OutputForm, Callable[[torch.Tensor], torch.Tensor]] = {
    "distribution": lambda x: x.softmax(1),
    "log_distribution": lambda x: x.log_softmax(1),
}
OF_ONE: dict[OutputForm, Callable[[torch.Tensor], torch.Tensor]] = {
    "probabilities": torch.Tensor.sigmoid,
    "log_probabilities": torch.nn.functional.logsigmoid,
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("kind", suiting("classes"))
def test_logits_and_their_probabilities_are_judged_alike(kind: str, classes: int, form: OutputForm) -> None:
    generator = torch.Generator().manual_seed(classes)
    logits = torch.randn(60, classes, generator=generator, dtype=torch.float64)
    target = torch.randint(classes, (60,), generator=generator)
    for of in (None, 1):
        expected = all_measured(kind, logits, target, of=of)
        assert same(all_measured(kind, FORMS[form](logits), target, form, of=of), expected)


@pytest.mark.parametrize("form", OF_ONE)
@pytest.mark.parametrize("kind", suiting("binary", (1,)))
def test_a_probability_and_its_logit_are_judged_alike(kind: str, form: OutputForm) -> None:
    logits = torch.tensor([[-2.0], [-0.1], [0.0], [0.3], [4.0]]).double()
    target = torch.tensor([[0.0], [1.0], [1.0], [0.0], [1.0]])
    assert same(all_measured(kind, logits, target), all_measured(kind, OF_ONE[form](logits), target, form))


@pytest.mark.parametrize("kind", suiting("classes"))
def test_a_probability_of_0_is_no_error(kind: str) -> None:
    shares, target = torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]), torch.tensor([0, 2, 1])
    assert all(math.isfinite(value) for value in all_measured(kind, shares, target, "distribution"))


@pytest.mark.parametrize("kind", suiting("classes"))
def test_a_class_below_0_does_not_count(kind: str) -> None:
    @FEWER
    @given(st.integers(0, 10**6), st.integers(1, 40), st.integers(3, 5), st.sampled_from((-1, -100)))
    def holds(seed: int, rows: int, classes: int, none: int) -> None:
        output, target = drawn(seed, rows, classes)
        counts = torch.rand(rows, generator=torch.Generator().manual_seed(seed)) < 0.7
        counts[0] = True
        marked = target.where(counts, none)
        expected = all_measured(kind, output[counts], target[counts], batch=40)
        spoiled = output.where(counts[:, None], NAN)  # what such a row gives does not matter
        for there in (output, spoiled):
            assert same(all_measured(kind, there, marked), expected)

    holds()


@pytest.mark.parametrize("kind", suiting("classes"))
def test_without_a_row_that_counts_a_value_is_not_defined(kind: str) -> None:
    values = all_measured(kind, torch.randn(5, 3), torch.full((5,), -1))
    assert all(math.isnan(value) for value in values) or metric_of(kind).is_table


OF_YES_OR_NO: dict[str, Callable[[np.ndarray, np.ndarray], Any]] = {
    "accuracy": lambda y, x: reference.accuracy_score(y.ravel(), x.ravel() >= 0),
    "average_precision": lambda y, x: reference.average_precision_score(y, x, average="macro"),
    "balanced_accuracy": lambda y, x: np.mean(
        [reference.balanced_accuracy_score(truth, one >= 0) for truth, one in zip(y.T, x.T, strict=True)]
    ),
    "brier_score": lambda y, x: reference.brier_score_loss(y.ravel(), special.expit(x.ravel())),
    "calibration_error": lambda y, x: calibration_of(y.ravel(), special.expit(x.ravel())),
    "confusion_matrix": lambda y, x: reference.confusion_matrix(y.ravel(), x.ravel() >= 0).ravel(),
    "entropy": lambda _, x: stats.entropy([special.expit(x.ravel()), special.expit(-x.ravel())], base=2).mean(),
    "log_loss": lambda y, x: reference.log_loss(y.ravel(), special.expit(x.ravel())),
    "matthews": lambda y, x: np.mean([correlation_of(a, b >= 0) for a, b in zip(y.T, x.T, strict=True)]),
    "roc_auc": lambda y, x: reference.roc_auc_score(y, x, average="macro"),
}
"""For each metric of yes or no what other libraries make of 0 and 1 (N, outputs) and logits; scores are above."""


SHAPES = [(1,), (3,), (1, 8, 8), (2, 4)]


@pytest.mark.parametrize("batch", [1, 7, 29, 50])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", kinds("metrics"))
def test_outputs_of_any_shape_are_measured_as_columns(kind: str, shape: tuple[int, ...], batch: int) -> None:
    generator = torch.Generator().manual_seed(len(shape))
    output = (torch.randn(50, *shape, generator=generator) * 4).round() / 4
    columns = output.flatten(1).double().numpy()
    if kind in suiting("binary", shape):
        target = torch.randint(2, output.shape, generator=generator).float()
        truth = target.flatten(1).numpy()
        if kind not in SCORES:
            assert same(all_measured(kind, output, target, batch=batch), OF_YES_OR_NO[kind](truth, columns))
            return
        counts = counts_of(*((truth, columns >= 0) if shape != (1,) else (truth[:, 0], columns[:, 0] >= 0)), 2)
        for average in AVERAGES:
            values = all_measured({kind: {"average": average}}, output, target, batch=batch)
            assert same(values, score_of(kind, average, counts)), average
    elif kind in suiting("numbers"):
        target = torch.randn(output.shape, generator=generator)
        truth = target.flatten(1).double().numpy()
        assert same(measured(kind, output, target, batch=batch), OF_NUMBERS[kind](truth, columns))


@pytest.mark.parametrize("kind", suiting("numbers"))
def test_a_metric_of_numbers_is_that_of_other_libraries(kind: str) -> None:
    @METRICS
    @given(st.integers(0, 10**6), st.integers(3, 40), st.integers(1, 3), st.sampled_from((3, 7, 40)))
    def holds(seed: int, rows: int, targets: int, batch: int) -> None:
        generator = torch.Generator().manual_seed(seed)
        output, target = torch.randn(2, rows, targets, generator=generator, dtype=torch.float64) * 3 + 10
        value = measured(kind, output, target, batch=batch)
        assert same(value, OF_NUMBERS[kind](target.numpy(), output.numpy()), 1e-9)

    holds()


@pytest.mark.parametrize("kind", suiting("numbers"))
def test_what_is_no_number_makes_no_number(kind: str) -> None:
    output, target = torch.randn(2, 9, 2)
    output[4, 1] = NAN
    assert math.isnan(measured(kind, output, target))


def test_a_target_of_0_counts_as_the_smallest_in_a_percentage() -> None:
    output, target = torch.tensor([[1.0], [2.0]]), torch.tensor([[0.0], [4.0]])
    assert same(measured("mape", output, target), reference.mean_absolute_percentage_error(target, output))


@pytest.mark.parametrize("kind", ["r2", "explained_variance", "pearson"])
@pytest.mark.parametrize("batch", [1, 7, 500])
@pytest.mark.parametrize("offset", [2.5e6, -1e9, 1e12])
def test_spreads_are_exact_far_from_0(kind: str, offset: float, batch: int) -> None:
    generator = torch.Generator().manual_seed(1)
    target = offset + torch.randn(500, 2, generator=generator, dtype=torch.float64)
    output = target + 0.1 * torch.randn(500, 2, generator=generator, dtype=torch.float64)
    expected = OF_NUMBERS[kind](target.numpy(), output.numpy())
    assert measured(kind, output, target, batch=batch) == pytest.approx(expected, rel=1e-4)
    assert math.isnan(measured(kind, output, torch.full_like(target, offset + 0.1), batch=batch))


@pytest.mark.parametrize("of", [0, 1, 2])
def test_one_of_three_classes_is_measured_against_the_rest(of: int) -> None:
    output, target = drawn(5, 40, 3)
    share = output.double().softmax(1)[:, of]
    assert same(measured("roc_auc", output, target, of=of), reference.roc_auc_score(target == of, share))
    area = reference.average_precision_score(target == of, share)
    assert same(measured("average_precision", output, target, of=of), area)
    counts = counts_of(target.numpy(), output.argmax(1).numpy(), 3)
    for kind in SCORES:
        assert same(measured(kind, output, target, of=of), score_of(kind, "none", counts)[of])


@pytest.mark.parametrize("kind", ["roc_auc", "average_precision"])
def test_a_ranking_of_yes_or_no_is_that_of_scikit_learn(kind: str) -> None:
    @FEWER
    @given(st.integers(0, 10**6), st.integers(2, 40))
    def holds(seed: int, rows: int) -> None:
        output, target = drawn(seed, rows, 2)
        score, truth = output[:, :1], target[:, None].numpy()
        for of, sign in ((None, 1), (1, 1), (0, -1)):
            value, right = measured(kind, score, target[:, None].float(), of=of), truth == (0 if of == 0 else 1)
            if not right.any() or (kind == "roc_auc" and right.all()):
                assert math.isnan(value)
            else:
                assert same(value, OF_YES_OR_NO[kind](right, sign * score.numpy()))

    holds()


def test_a_metric_of_spreads_is_not_defined_where_all_targets_are_alike() -> None:
    for kind in ("r2", "explained_variance", "pearson"):
        assert math.isnan(measured(kind, torch.randn(9, 1), torch.full((9, 1), 0.1)))
    assert math.isnan(measured("pearson", torch.full((9, 1), 0.1), torch.randn(9, 1)))


@pytest.mark.parametrize("kind", suiting("numbers"))
def test_a_metric_says_whether_numbers_must_differ(kind: str) -> None:
    output = torch.randn(20, 3, generator=torch.Generator().manual_seed(0))
    target = output + 1
    assert math.isfinite(measured(kind, output, target))
    target[:, 1] = 2.5
    assert math.isnan(measured(kind, output, target)) == metric_of(kind).needs_spread


@pytest.mark.parametrize("kind", suiting("binary"))
def test_a_metric_says_whether_each_yes_or_no_must_occur(kind: str) -> None:
    output = torch.randn(20, 3, generator=torch.Generator().manual_seed(0))
    target = (output > 0.1).float()
    assert math.isfinite(measured(kind, output, target))
    target[:, 1] = 1
    assert math.isnan(measured(kind, output, target)) == metric_of(kind).needs_spread


@pytest.mark.parametrize("kind", suiting("classes"))
def test_a_metric_says_which_classes_must_have_a_row(kind: str) -> None:
    metric = metric_of(kind)
    output, target = drawn(0, 40, 3)
    assert all(map(math.isfinite, all_measured(kind, output, target)))
    of_one = measured(kind, output, torch.ones_like(target), of=1) if metric.is_of_one(2) else 0.0
    assert math.isnan(of_one) == metric.needs_other_classes
    alone = [math.isnan(value) for value in all_measured(kind, output, torch.ones_like(target))]
    assert all(alone) == (metric.needs_two_classes or metric.needs_every_class)
    target[target == 2] = 0
    assert any(map(math.isnan, all_measured(kind, output, target))) == metric.needs_every_class
    values: list[float] = []
    for column in (100.0, -100.0):  # the class is always predicted, or never
        output[:, 2] = column
        values += all_measured(kind, output, target, of=2)
    says_nothing = all(math.isnan(value) or value == 0 for value in values)
    assert says_nothing == (metric.needs_every_class or metric.needs_its_class)


def rows_for(kind: str) -> tuple[torch.Tensor, torch.Tensor]:
    if "numbers" in metric_of(kind).suits:
        output, target = torch.randn(2, 30, 2)
        return output, target
    return drawn(3, 30, 3)


@pytest.mark.parametrize("kind", kinds("metrics"))
def test_a_metric_does_not_depend_on_how_rows_are_batched(kind: str) -> None:
    output, target = rows_for(kind)
    values = {tuple(round(v, 12) for v in all_measured(kind, output.double(), target, batch=b)) for b in (1, 4, 30)}
    assert len(values) == 1


@pytest.mark.parametrize("kind", kinds("metrics"))
def test_what_was_kept_halfway_is_gone_on_from_to_the_same_bits(kind: str) -> None:
    output, target = rows_for(kind)
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


@pytest.mark.parametrize("kind", kinds("metrics"))
def test_a_score_is_best_for_the_right_outputs(kind: str) -> None:
    output, target = rows_for(kind)
    metric = metric_of(kind)
    right = target if "numbers" in metric.suits else 20 * torch.eye(3)[target]
    if metric.greater_is_better is not None:
        best, usual = measured(kind, right, target), measured(kind, output, target)
        assert (best > usual) == metric.greater_is_better
