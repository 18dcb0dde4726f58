"""Every constraint, held against NumPy, and after every step of a training."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import networks
import numpy as np
import pytest
import safetensors.torch
import torch
from hypothesis import given
from hypothesis import strategies as st
from strategies import components, draws, sample_shapes

import dlrun
from dlrun.components.constraints import Constraint
from dlrun.language.component import choose
from dlrun.language.kinds import kinds
from dlrun.training.lifecycle.setup import prepare_training
from dlrun.training.loop import Training
from dlrun.training.speed.capture import can_capture

KINDS = kinds("constraints")
Matrix = np.ndarray[tuple[int, int], np.dtype[np.float64]]
EXAMPLES: dict[str, Any] = {
    "clip": {"min": -0.05, "max": 0.08},
    "max_norm": 0.3,
    "non_negative": {},
    "unit_norm": {},
}
OBEYING: dict[str, Callable[[Matrix], Matrix]] = {
    "clip": lambda w: np.array([[min(max(value, -0.05), 0.08) for value in row] for row in w]),
    "max_norm": lambda w: np.array([row * 0.3 / math.hypot(*row) if math.hypot(*row) > 0.3 else row for row in w]),
    "non_negative": lambda w: np.array([[value if value > 0 else 0 for value in row] for row in w]),
    "unit_norm": lambda w: np.array([row / math.hypot(*row) for row in w]),
}
"""What each makes of a weight as a matrix with a row for each output unit, with the settings of `EXAMPLES`."""


def constraint(kind: str, settings: Any = None) -> Constraint:
    chosen = choose("constraints", {kind: EXAMPLES[kind] if settings is None else settings})
    assert isinstance(chosen, Constraint)
    return chosen


def test_every_constraint_has_its_formula_here() -> None:
    assert set(OBEYING) == set(EXAMPLES) == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_weights_become_what_the_formula_says_in_place(kind: str) -> None:
    @draws(60)
    @given(st.lists(sample_shapes(1, 4, 5), min_size=1, max_size=3), st.integers(0, 2**32))
    def holds(shapes: list[tuple[int, ...]], seed: int) -> None:
        generator = torch.Generator().manual_seed(seed)
        weights = [torch.randn(shape, generator=generator) * 0.3 for shape in shapes]
        expected = [OBEYING[kind](weight.double().numpy().reshape(len(weight), -1)) for weight in weights]
        constraint(kind).apply(weights)
        for weight, wanted in zip(weights, expected, strict=True):
            np.testing.assert_allclose(weight.numpy().reshape(len(weight), -1), wanted, rtol=1e-5, atol=1e-7)
            again = weight.clone()
            constraint(kind).apply([again])
            torch.testing.assert_close(again, weight, rtol=1e-6, atol=1e-7)

    holds()


def test_weights_within_the_bound_keep_their_bits() -> None:
    weight = torch.randn(50, 3) * 0.1
    before = weight.clone()
    constraint("max_norm", 10.0).apply([weight])
    assert torch.equal(weight, before)


@pytest.mark.parametrize("kind", ["unit_norm", "max_norm"])
def test_a_unit_whose_weights_are_all_0_stays_as_it_is(kind: str) -> None:
    weight = torch.tensor([[0.0, 0.0], [3.0, 4.0]])
    constraint(kind, {"max": 1} if kind == "max_norm" else {}).apply([weight])
    torch.testing.assert_close(weight, torch.tensor([[0.0, 0.0], [0.6, 0.8]]))


def test_a_constraint_that_keeps_another_one_does() -> None:
    kept: list[bool] = []
    some = st.sampled_from(KINDS).flatmap(lambda kind: components("constraints", kind))

    @draws(400)
    @given(some, some, st.integers(0, 2**32))
    def holds(former: Any, latter: Any, seed: int) -> None:
        weight = torch.randn(20, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        former.apply([weight])
        latter.apply([weight])
        if latter.keeps(former):
            again = weight.clone()
            former.apply([again])
            torch.testing.assert_close(again, weight)
        kept.append(latter.keeps(former))

    holds()
    assert 50 < sum(kept) < len(kept) - 50


@pytest.mark.parametrize(
    ("former", "latter", "kept"),
    [
        ({"unit_norm": {}}, {"max_norm": 0.5}, False),
        ({"max_norm": 0.5}, {"unit_norm": {}}, False),
        ({"unit_norm": {}}, {"max_norm": 1}, True),
        ({"unit_norm": {}}, {"non_negative": {}}, False),
        ({"non_negative": {}}, {"unit_norm": {}}, True),
        ({"max_norm": 2}, {"non_negative": {}}, True),
        ({"max_norm": 2}, {"clip": {"min": 0.5}}, False),
        ({"clip": {"min": 0.5}}, {"max_norm": 2}, False),
        ({"clip": {"max": -1}}, {"non_negative": {}}, False),
        ({"clip": {"min": -1, "max": 1}}, {"unit_norm": {}}, True),
        ({"clip": {"min": -0.1, "max": 1}}, {"unit_norm": {}}, False),
        ({"unit_norm": {}}, {"clip": {"min": -1, "max": 1}}, True),
    ],
)
def test_which_constraint_keeps_which(former: Any, latter: Any, kept: bool) -> None:
    one, other = choose("constraints", former), choose("constraints", latter)
    assert isinstance(one, Constraint) and isinstance(other, Constraint)
    assert other.keeps(one) is kept


SPEC = """
data: {source: {npz: rows.npz}, features: x, target: y, split: {validation: 0.25, test: 0}}
model:
  layers:
    - reshape: [4, 2, 2]
    - conv_transpose2d: {out_channels: 6, kernel_size: 2, groups: 2, name: up}
    - conv2d: {out_channels: 4, kernel_size: 2, name: kernels}
    - relu
    - reshape: [4, 4]
    - rnn: {hidden_size: 3, name: memory}
    - linear: {out_features: 4, name: free}
    - tanh
    - linear: {out_features: 3, name: last}
  freeze: [free]
