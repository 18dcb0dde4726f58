"""Steps as straight-line code: the same bits, or none of it."""

import sys
import warnings
from pathlib import Path

import networks
import pytest
import torch
from torch import nn
from torch.nn import functional

from dlrun.checks.check import check
from dlrun.components.optimizers.adam import Adam
from dlrun.components.optimizers.rmsprop import Rmsprop
from dlrun.components.optimizers.sgd import Sgd
from dlrun.language.kinds import find, kinds
from dlrun.modules.dropout import Dropout
from dlrun.modules.private_torch import NotAvailableError
from dlrun.training.lifecycle.setup import prepare_training
from dlrun.training.speed import flat_weights, recording
from dlrun.training.speed.capture import can_capture, capture
from dlrun.training.speed.fast_step import FastStep
from dlrun.training.speed.flat_weights import MOST, FlatWeights

DIGITS = """
data: {source: {sklearn: digits}, preprocess: [minmax]}
model:
  input: [1, 8, 8]
  layers: %s
loss: %s
metrics: [%s]
regularizers: [l2: 1e-4]
optimizer: %s
train: {epochs: 6, batch_size: 64, clip_grad_norm: 1.0}
"""
MLP = "[flatten, {linear: 24}, layer_norm, relu, {dropout: 0.3}, {gaussian_noise: 0.1}, {linear: %s}]"
CONV = "[{conv2d: {out_channels: 4, kernel_size: 3}}, {max_pool2d: 2}, tanh, flatten, {linear: 10}]"

needs_capture = pytest.mark.skipif(not can_capture(), reason="this Python's torch cannot capture a step")


