"""Every loss, held against its closed form, with each refusal of outputs that it cannot take."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from itertools import groupby, product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import special, stats
from scipy.spatial import distance
from sklearn.metrics import mean_pinball_loss
from sklearn.utils.class_weight import compute_class_weight
from strategies import draws

import dlrun
from dlrun.components.layers import Layer
from dlrun.components.losses import Loss, OutputForm
from dlrun.components.losses._classes import ClassesLoss
from dlrun.components.losses._compared import ComparingLoss
from dlrun.data.batches import Batch
from dlrun.language.component import choose
from dlrun.language.kinds import find, kinds
from dlrun.plan.answers import Answer
from dlrun.plan.losses import Term
from dlrun.shapes import Shape, ShapeError
from dlrun.training.objective import Objective, Pairing

KINDS = kinds("losses")


NEEDED = {"quantile": {"quantile": 0.3}, "gaussian_nll": {"variance": "spread"}}
"""The settings without which a kind cannot be."""


def loss(written: Any) -> Loss:
    written = {written: NEEDED[written]} if isinstance(written, str) and written in NEEDED else written
    chosen = choose("losses", written)
    assert isinstance(chosen, Loss)
    return chosen


numbers = st.floats(-20, 20, width=32)
batches = st.integers(1, 6).flatmap(lambda rows: st.lists(numbers, min_size=2 * rows, max_size=2 * rows))
"""As many outputs as targets."""


@draws(60)
@given(
    st.lists(st.lists(numbers, min_size=3, max_size=3), min_size=1, max_size=5),
    st.data(),
    st.just(0.0) | st.floats(1e-30, 1),
)
def test_cross_entropy_is_minus_the_log_of_the_right_classs_softmax(
    rows: list[list[float]], data: st.DataObject, smoothing: float
) -> None:
    classes = data.draw(st.lists(st.integers(0, 2), min_size=len(rows), max_size=len(rows)))
    expected = []
    for row, right in zip(rows, classes, strict=True):
        largest = max(row)
        log_sum = largest + math.log(sum(math.exp(x - largest) for x in row))
        losses = [log_sum - x for x in row]
        # Smoothing takes its share of the target from the right class and spreads it over all.
        expected.append((1 - smoothing) * losses[right] + smoothing * sum(losses) / 3)
    output, target = torch.tensor(rows, dtype=torch.float64), torch.tensor(classes)
    value = loss({"cross_entropy": smoothing})(output, target, "")
    assert value.shape == ()
    assert value.item() == pytest.approx(sum(expected) / len(expected), rel=1e-6, abs=1e-9)


@draws(60)
@given(batches, st.data())
def test_binary_cross_entropy_is_the_same_from_logits_and_from_their_probabilities(
    logits: list[float], data: st.DataObject
) -> None:
    answers = data.draw(st.lists(st.integers(0, 1), min_size=len(logits), max_size=len(logits)))
    output = torch.tensor(logits, dtype=torch.float64).clamp(-15, 15).reshape(-1, 1)
    target = torch.tensor(answers, dtype=torch.float64).reshape(-1, 1)
    probabilities = [1 / (1 + math.exp(-x)) for x in output.flatten().tolist()]
    terms = [-math.log(p if y else 1 - p) for p, y in zip(probabilities, answers, strict=True)]
    expected = sum(terms) / len(terms)
    assert loss("binary_cross_entropy")(output, target, "").item() == pytest.approx(expected, rel=1e-6)
    ended = loss("binary_cross_entropy")(output.sigmoid(), target, "probabilities").item()
    assert ended == pytest.approx(expected, rel=1e-6)


def test_binary_cross_entropy_of_logits_stays_exact_where_the_probability_rounds_to_0() -> None:
    output, target = torch.tensor([[-200.0]]), torch.tensor([[1.0]])
    assert loss("binary_cross_entropy")(output, target, "").item() == 200.0


@pytest.mark.parametrize(("kind", "one"), [("mse", lambda d: d * d), ("l1", abs)])
def test_a_loss_on_numbers_is_the_mean_over_all_of_them(kind: str, one: Any) -> None:
    @draws(60)
    @given(batches)
    def holds(values: list[float]) -> None:
        half = len(values) // 2
        outputs, targets = values[:half], values[half:]
        expected = sum(one(x - y) for x, y in zip(outputs, targets, strict=True)) / half
        output = torch.tensor(outputs, dtype=torch.float64).reshape(-1, 1)
        target = torch.tensor(targets, dtype=torch.float64).reshape(-1, 1)
        assert loss(kind)(output, target, "").item() == pytest.approx(expected, rel=1e-9)

    holds()


@pytest.mark.parametrize(
    ("written", "output", "target", "ending", "expected"),
    [
        # -log(e^2 / (e^2 + e^1 + e^0)) = log(1 + e^-1 + e^-2)
        ("cross_entropy", [[2.0, 1.0, 0.0]], [0], "", math.log(1 + math.exp(-1) + math.exp(-2))),
        ("cross_entropy", [[0.0, 0.0], [0.0, 0.0]], [0, 1], "", math.log(2)),
        ("binary_cross_entropy", [[0.0]], [[1.0]], "", math.log(2)),
        (
            "binary_cross_entropy",
            [[0.25], [0.75]],
            [[1.0], [1.0]],
            "probabilities",
            -math.log(0.25 * 0.75) / 2,
        ),
        ("mse", [[1.0, 2.0], [3.0, 4.0]], [[0.0, 0.0], [0.0, 0.0]], "", (1 + 4 + 9 + 16) / 4),
        ("l1", [[1.0, -2.0]], [[0.0, 1.0]], "", (1 + 3) / 2),
    ],
)
def test_losses_worked_by_hand(written: str, output: Any, target: Any, ending: OutputForm, expected: float) -> None:
    value = loss(written)(torch.tensor(output), torch.tensor(target), ending)
    assert value.item() == pytest.approx(expected, rel=1e-6)


def test_the_gradient_of_cross_entropy_is_the_probabilities_less_the_right_class() -> None:
    output = torch.tensor([[1.0, 2.0, 3.0]], requires_grad=True)
    loss("cross_entropy")(output, torch.tensor([1]), "").backward()
    expected = output.detach().softmax(1) - torch.tensor([[0.0, 1.0, 0.0]])
    torch.testing.assert_close(output.grad, expected)


Numbers = np.ndarray[Any, Any]
OF_ROWS = 7
"""Rows of a random case."""
CLASSES = 4


def log_softmax(x: Numbers) -> Numbers:
    return x - np.log(np.exp(x - x.max(1, keepdims=True)).sum(1, keepdims=True)) - x.max(1, keepdims=True)


def picked(values: Numbers, classes: Numbers) -> Numbers:
    return values[np.arange(len(values)), classes]


def sign(y: Numbers) -> Numbers:
    return np.where(y == 1, 1.0, -1.0)


def focal(logs: Numbers, gamma: float) -> Numbers:
    return -((1 - np.exp(logs)) ** gamma) * logs


def nll_of_gauss(x: Numbers, y: Numbers, v: Numbers) -> Numbers:
    """scipy's density, without its constant."""
    return -stats.norm.logpdf(y, x, np.sqrt(v)) - 0.5 * np.log(2 * np.pi)