loss: cross_entropy
optimizer: {sgd: {lr: 0.5, momentum: 0.9}}
train: {epochs: 6, batch_size: 16}
"""
BOUND = ("up.weight", "kernels.weight", "memory.weight_ih_l0", "memory.weight_hh_l0", "last.weight")


@pytest.fixture(autouse=True)
def rows(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    x = random.normal(size=(160, 16)).astype(np.float32)
    np.savez(tmp_path / "rows.npz", x=x, y=(x[:, 0] > 0) + (x[:, 1] > 0))


def by_unit(name: str, weight: torch.Tensor) -> Matrix:
    """A weight with a row for each output unit."""
    weights = weight.detach().double().cpu().numpy()
    if name == "up.weight":  # (in, out / groups, ...): each half of the inputs leads to its own three outputs
        weights = np.concatenate([weights[:2].swapaxes(0, 1), weights[2:].swapaxes(0, 1)])
    return weights.reshape(len(weights), -1)


def obeys(kind: str, weights: dict[str, torch.Tensor]) -> bool:
    return all(
        np.allclose(OBEYING[kind](by_unit(name, weights[name])), by_unit(name, weights[name]), rtol=1e-6, atol=1e-7)
        for name in BOUND
    )


class Obeying(networks.Trained):
    """A training of which the weights are looked at after every step."""

    kind = ""
    steps = 0

    def after_step(self, training: Training) -> None:
        assert obeys(self.kind, training.task.network.state_dict())
        self.steps += 1


@pytest.mark.parametrize("optimizer", ["{sgd: {lr: 0.5, momentum: 0.9}}", "{rmsprop: {lr: 0.01}}"])
@pytest.mark.parametrize("kind", KINDS)
def test_it_holds_at_the_start_and_after_every_step(kind: str, optimizer: str, tmp_path: Path) -> None:
    written = f"constraints=[{{{kind}: {EXAMPLES[kind]}}}]"
    ready = prepare_training(networks.checked(tmp_path, SPEC, f"optimizer={optimizer}", written))
    start = {name: value.clone() for name, value in ready.network.state_dict().items()}
    assert obeys(kind, start)
    done = Obeying(ready)
    done.kind = kind
    Training(ready.task, done, done, done.state).run()
    assert done.steps == 6 * 8  # the last ones are captured
    after = ready.network.state_dict()
    assert not torch.equal(after["last.weight"], start["last.weight"])
    assert torch.equal(after["free.weight"], start["free.weight"])
    assert not obeys(kind, prepare_training(networks.checked(tmp_path, SPEC)).network.state_dict())


@pytest.mark.skipif(not can_capture(), reason="this Python's torch cannot capture a step")
@pytest.mark.parametrize(
    "changes",
    [
        ("optimizer=adam",),  # whose step is not captured, but the constraint is
        ("optimizer={rmsprop: {lr: 0.01}}",),
        ("optimizer={rmsprop: {lr: 0.01}}", "schedule=cosine_annealing"),
    ],
    ids=["adam", "rmsprop", "schedule"],
)
@pytest.mark.parametrize("kind", KINDS)
def test_a_captured_training_under_a_constraint_has_the_bits_of_one_that_was_not(
    kind: str, changes: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = f"constraints=[{{{kind}: {EXAMPLES[kind]}}}]"
    codes = networks.two_ways(tmp_path, SPEC, monkeypatch, *changes, written)
    assert codes and all(code is not None for code in codes)


@pytest.mark.parametrize("kind", KINDS)
def test_the_weights_that_are_saved_obey(kind: str, tmp_path: Path) -> None:
    (tmp_path / "spec.yaml").write_text(SPEC + "tracking: off\nbaselines: off\n")
    change = f"constraints=[{{{kind}: {EXAMPLES[kind]}}}]"
    run = dlrun.train(tmp_path / "spec.yaml", "train.device=cpu", change, runs=tmp_path / "runs")
    for file in ("best.safetensors", "last.safetensors"):
        assert obeys(kind, safetensors.torch.load_file(run.folder / file))


def test_a_layer_has_constraints_of_its_own_and_a_tied_weight_obeys_once(tmp_path: Path) -> None:
    spec = """