@needs_capture
@pytest.mark.parametrize(
    ("layers", "loss", "optimizer"),
    [
        (MLP % 10, "cross_entropy", "{adamw: {lr: 1e-2}}"),
        (MLP % 10, "cross_entropy", "{rmsprop: {lr: 1e-3, momentum: 0.5}}"),
        (CONV, "cross_entropy", "{sgd: {lr: 0.1, momentum: 0.9}}"),
        (MLP % 10, "cross_entropy", "[adamw: {weights: linear_1}, rmsprop: {lr: 1e-3}]"),
        (
            MLP % 10,
            "cross_entropy",
            "[radam: {weights: linear_1}, lion: {weights: '*.bias'}, muon: {weights: linear_2}, sgd]",
        ),
        ("[{linear: 8}, {batch_norm: {name: b}}, relu, flatten, {linear: 10}]", "cross_entropy", "adam"),
    ],
)
@pytest.mark.parametrize("schedule", ["", "schedule: cosine_annealing"])
def test_a_captured_training_ends_in_the_bits_of_one_that_was_not(
    layers: str, loss: str, optimizer: str, schedule: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    codes = networks.two_ways(tmp_path, DIGITS % (layers, loss, "accuracy", optimizer) + schedule, monkeypatch)
    assert len(codes) == 4  # steps and validation, each in whole batches and in the rest
    assert all(code is not None for code in codes)


@needs_capture
@pytest.mark.parametrize("flat", [False, True])
@pytest.mark.parametrize("optimizer", networks.STEPPING)
def test_a_captured_training_ends_in_the_bits_of_one_that_was_not_with_every_optimizer(
    optimizer: str, flat: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not flat:
        monkeypatch.setattr(flat_weights, "MOST", 0)
    layers = "[flatten, {linear: {out_features: 24, bias: false}}, relu, {linear: {out_features: 10, bias: false}}]"
    decay = f"{{{optimizer}: {{weight_decay: 1e-2}}}}"
    codes = networks.two_ways(tmp_path, DIGITS % (layers, "cross_entropy", "accuracy", decay), monkeypatch)
    assert len(codes) == 4 and all(code is not None for code in codes)


@needs_capture
@pytest.mark.parametrize("units", [8, 4000])
@pytest.mark.parametrize("optimizer", networks.STEPPING)
def test_the_step_of_an_optimizer_is_captured_unless_it_is_one_kernel(
    optimizer: str, units: int, tmp_path: Path
) -> None:
    layers = (
        f"[flatten, {{linear: {{out_features: {units}, bias: false}}}}, {{linear: {{out_features: 10, bias: false}}}}]"
    )
    (tmp_path / "spec.yaml").write_text(DIGITS % (layers, "cross_entropy", "accuracy", optimizer))
    task = prepare_training(check(tmp_path / "spec.yaml", training=True)).task
    assert FastStep(task).moves == (not task.groups[0].optimizer.fused)


@needs_capture
@pytest.mark.parametrize("optimizer", networks.SEARCHING)
def test_a_captured_training_ends_in_the_bits_of_one_that_was_not_where_the_loss_is_searched(
    optimizer: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layers = "[flatten, {linear: 24}, batch_norm, tanh, {dropout: 0.3}, {linear: 10}]"
    spec = DIGITS.replace("epochs: 6, batch_size: 64, clip_grad_norm: 1.0", "epochs: 8, batch_size: full")
    codes = networks.two_ways(tmp_path, spec % (layers, "cross_entropy", "accuracy", optimizer), monkeypatch)
    assert len(codes) == 2 and all(code is not None for code in codes)  # steps and validation


@needs_capture
def test_a_captured_training_on_mixed_targets_does_so_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = DIGITS % (MLP % 10, "cross_entropy", "accuracy, f1", "adam")
    mixing = spec.replace("preprocess: [minmax]", "preprocess: [minmax], augment: [mixup: 0.4, cutmix: 1.0]")
    assert all(code is not None for code in networks.two_ways(tmp_path, mixing, monkeypatch))


TARGETS = {
    "classes": ("{sklearn: digits}", "linear: 10", "cross_entropy"),
    "binary": ("{moons: {rows: 300, noise: 0.3}}", "linear: 1", "binary_cross_entropy"),
    "numbers": ("{sklearn: diabetes}", "linear: 1", "mse"),
}


@needs_capture
@pytest.mark.parametrize("wants", TARGETS)
def test_every_metric_is_captured(wants: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, layers, loss = TARGETS[wants]
    suiting = [kind for kind in kinds("metrics") if wants in find("metrics", kind).suits]  # type: ignore[attr-defined]
    spec = f"""
        data: {{source: {source}, split: {{validation: 0.2}}}}
        model: {{layers: [{layers}]}}
        loss: {loss}
        metrics: [{", ".join(suiting)}]
        optimizer: {{adam: {{lr: 0.1}}}}
        train: {{epochs: 6, batch_size: 64}}
    """
    codes = networks.two_ways(tmp_path, spec, monkeypatch)
    assert len(codes) >= 3  # steps in whole batches and in the rest, and validation
    assert all(code is not None for code in codes)


ELSEWHERE = ("ctc", "dice")
"""Losses for rows of several classes: dice is in test_what_counts.py; torch's ctc reads the lengths back."""
HEADS = {
    "nll": ("{sklearn: digits}", "linear: 10, log_softmax", ""),
    "gaussian_nll": (
        "{sklearn: diabetes}",
        "linear: {out_features: 1, name: mean}, input: input, linear: 1, softplus: {name: spread}",
        "outputs: [mean, spread], ",
    ),
    "poisson_nll": ("{sklearn: diabetes}", "linear: 1", ""),
    "kl_divergence": (
        "{sklearn: digits}",
        "linear: {out_features: 5, name: mean}, input: input, linear: 5, softmax: {name: teacher}",
        "outputs: [mean, teacher], ",
    ),
}
"""The networks of losses that take outputs of a form of their own: source, layers, outputs."""
OWN = {
    "gaussian_nll": "{gaussian_nll: {output: mean, variance: spread}}",
    "kl_divergence": "{kl_divergence: {output: mean, target: teacher}}",
    "quantile": "{quantile: 0.9}",
    "cross_entropy": "{cross_entropy: {weight: balanced}}",
    "focal": "{focal: {weight: {'3': 2}}}",
    "binary_cross_entropy": "{binary_cross_entropy: {pos_weight: balanced}}",
}


@needs_capture
@pytest.mark.parametrize("kind", [kind for kind in kinds("losses") if kind not in ELSEWHERE])
def test_every_loss_is_captured(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usual = TARGETS[find("losses", kind).wants]  # type: ignore[attr-defined]
    source, layers, outputs = HEADS.get(kind, (usual[0], usual[1], ""))
    spec = f"""
        data: {{source: {source}, split: {{validation: 0.2}}, preprocess: [standardize]}}
        model: {{{outputs}layers: [{layers}]}}
        loss: {OWN.get(kind, kind)}
        optimizer: {{adam: {{lr: 0.01}}}}
        train: {{epochs: 6, batch_size: 64}}
    """
    codes = networks.two_ways(tmp_path, spec, monkeypatch)
    assert len(codes) >= 3 and all(code is not None for code in codes)


class Halving(nn.Module):
    """Does something that code without Python cannot do again."""

    def __init__(self, how: str):
        super().__init__()
        self.how = how
        self.weight = nn.Parameter(torch.ones(3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.how == "reads a number back":
            return x * self.weight * x.mean().item()
        if self.how == "has a tensor from elsewhere":
            return x * self.weight * torch.ones(3).numpy().sum() * HALF
        return x * self.weight


HALF = torch.tensor(0.5)


def _gradient(network: nn.Module):
    def compute(weight: torch.Tensor, x: torch.Tensor) -> list[torch.Tensor]:
        loss = network(x).square().sum()
        return [loss.detach(), *torch.autograd.grad(loss, [weight])]

    return compute


@needs_capture
@pytest.mark.parametrize("how", ["reads a number back", "has a tensor from elsewhere"])
def test_what_cannot_be_captured_is_computed_all_the_same(how: str) -> None:
    network, x = Halving(how), torch.randn(4, 3)
    compute = _gradient(network)
    results, code = capture(compute, [network.weight, x], [])
    assert code is None
    for found, expected in zip(results, compute(network.weight, x), strict=True):
        assert torch.equal(found, expected)


@needs_capture
@pytest.mark.parametrize("why", ["there is too much", "an operator does not say where its result lies"])
def test_what_is_not_safe_to_record_is_computed_all_the_same(why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if why == "there is too much":
        monkeypatch.setattr(recording, "MOST_BYTES", 100)
    else:
        monkeypatch.setattr(recording, "VIEW_EQUIVALENT", {})
    x = torch.randn(4, 3, 2)

    def compute(x: torch.Tensor) -> list[torch.Tensor]:
        return [x.transpose(0, 1).reshape(3, 8) * 2]

    results, code = capture(compute, [x], [])
    assert code is None
    assert torch.equal(results[0], compute(x)[0])
    monkeypatch.undo()
    assert capture(compute, [x], [])[1] is not None


@needs_capture
@pytest.mark.parametrize("bias", [True, False])
def test_the_static_runtime_gets_nothing_that_leaves_a_result_out(bias: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    layer, x = nn.Conv1d(2, 3, 2, bias=bias), torch.randn(4, 2, 5)
    own, asked = recording._runtimes, []

    def noted(source: str, static: bool) -> list:
        asked.append(static)
        return own(source, static)

    def compute(x: torch.Tensor) -> list[torch.Tensor]:
        x.requires_grad_()
        return list(torch.autograd.grad(layer(x).square().sum(), [x, *layer.parameters()]))

    monkeypatch.setattr(recording, "_runtimes", noted)
    assert capture(compute, [x], list(layer.parameters()))[1] is not None
    assert asked == [bias]  # the gradient of a bias that is not there is left out


@needs_capture
def test_captured_code_sees_the_weights_and_the_rows_it_is_given_and_draws_anew() -> None:
    torch.manual_seed(3)
    network = nn.Sequential(nn.Linear(3, 5), Dropout(0.5), nn.Linear(5, 1))
    weights = list(network.parameters())

    def compute(*inputs: torch.Tensor) -> list[torch.Tensor]:
        loss = functional.mse_loss(network(inputs[-1]), torch.zeros(7, 1))
        return [loss.detach(), *torch.autograd.grad(loss, weights)]

    # A target that is made in the step comes of a call like any other; the rows are given.
    _, code = capture(compute, [*weights, torch.randn(7, 3)], [])
    assert code is not None
    with torch.no_grad():
        for weight in weights:
            weight.mul_(0.7)
    rows = torch.randn(7, 3)
    for _ in range(3):
        state = torch.get_rng_state()
        expected = compute(*weights, rows)
        after = torch.get_rng_state()
        torch.set_rng_state(state)
        found = code(*weights, rows)
        assert all(map(torch.equal, found, expected))
        assert torch.equal(torch.get_rng_state(), after)


@needs_capture
@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_the_interpreter_computes_code_as_it_is_written(
    precision: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(_function: object) -> None:
        raise NotAvailableError("no static runtime")

    monkeypatch.setattr(recording, "static_runtime", none)
    torch.manual_seed(1)
    # By default it would compute such a product as two operations, and join products by one weight in one.
    shared = nn.Linear(40, 40)
    network = nn.Sequential(nn.Linear(1100, 40), shared, nn.Tanh(), shared, nn.Tanh(), shared, nn.Linear(40, 3))
    weights = list(network.parameters())

    def compute(*inputs: torch.Tensor) -> list[torch.Tensor]:
        with torch.autocast("cpu", torch.bfloat16, enabled=precision is torch.bfloat16):
            y = network(inputs[0])
        loss = y.float().square().mean()
        return [y.detach(), loss.detach(), *torch.autograd.grad(loss, weights)]

    _, code = capture(compute, [torch.randn(8, 1100)], weights)
    assert code is not None
    for _ in range(10):
        rows = torch.randn(8, 1100)
        assert all(map(torch.equal, code(rows), compute(rows)))


@needs_capture
@pytest.mark.parametrize("differs", ["other rows", "other draws"])
def test_code_that_is_right_by_chance_is_not_used(differs: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rows, others = torch.zeros(4, 3), torch.ones(4, 3)

    def compute(x: torch.Tensor) -> list[torch.Tensor]:
        return [x + torch.rand(1)]

    def right(x: torch.Tensor) -> list[torch.Tensor]:
        return compute(x)

    state = torch.get_rng_state()

    def right_by_chance(x: torch.Tensor) -> list[torch.Tensor]:
        by_chance = torch.equal(x, rows) if differs == "other rows" else torch.equal(torch.get_rng_state(), state)
        return compute(x) if by_chance else [value + 1 for value in compute(x)]

    monkeypatch.setattr(recording.Recorder, "codes", lambda *_: [right_by_chance, right])
    assert capture(compute, [rows], [], [[others]])[1] is right
    assert not torch.equal(torch.get_rng_state(), state)  # the one real draw has been made


@needs_capture
def test_moving_statistics_move_once_a_step_and_not_while_it_is_captured() -> None:
    network = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 1))
    twin = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 1))
    twin.load_state_dict(network.state_dict())
    rows, weights = torch.randn(9, 3), list(network.parameters())

    def compute(*inputs: torch.Tensor) -> list[torch.Tensor]:
        loss = network(inputs[-1]).square().mean()
        return [loss.detach(), *torch.autograd.grad(loss, weights)]

    capture(compute, [*weights, rows], list(network.buffers()))
    twin(rows)
    for name, value in twin.state_dict().items():
        assert torch.equal(network.state_dict()[name], value), name


@needs_capture
def test_capturing_imports_no_compiler_and_warns_of_nothing() -> None:
    before = set(sys.modules)
    network = nn.Linear(3, 1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        _, code = capture(_linear(network), [*network.parameters(), torch.randn(4, 3)], [])
    assert code is not None
    assert not {"torch._dynamo", "torch._inductor", "sympy"} & (set(sys.modules) - before)


def _linear(network: nn.Linear):
    def compute(*inputs: torch.Tensor) -> list[torch.Tensor]:
        loss = network(inputs[-1]).square().mean()
        return [loss.detach(), *torch.autograd.grad(loss, list(network.parameters()))]

    return compute


@pytest.mark.parametrize("optimizer", [Adam(lr=1e-2), Rmsprop(momentum=0.9), Sgd(momentum=0.9, weight_decay=0.1)])
def test_weights_that_are_one_tensor_move_as_they_would_apart(optimizer) -> None:
    together, apart = (nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 2)) for _ in range(2))
    apart.load_state_dict(together.state_dict())
    flat = FlatWeights(list(together.parameters()))
    moved = flat.values, list(apart.parameters())
    states = [optimizer.begin(weights) for weights in moved]
    rows = torch.randn(11, 5)
    for _ in range(5):
        grads = [
            list(torch.autograd.grad(network(rows).square().mean(), list(network.parameters())))
            for network in (together, apart)
        ]
        grads[0] = [torch.cat([grad.reshape(-1) for grad in grads[0]])]
        with torch.no_grad():
            for weights, own, state in zip(moved, grads, states, strict=True):
                optimizer.step(weights, own, state, optimizer.lr, optimizer.count(state))
        for one, other in zip(together.parameters(), apart.parameters(), strict=True):
            torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-7)


def test_only_small_networks_of_several_weights_become_one_tensor() -> None:
    assert not FlatWeights.suits([nn.Parameter(torch.ones(3))])
    assert FlatWeights.suits([nn.Parameter(torch.ones(3)), nn.Parameter(torch.ones(MOST - 3))])
    assert not FlatWeights.suits([nn.Parameter(torch.ones(3)), nn.Parameter(torch.ones(MOST - 2))])