def margins(x: Numbers, y: Numbers, margin: float) -> Numbers:
    """In a loop, as the paper has it."""
    found = [
        sum(max(0.0, margin - row[right] + row[other]) for other in range(len(row)) if other != right) / len(row)
        for row, right in zip(x, y, strict=True)
    ]
    return np.array(found)


def pinball(x: Numbers, y: Numbers, share: float) -> Numbers:
    return np.array([mean_pinball_loss([one], [guess], alpha=share) for one, guess in zip(y.flat, x.flat, strict=True)])


def huber(d: Numbers, delta: float) -> Numbers:
    return special.huber(delta, d)


def overlap(chances: Numbers, right: Numbers, smooth: float) -> float:
    return 1 - (2 * (chances * right).sum() + smooth) / (chances.sum() + right.sum() + smooth)


def dice(x: Numbers, y: Numbers, smooth: float = 1.0) -> Numbers:
    chances = special.softmax(x, axis=1)
    return np.array(
        [
            np.mean([overlap(row[number], classes == number, smooth) for number in range(len(row))])
            for row, classes in zip(chances, y, strict=True)
        ]
    )


def over_all_paths(x: Numbers, y: Numbers) -> Numbers:
    """The sum over every path of classes and blanks that is the target once repeats and blanks are left out."""
    found, blank = [], x.shape[2] - 1
    for row, target in zip(special.softmax(x, axis=2), y, strict=True):
        wanted, total = tuple(target[target >= 0]), 0.0
        for path in product(range(blank + 1), repeat=len(row)):
            merged = [one for one, _ in groupby(path)]
            if tuple(one for one in merged if one != blank) == wanted:
                total += np.prod([row[step, one] for step, one in enumerate(path)])
        found.append(-np.log(total) / len(wanted))
    return np.array(found)