data: {source: {npz: rows.npz}, features: indices, target: y}
model:
  layers:
    - embedding: {num_embeddings: 9, embedding_dim: 3, name: words, constraints: [unit_norm]}
    - select: -1
    - linear: {out_features: 9, bias: false, tied_to: words}
    - linear: 3
loss: cross_entropy
optimizer: adam
constraints: [non_negative: {weights: words}]
"""
    random = np.random.default_rng(1)
    np.savez(tmp_path / "rows.npz", indices=random.integers(0, 9, size=(60, 5)), y=random.integers(0, 3, size=60))
    done = networks.train(tmp_path, spec, "train.epochs=2")
    assert [bound.constraint.kind for bound in done.ready.task.bounds] == ["non_negative", "unit_norm"]
    assert all(len(bound.weights) == 1 for bound in done.ready.task.bounds)
    words = done.ready.network.state_dict()["words.weight"].cpu()
    torch.testing.assert_close(words.norm(dim=1), torch.ones(9))
    assert (words >= 0).all()


def test_biases_obey_only_if_asked(tmp_path: Path) -> None:
    for asked in (False, True):
        written = f"constraints=[clip: {{min: 0.01, max: 0.02, weights: last, include_biases: {str(asked).lower()}}}]"
        bias = networks.train(tmp_path, SPEC, "train.epochs=1", written).ready.network.state_dict()["last.bias"]
        assert bool(((bias >= 0.0099) & (bias <= 0.0201)).all()) is asked
