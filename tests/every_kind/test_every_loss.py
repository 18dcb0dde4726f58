"""Every loss, held against its closed form, with each refusal of outputs that it cannot take."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from strategies import draws

import dlrun
from dlrun.components.layers import Layer
from dlrun.components.losses import Loss, OutputForm
from dlrun.language.component import choose
from dlrun.language.kinds import kinds
from dlrun.shapes import Shape, ShapeError

KINDS = kinds("losses")


def loss(written: Any) -> Loss:
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