def batch_hard(x: Numbers, y: Numbers, margin: float) -> Numbers:
    apart, found = distance.squareform(distance.pdist(x)), []
    for row, own in enumerate(y):
        same = [apart[row, other] for other in range(len(y)) if y[other] == own and other != row]
        others = [apart[row, other] for other in range(len(y)) if y[other] != own]
        if same and others:
            found.append(max(0.0, margin + max(same) - min(others)))
    return np.array(found or [0.0])


FORMULAS: dict[str, list[tuple[dict[str, Any], str, Callable[..., Numbers]]]] = {
    "binary_cross_entropy": [
        ({}, "binary", lambda x, y: -stats.bernoulli.logpmf(y, special.expit(x))),
        ({}, "probabilities", lambda x, y: -stats.bernoulli.logpmf(y, x)),
        ({"pos_weight": 3.0}, "binary", lambda x, y: np.logaddexp(0, -sign(y) * x) * np.where(y == 1, 3, 1)),
        ({"pos_weight": 0.2}, "probabilities", lambda x, y: -special.xlogy(y, x) * 0.2 - special.xlog1py(1 - y, -x)),
    ],
    "binary_focal": [
        ({"gamma": 0}, "binary", lambda x, y: np.logaddexp(0, -sign(y) * x)),
        (
            {"gamma": 1.5, "alpha": 0.25},
            "binary",
            lambda x, y: np.where(y == 1, 0.25, 0.75) * focal(special.log_expit(sign(y) * x), 1.5),
        ),
    ],
    "binary_dice": [
        ({}, "binary", lambda x, y: np.array([overlap(special.expit(a), b, 1.0) for a, b in zip(x, y, strict=True)])),
        ({"smooth": 0.1}, "probabilities", lambda x, y: np.array(list(map(overlap, x, y, [0.1] * len(x))))),
    ],
    "cosine": [({}, "vectors", lambda x, y: np.array([distance.cosine(*pair) for pair in zip(x, y, strict=True)]))],
    "cross_entropy": [
        ({}, "classes", lambda x, y: -picked(log_softmax(x), y)),
        (
            {"label_smoothing": 0.3},
            "classes",
            lambda x, y: -0.7 * picked(log_softmax(x), y) - 0.3 * log_softmax(x).mean(1),
        ),
    ],
    "ctc": [({}, "letters", over_all_paths)],
    "dice": [({}, "pixels", dice), ({"smooth": 0.01}, "pixels", lambda x, y: dice(x, y, 0.01))],
    "focal": [
        ({"gamma": gamma}, "classes", lambda x, y, g=gamma: focal(picked(log_softmax(x), y), g)) for gamma in (0, 2)
    ],
    "gaussian_nll": [({"variance": "spread"}, "variance", nll_of_gauss)],
    "hinge": [({}, "binary", lambda x, y: np.maximum(0, 1 - sign(y) * x))],
    "huber": [({"delta": delta}, "numbers", lambda x, y, d=delta: huber(x - y, d)) for delta in (1.0, 2.5)],
    "kl_divergence": [
        ({}, "distribution", lambda x, y: stats.entropy(y, np.exp(log_softmax(x)), axis=1)),
        ({}, "softmax", lambda x, y: stats.entropy(y, x, axis=1)),
        ({}, "log_softmax", lambda x, y: stats.entropy(y, np.exp(x), axis=1)),
    ],
    "l1": [({}, "numbers", lambda x, y: -stats.laplace.logpdf(y, x) - np.log(2))],
    "log_cosh": [({}, "numbers", lambda x, y: -stats.hypsecant.logpdf(x - y) - np.log(np.pi))],
    "mse": [({}, "numbers", lambda x, y: -2 * stats.norm.logpdf(y, x) - np.log(2 * np.pi))],
    "multi_margin": [({"margin": margin}, "classes", lambda x, y, m=margin: margins(x, y, m)) for margin in (1.0, 0.3)],
    "nll": [({}, "logs", lambda x, y: -picked(x, y))],
    "perceptron": [({}, "binary", lambda x, y: np.maximum(0, -sign(y) * x))],
    "poisson_nll": [
        ({}, "counts", lambda x, y: -stats.poisson.logpmf(y, np.exp(x)) - special.gammaln(y + 1)),
        ({"log_input": False}, "rates", lambda x, y: x - y * np.log(x + 1e-8)),
    ],
    "quantile": [({"quantile": share}, "numbers", lambda x, y, q=share: pinball(x, y, q)) for share in (0.1, 0.5, 0.8)],
    "smooth_l1": [({"beta": beta}, "numbers", lambda x, y, b=beta: huber(x - y, b) / b) for beta in (1.0, 0.5)],
    "squared_hinge": [({}, "binary", lambda x, y: np.maximum(0, 1 - sign(y) * x) ** 2)],
    "triplet": [
        ({"margin": margin}, "vectors of classes", partial(batch_hard, margin=margin)) for margin in (1.0, 4.0)
    ],
}
"""For each kind its settings, what its outputs and targets are, and the loss of each row or number by other means."""
FORMS: dict[str, OutputForm] = {
    "probabilities": "probabilities",
    "softmax": "distribution",
    "log_softmax": "log_distribution",
    "logs": "log_distribution",
}


def case(what: str, random: np.random.Generator) -> tuple[Numbers, Numbers, list[Numbers]]:
    """Outputs, targets and further outputs of some rows."""
    rows = int(random.integers(1, OF_ROWS))
    if what == "pixels":
        return random.normal(0, 3, (rows, CLASSES, 2, 3)), random.integers(0, CLASSES, (rows, 2, 3)), []
    if what == "letters":
        letters = random.integers(0, 2, (rows, 2))
        letters[random.random(rows) < 0.3, 1] = -100
        return random.normal(0, 2, (rows, 4, 3)), letters, []
    if what == "vectors of classes":
        return random.normal(0, 2, (rows, 3)), random.integers(0, 3, rows), []
    shape = (
        (rows, CLASSES)
        if what in ("vectors", "classes", "logs", "softmax", "log_softmax", "distribution")
        else (rows, 2)
    )
    x = random.normal(0, 3, shape)
    if what in ("softmax", "log_softmax", "logs"):
        x = log_softmax(x) if what != "softmax" else np.exp(log_softmax(x))
    if what == "rates":
        x = np.exp(x)
    if what == "probabilities":
        x = special.expit(x)
    if what in ("classes", "logs"):
        return x, random.integers(0, CLASSES, rows), []
    if what in ("distribution", "softmax", "log_softmax"):
        return x, random.dirichlet([0.3] * CLASSES, rows), []
    y = random.normal(0, 3, shape)
    if what in ("binary", "probabilities"):
        y = random.integers(0, 2, shape).astype(float)
    if what in ("counts", "rates"):
        y = random.poisson(3, shape).astype(float)
    return x, y, [np.exp(random.normal(0, 1, shape))] if what == "variance" else []


@pytest.mark.parametrize(
    ("kind", "index"), [(kind, index) for kind in FORMULAS for index in range(len(FORMULAS[kind]))]
)
def test_a_loss_is_its_formula_in_three_hundred_random_cases(kind: str, index: int) -> None:
    settings, what, formula = FORMULAS[kind][index]
    chosen, random = loss({kind: settings} if settings else kind), np.random.default_rng(index)
    for _ in range(300):
        x, y, further = case(what, random)
        weights = chosen.weights(["0", "1"], None)
        weight = None if weights is None else torch.tensor(weights, dtype=torch.float64)
        others = [torch.from_numpy(one) for one in further]
        value = chosen(torch.from_numpy(x), torch.from_numpy(y), FORMS.get(what, ""), weight, others)
        assert value.shape == ()
        expected = formula(x, y, *further).mean()
        assert value.item() == pytest.approx(expected, rel=1e-9, abs=1e-11)


def test_every_loss_has_a_formula_here() -> None:
    assert set(FORMULAS) == set(KINDS)


def outputs_of(output: torch.Tensor, further: list[Numbers], **others: torch.Tensor) -> dict[str, torch.Tensor]:
    """The outputs of a network by name."""
    spread = {"spread": torch.from_numpy(further[0])} if further else {}
    return {"y": output, **spread, **others}


def term_of(chosen: Loss, what: str, answer: Answer, weight: tuple[float, ...] | None = None) -> Term:
    return Term(chosen, "y", answer, FORMS.get(what, ""), chosen.kind, False, "", (), weight)


def objective_of(kind: str, index: int, **changed: Any) -> tuple[Objective, str]:
    """The objective of one loss, and what its outputs and targets are."""
    settings, what, _ = FORMULAS[kind][index]
    chosen = loss({kind: settings} if settings else kind)
    weight = changed.get("weight", chosen.weights(["0", "1"], None))
    return Objective([term_of(chosen, what, Answer("y"), weight)], Pairing({})), what


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "triplet"])  # which is of the rows of one batch
def test_the_loss_over_uneven_batches_is_that_of_all_rows_together(kind: str) -> None:
    random = np.random.default_rng(5)
    for index in range(len(FORMULAS[kind])):
        given = {"weight": tuple(random.random(CLASSES))} if issubclass(find("losses", kind), ClassesLoss) else {}
        objective, what = objective_of(kind, index, **given)
        cases = [case(what, random) for _ in range(5)]

        def of(x: Numbers, y: Numbers, further: list[Numbers], objective: Objective = objective) -> list[float]:
            outputs = outputs_of(torch.from_numpy(x), further)
            batch = Batch((torch.zeros(len(x), 1),), {"y": torch.from_numpy(y)})
            return torch.stack(objective(outputs, batch)).tolist()

        whole = [np.concatenate(parts) for parts in zip(*[(x, y) for x, y, _ in cases], strict=True)]
        further = [np.concatenate(parts) for parts in zip(*[rest for _, _, rest in cases], strict=True)]
        found = [(of(*one), len(one[0])) for one in cases]
        parts = zip(*[objective.summed(values, rows) for values, rows in found], strict=True)
        mean = objective.means(list(map(math.fsum, parts)), sum(rows for _, rows in found))[0]
        assert mean == pytest.approx(of(*whole, further)[0], rel=1e-6)


OF_CLASSES = [kind for kind in KINDS if issubclass(find("losses", kind), ClassesLoss) and kind != "dice"]


def test_dice_takes_weights_and_leaves_out_positions_and_rows() -> None:
    random, chosen = np.random.default_rng(8), loss("dice")
    x, y = random.normal(size=(6, CLASSES, 2, 3)), random.integers(0, CLASSES, (6, 2, 3))
    counts, weight = random.random(y.shape) < 0.7, random.random(CLASSES) + 0.1
    counts[2] = False
    expected = []
    for row, classes, known in zip(special.softmax(x, axis=1), y, counts, strict=True):
        each = [overlap(row[number] * known, (classes == number) * known, 1.0) for number in range(CLASSES)]
        expected += [np.average(each, weights=weight)] * bool(known.any())
    given = torch.from_numpy(np.where(counts, y, -100))
    value = chosen(torch.from_numpy(x), given, "", torch.from_numpy(weight))
    assert value.item() == pytest.approx(np.mean(expected))
    assert chosen.amount(given, torch.from_numpy(weight)).item() == 5


@pytest.mark.parametrize("kind", OF_CLASSES)
def test_weights_and_classes_below_0_are_those_of_the_definition(kind: str) -> None:
    random = np.random.default_rng(6)
    for index, (settings, what, formula) in enumerate(FORMULAS[kind]):
        chosen = loss({kind: settings} if settings else kind)
        for _ in range(100):
            x, y, _ = case(what, random)
            weight = random.random(CLASSES) + 0.1
            counts = random.random(len(y)) < 0.7
            given = torch.from_numpy(np.where(counts, y, -100))
            value = chosen(torch.from_numpy(x), given, FORMS.get(what, ""), torch.from_numpy(weight)).item()
            rows, weights = formula(x, y), weight[y] * counts
            if settings.get("label_smoothing"):  # the smoothed part is weighted by each class, as torch has it
                smoothed = 0.3 * (-log_softmax(x) * weight).mean(1) * counts
                rows, weights = -log_softmax(x)[np.arange(len(y)), y] * 0.7 * weights + smoothed, weight[y] * counts
                expected = rows.sum() / weights.sum() if counts.any() else 0.0
                if counts.any():
                    theirs = torch.nn.CrossEntropyLoss(torch.from_numpy(weight), label_smoothing=0.3)
                    assert expected == pytest.approx(theirs(torch.from_numpy(x), given).item())
            else:
                expected = (rows * weights).sum() / weights.sum() if counts.any() else 0.0
            assert value == pytest.approx(expected, rel=1e-9, abs=1e-12), index
            amount = chosen.amount(given, torch.from_numpy(weight)).item()
            assert amount == pytest.approx((weight[y] * counts).sum())


@pytest.mark.parametrize("kind", OF_CLASSES)
def test_where_nothing_counts_the_loss_and_its_gradient_are_0(kind: str) -> None:
    settings, what, _ = FORMULAS[kind][0]
    x, _, _ = case(what, np.random.default_rng(0))
    output = torch.from_numpy(x).requires_grad_()
    value = loss({kind: settings} if settings else kind)(
        output, torch.full((len(x),), -100), FORMS.get(what, ""), torch.ones(CLASSES, dtype=torch.float64)
    )
    value.backward()
    assert value.item() == 0 and output.grad is not None and not output.grad.any()


@pytest.mark.parametrize("kind", OF_CLASSES)
def test_mixed_targets_have_the_losses_of_their_classes_by_their_shares(kind: str) -> None:
    random = np.random.default_rng(2)
    for settings, what, _ in FORMULAS[kind]:
        chosen, form = loss({kind: settings} if settings else kind), FORMS.get(what, "")
        x, _, _ = case(what, random)
        x = x[:1]
        shares = random.dirichlet([1] * CLASSES)
        each = [chosen(torch.from_numpy(x), torch.tensor([number]), form).item() for number in range(CLASSES)]
        mixed = chosen(torch.from_numpy(x), torch.from_numpy(shares[None]), form).item()
        assert mixed == pytest.approx(float(np.dot(shares, each)), rel=1e-9)


def test_balanced_weights_are_those_of_scikit_learn() -> None:
    classes = [0] * 70 + [1] * 25 + [2] * 5
    expected = compute_class_weight("balanced", classes=np.arange(3), y=np.array(classes))
    found = loss({"cross_entropy": {"weight": "balanced"}}).weights(["a", "b", "c"], [70, 25, 5])
    assert found == pytest.approx(expected)
    assert loss({"binary_cross_entropy": {"pos_weight": "balanced"}}).weights(["no", "yes"], [90, 30]) == (3.0,)
    assert loss({"cross_entropy": {"weight": {"b": 5}}}).weights(["a", "b", "c"], None) == (1.0, 5.0, 1.0)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if issubclass(find("losses", kind), ComparingLoss)])
def test_outputs_are_compared_with_a_number_or_with_another_output(kind: str) -> None:
    settings, what, _ = FORMULAS[kind][0]
    x, y, further = case(what, np.random.default_rng(4))
    batch = Batch((torch.zeros(len(x), 1),), {})
    for follows in (False, True):
        chosen = loss({kind: {**settings, "target": "other", "target_gradient": follows}})
        term = term_of(chosen, what, Answer("other", "output", follows=chosen.follows_target))
        output, other = (torch.from_numpy(values).requires_grad_() for values in (x, y))
        outputs = outputs_of(output, further, other=other)
        (value,) = Objective([term], Pairing({}))(outputs, batch)
        weights = chosen.weights(["0", "1"], None)
        assert weights is None and value.item() == pytest.approx(FORMULAS[kind][0][2](x, y, *further).mean())
        value.backward()
        assert (other.grad is not None) == follows and output.grad is not None
    number = term_of(loss({kind: {**settings, "target": 1}}), what, Answer("", "number", 1.0))
    (value,) = Objective([number], Pairing({}))(outputs_of(torch.from_numpy(x), further), batch)
    if what != "distribution":
        assert value.item() == pytest.approx(FORMULAS[kind][0][2](x, np.ones_like(x), *further).mean())


REFUSALS: list[tuple[str, Shape, Shape, int | None, OutputForm, str, str]] = [
    (
        "cross_entropy",
        (10,),
        (),
        10,
        "distribution",
        "takes logits and applies the softmax itself",
        "remove the final",
    ),
    (
        "cross_entropy",
        (10,),
        (),
        10,
        "probabilities",
        "the network ends in a sigmoid",
        "`binary_cross_entropy`",
    ),
    ("cross_entropy", (10, 4), (), 10, "", "one output for each class; the network outputs (10, 4)", ""),
    (
        "cross_entropy",
        (9,),
        (),
        10,
        "",
        "the data has 10 classes, but the network outputs (9,)",
        "`- linear: $classes`",
    ),
    (
        "binary_cross_entropy",
        (1,),
        (),
        2,
        "distribution",
        "a softmax makes them sum to 1",
        "end in `- linear: 1`",
    ),
    (
        "binary_cross_entropy",
        (3,),
        (),
        3,
        "",
        "needs two classes; the target has 3",
        "use cross_entropy",
    ),
    (
        "binary_cross_entropy",
        (2,),
        (),
        2,
        "",
        "outputs of shape (1,); the network outputs (2,)",
        "`- linear: 1`",
    ),
    (
        "binary_cross_entropy",
        (1,),
        (4,),
        None,
        "",
        "outputs of shape (4,); the network outputs (1,)",
        "`- linear: 4`",
    ),
    ("mse", (2,), (), None, "", "outputs of shape (1,); the network outputs (2,)", "end in `- linear: 1`"),
    ("mse", (1,), (3,), None, "", "outputs of shape (3,); the network outputs (1,)", "end in `- linear: 3`"),
    ("mse", (1, 8, 8), (8, 8), None, "", "outputs of shape (8, 8); the network outputs (1, 8, 8)", ""),
    ("l1", (), (3,), None, "", "outputs of shape (3,)", "end in `- linear: 3`"),
    ("triplet", (2, 3), (), 10, "", "one vector for each row", ""),
    ("triplet", (3,), (4,), 10, "", "one class a row", ""),
    ("dice", (4,), (), 4, "", "dice is for a class at each of several positions", "use `cross_entropy`"),
    ("dice", (3, 8, 8), (8, 8), 4, "", "the data has 4 classes", "`- linear: $classes`"),
    ("binary_dice", (1, 8, 8), (8, 8), None, "", "outputs of shape (8, 8)", ""),
    ("ctc", (9, 5), (), 4, "", "ctc is for a sequence of classes", "use `cross_entropy`"),
    ("ctc", (3, 5), (4,), 4, "", "outputs of at least 4 steps; the network outputs (3, 5)", "`output: sequence`"),
    ("ctc", (9, 4), (4,), 4, "", "each of the 4 classes and one more; the network outputs (9, 4)", "$(classes + 1)"),
    ("nll", (10,), (), 10, "", "takes the logs of probabilities", "end in `- log_softmax`"),
    ("nll", (9,), (), 10, "log_distribution", "the data has 10 classes", "`- linear: $classes`"),
    (
        "focal",
        (10,),
        (),
        10,
        "distribution",
        "focal takes logits and applies the softmax",
        "remove the final `softmax`",
    ),
    ("multi_margin", (10,), (), 10, "distribution", "scores, which may be any numbers", "remove the final `softmax`"),
    (
        "kl_divergence",
        (4,),
        (4,),
        None,
        "probabilities",
        "a sigmoid makes independent ones",
        "remove the final sigmoid",
    ),
    *(
        (kind, (1,), (), 2, "probabilities", "scores, which may be any numbers", "remove the final `sigmoid`")
        for kind in ("binary_focal", "hinge", "perceptron", "squared_hinge")
    ),
    *(
        (kind, (2,), (), None, "", "outputs of shape (1,); the network outputs (2,)", "end in `- linear: 1`")
        for kind in ("cosine", "gaussian_nll", "huber", "log_cosh", "poisson_nll", "quantile", "smooth_l1")
    ),
]


@pytest.mark.parametrize(("kind", "output", "target", "classes", "ending", "message", "hint"), REFUSALS)
def test_outputs_that_a_loss_cannot_take_are_refused_with_the_way_out(
    kind: str, output: Shape, target: Shape, classes: int | None, ending: OutputForm, message: str, hint: str
) -> None:
    with pytest.raises(ShapeError) as raised:
        loss(kind).check(output, target, classes, ending)
    assert message in raised.value.message
    assert hint in raised.value.hint


@pytest.mark.parametrize(
    ("kind", "output", "target", "classes", "ending"),
    [
        ("cross_entropy", (10,), (), 10, ""),
        ("cross_entropy", (12,), (), 10, ""),
        ("binary_cross_entropy", (1,), (), 2, ""),
        ("binary_cross_entropy", (1,), (), 2, "probabilities"),
        ("binary_cross_entropy", (4,), (4,), None, "probabilities"),
        ("mse", (1,), (), None, ""),
        ("mse", (8, 8), (8, 8), None, "probabilities"),
        ("l1", (3,), (3,), None, "distribution"),
    ],
)
def test_outputs_that_fit_are_taken_and_give_one_finite_number(
    kind: str, output: Shape, target: Shape, classes: int | None, ending: OutputForm
) -> None:
    chosen = loss(kind)
    chosen.check(output, target, classes, ending)
    torch.manual_seed(0)
    x = torch.rand(5, *output)
    y = torch.randint(0, classes or 1, (5,)) if chosen.wants == "classes" else torch.rand(5, *output).round()
    value = chosen(x, y, ending)
    assert value.shape == ()
    assert value.isfinite()


def test_every_loss_is_refused_something_here() -> None:
    assert {refusal[0] for refusal in REFUSALS} == set(KINDS)


@pytest.mark.parametrize("last", ["- sigmoid", "- sigmoid: 2", "- sigmoid\n  - reshape: [1, 1]\n  - flatten"])
def test_a_final_sigmoid_is_judged_by_the_logit_under_it(last: str, tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_text("x,y\n" + "".join(f"{17 if i % 2 else -17},{1 - i % 2}\n" for i in range(40)))
    spec = tmp_path / "spec.yaml"
    spec.write_text(
        "data: {source: {csv: data.csv}, target: y}\n"
        "model:\n  layers:\n  - linear: {out_features: 1, init: {normal: {mean: 1, std: 1.0e-9}}, bias: false}\n  "
        + last
        + "\n"
        "loss: binary_cross_entropy\nmetrics: [accuracy]\noptimizer: {sgd: {lr: 1.0e-30}}\n"
        "train: {epochs: 2}\ntracking: off\n"
    )
    outcome = dlrun.train(spec, runs=tmp_path / "runs")
    wrong = 34.0 if "2" in last else 17.0
    assert outcome.test["loss"] == pytest.approx(wrong, rel=1e-5)
    assert dlrun.read_run(outcome.folder).metric("train/loss") == pytest.approx([wrong, wrong], rel=1e-5)
    assert dlrun.load_network(outcome.folder)(torch.tensor([[17.0]])).item() == pytest.approx(1.0)


LAYERS = [choose("layers", kind) for kind in kinds("layers") if kind in ("sigmoid", "hardsigmoid")]


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: layer.kind)
def test_a_layer_with_logits_is_their_sigmoid(layer: Layer) -> None:
    if layer.logit_slope is not None:
        x = torch.linspace(-20, 20, 101)
        torch.testing.assert_close(layer.build((101,))(x), (layer.logit_slope * x).sigmoid())
