"""Recurrent layers against loops that follow the papers' formulas gate by gate, and against torch's own."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor, nn

from dlrun.components.layers import Layer
from dlrun.language.component import choose
from dlrun.language.messages import setting_problems
from dlrun.shapes import numel

F, H, K, T, N = 3, 4, 2, 5, 6

Weights = dict[str, Tensor]
State = tuple[Tensor, ...]
Step = Callable[[Tensor, State, Weights, dict[str, Any]], State]


def layer_of(kind: str, **settings: Any) -> Layer:
    layer = choose("layers", {kind: {"hidden_size": H} | settings})
    assert isinstance(layer, Layer)
    return layer


def module_of(kind: str, **settings: Any) -> nn.Module:
    """The module in float64, no weight at 0: learned states start there."""
    torch.manual_seed(0)
    module = layer_of(kind, **settings).build((T, F)).double()
    for weight in module.parameters():
        nn.init.uniform_(weight, -0.8, 0.8)
    return module


def a_sequence() -> Tensor:
    return torch.randn(N, T, F, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def both_biases(weights: Weights) -> Tensor:
    return weights.get("bias_ih", torch.tensor(0.0)) + weights.get("bias_hh", torch.tensor(0.0))


def elman(x: Tensor, state: State, w: Weights, settings: dict[str, Any]) -> State:
    squash = torch.relu if settings.get("nonlinearity") == "relu" else torch.tanh
    (h,) = state
    return (squash(x @ w["weight_ih"].T + h @ w["weight_hh"].T + both_biases(w)),)


def jordan(x: Tensor, state: State, w: Weights, settings: dict[str, Any]) -> State:
    (hidden,) = elman(x, state, w, settings)
    return (hidden @ w["weight_hr"].T + w.get("bias_hr", torch.tensor(0.0)),)


def lstm(x: Tensor, state: State, w: Weights, settings: dict[str, Any]) -> State:
    h, c = state
    names = "fgo" if settings.get("coupled") else "ifgo"
    whole = x @ w["weight_ih"].T + h @ w["weight_hh"].T + both_biases(w)
    before = dict(zip(names, whole.split(H, dim=1), strict=True))

    def seen(gate: str, cell: Tensor) -> Tensor:
        weight = w.get(f"weight_c{gate}")
        if weight is None:
            return torch.zeros_like(cell)
        return cell * weight if weight.dim() == 1 else cell @ weight.T

    f = torch.sigmoid(before["f"] + seen("f", c))
    i = 1 - f if settings.get("coupled") else torch.sigmoid(before["i"] + seen("i", c))
    new = f * c + i * torch.tanh(before["g"])
    o = torch.sigmoid(before["o"] + seen("o", new))
    return o * torch.tanh(new), new


def gru(x: Tensor, state: State, w: Weights, settings: dict[str, Any]) -> State:
    (h,) = state
    w_r, w_z, w_n = w["weight_ih"].split(H)
    u_r, u_z, u_n = w["weight_hh"].split(H)
    zeros = torch.zeros(3 * H, dtype=x.dtype)
    b_r, b_z, b_n = w.get("bias_ih", zeros).split(H)
    e_r, e_z, e_n = w.get("bias_hh", zeros).split(H)
    r = torch.sigmoid(x @ w_r.T + b_r + h @ u_r.T + e_r)
    z = torch.sigmoid(x @ w_z.T + b_z + h @ u_z.T + e_z)
    if settings.get("reset") == "before":
        n = torch.tanh(x @ w_n.T + b_n + (r * h) @ u_n.T + e_n)
    else:
        n = torch.tanh(x @ w_n.T + b_n + r * (h @ u_n.T + e_n))
    return ((1 - z) * n + z * h,)


def by_loops(x_NTF: Tensor, module: nn.Module, step: Step, size: int, settings: dict[str, Any]) -> Tensor:
    """What the layer should give: one step after another, one layer after another."""
    weights = dict(module.named_parameters())
    directions = 2 if settings.get("bidirectional") else 1
    value = list(x_NTF.unbind(1))
    ends: list[Tensor] = []
    for layer in range(settings.get("num_layers", 1)):
        sides, ends = [], []
        for direction in range(directions):
            end = f"_l{layer}" + ("_reverse" if direction else "")
            own = {name.removesuffix(end): w for name, w in weights.items() if name.endswith(end)}
            names = ("h0", "c0") if step is lstm else ("h0",)
            row = layer * directions + direction
            zeros = torch.zeros(len(x_NTF), size, dtype=x_NTF.dtype)
            state: State = tuple(zeros + weights[name][row] if name in weights else zeros for name in names)
            order = list(range(len(value)))
            if settings.get("reverse") or direction:
                order.reverse()
            outputs: dict[int, Tensor] = {}
            for t in order:
                state = step(value[t], state, own, settings)
                outputs[t] = state[0]
            sides.append([outputs[t] for t in range(len(value))])
            ends.append(state[0])
        value = [torch.cat(pair, dim=1) for pair in zip(*sides, strict=True)]
    if settings.get("output") == "sequence":
        return torch.stack(value, dim=1)
    return torch.cat(ends, dim=1)


PEEPHOLES = ("none", "diagonal", "full")
CELLS: list[tuple[str, Step, dict[str, Any]]] = [
    ("rnn", elman, {}),
    ("rnn", elman, {"nonlinearity": "relu"}),
    ("rnn", jordan, {"recurrence": "output", "output_size": K}),
    ("rnn", jordan, {"recurrence": "output", "output_size": K, "nonlinearity": "relu"}),
    *(("lstm", lstm, {"peepholes": p, "coupled": c}) for p, c in itertools.product(PEEPHOLES, (False, True))),
    ("gru", gru, {"reset": "after"}),
    ("gru", gru, {"reset": "before"}),
]
AROUND: list[dict[str, Any]] = [
    {},
    {"output": "sequence", "initial_state": "learned"},
    {"bias": False, "reverse": True, "output": "sequence"},
    {"recurrent_bias": False, "reverse": True, "num_layers": 2},
    {"recurrent_bias": False, "bidirectional": True, "output": "sequence"},
    {"num_layers": 3, "bidirectional": True, "initial_state": "learned"},
    {"num_layers": 2, "bidirectional": True, "output": "sequence", "initial_state": "learned", "bias": False},
]


def named(value: Any) -> str:
    if callable(value):
        return ""
    if isinstance(value, dict):
        return " ".join(f"{name}={setting}" for name, setting in value.items()) or "plain"
    return str(value)


@pytest.mark.parametrize("around", AROUND, ids=named)
@pytest.mark.parametrize(("kind", "step", "cell"), CELLS, ids=named)
def test_every_variant_and_its_gradients_are_those_of_a_loop_over_its_formulas(
    kind: str, step: Step, cell: dict[str, Any], around: dict[str, Any]
) -> None:
    settings = cell | around
    module, x_NTF = module_of(kind, **settings), a_sequence().requires_grad_()
    leaves = {"input": x_NTF} | dict(module.named_parameters())
    ours, theirs = module(x_NTF), by_loops(x_NTF, module, step, K if step is jordan else H, settings)
    torch.testing.assert_close(ours, theirs, atol=1e-10, rtol=0)
    weighing = torch.randn_like(ours)
    gradients = [torch.autograd.grad((y * weighing).sum(), list(leaves.values())) for y in (ours, theirs)]
    for name, mine, their in zip(leaves, *gradients, strict=True):
        torch.testing.assert_close(mine, their, atol=1e-10, rtol=0, msg=name)
        assert mine.any() or settings.get("nonlinearity") == "relu", name


@pytest.mark.parametrize(("kind", "step", "cell"), CELLS, ids=named)
def test_the_gradients_are_those_of_small_differences(kind: str, step: Step, cell: dict[str, Any]) -> None:
    module = module_of(kind, **cell, num_layers=2, bidirectional=True, output="sequence", initial_state="learned")
    names, weights = zip(*module.named_parameters(), strict=True)

    def computed(x: Tensor, *values: Tensor) -> Tensor:
        return torch.func.functional_call(module, dict(zip(names, values, strict=True)), (x,))

    assert torch.autograd.gradcheck(computed, (a_sequence()[:2, :3].requires_grad_(), *weights), fast_mode=True)


TORCHS = [
    ("rnn", {}, nn.RNN, {}),
    ("rnn", {"nonlinearity": "relu"}, nn.RNN, {"nonlinearity": "relu"}),
    ("lstm", {}, nn.LSTM, {}),
    ("gru", {}, nn.GRU, {}),
]


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize(("kind", "ours", "module", "theirs"), TORCHS, ids=named)
def test_what_torch_has_is_torchs_module_with_torchs_weights(
    kind: str, ours: dict[str, Any], module: type[nn.RNNBase], theirs: dict[str, Any], bidirectional: bool
) -> None:
    both = {"num_layers": 2, "bidirectional": bidirectional}
    built = layer_of(kind, **ours, **both, output="sequence").build((T, F))
    own = module(F, H, **theirs, **both, batch_first=True)
    assert isinstance(built, module)
    own.load_state_dict(built.state_dict())
    x_NTF = a_sequence().float()
    assert torch.equal(built(x_NTF), own(x_NTF)[0])


@pytest.mark.parametrize(
    ("kind", "settings", "first"),
    [
        ("gru", {"reset": "before"}, "gru"),
        ("lstm", {"coupled": True}, "lstm"),
        ("rnn", {"recurrence": "output", "output_size": H}, "rnn"),
    ],
)
def test_weights_start_as_torch_starts_them_and_learned_states_at_zero(
    kind: str, settings: dict[str, Any], first: str
) -> None:
    torch.manual_seed(0)
    layer = choose("layers", {kind: {"hidden_size": 400, "initial_state": "learned", **settings}})
    assert isinstance(layer, Layer)
    weights = dict(layer.build((T, 50)).named_parameters())
    assert not weights["h0"].any()
    # uniform from -1/sqrt(400) to 1/sqrt(400)
    assert 0.0499 < weights["weight_hh_l0"].abs().max() <= 0.05
    assert weights["weight_hh_l0"].std().item() == pytest.approx(0.05 / 3**0.5, rel=0.01)


@pytest.mark.parametrize(("m", "n"), [(28, 128), (256, 512)])
@pytest.mark.parametrize(("kind", "gates", "settings"), [("rnn", 1, {}), ("lstm", 4, {}), ("gru", 3, {})])
def test_a_single_bias_gives_the_textbooks_counts(
    kind: str, gates: int, settings: dict[str, Any], m: int, n: int
) -> None:
    layer = choose("layers", {kind: {"hidden_size": n, "recurrent_bias": False, **settings}})
    assert isinstance(layer, Layer)
    assert sum(map(numel, layer.weights((7, m)).values())) == gates * n * (m + n + 1)
    assert f"l0 = {f'{gates} gates * ' if gates > 1 else ''}{n}*({m} + {n} + 1) = {gates * n * (m + n + 1)}" in (
        layer.formulas((7, m))
    )


@pytest.mark.parametrize(
    ("kind", "settings", "count"),
    [
        # torch's second bias: 4*4*(3 + 4 + 2)
        ("lstm", {}, 144),
        # peepholes into three gates: 4*4*(3 + 4 + 1) + 3*4, and + 3*4*4
        ("lstm", {"recurrent_bias": False, "peepholes": "diagonal"}, 140),
        ("lstm", {"recurrent_bias": False, "peepholes": "full"}, 176),
        # three gates, two of them with peepholes: 3*4*(3 + 4 + 1) + 2*4
        ("lstm", {"recurrent_bias": False, "coupled": True, "peepholes": "diagonal"}, 104),
        # two directions, then twice their states in: 2*(3*4*(3 + 4 + 2)) + 2*(3*4*(8 + 4 + 2))
        ("gru", {"num_layers": 2, "bidirectional": True}, 552),
        # 4*(3 + 2 + 1) into the hidden units, 2*(4 + 1) out of them
        ("rnn", {"recurrence": "output", "output_size": 2, "recurrent_bias": False}, 34),
        # 4*(3 + 4 + 2), and one state a layer
        ("rnn", {"initial_state": "learned"}, 40),
    ],
)
def test_weights_are_as_many_as_counted_by_hand(kind: str, settings: dict[str, Any], count: int) -> None:
    layer = layer_of(kind, **settings)
    assert sum(map(numel, layer.weights((T, F)).values())) == count
    assert sum(weight.numel() for weight in layer.build((T, F)).parameters()) == count


@pytest.mark.parametrize(
    ("kind", "settings", "a_step"),
    [
        ("lstm", {"peepholes": "diagonal"}, 4 * H * (F + H)),
        ("lstm", {"peepholes": "full"}, 4 * H * (F + H) + 3 * H * H),
        ("lstm", {"peepholes": "full", "coupled": True}, 3 * H * (F + H) + 2 * H * H),
        ("gru", {"reset": "before"}, 3 * H * (F + H)),
        ("rnn", {"recurrence": "output", "output_size": K}, H * (F + K) + K * H),
    ],
)
def test_multiply_adds_are_those_of_the_matrices_at_every_step(kind: str, settings: Any, a_step: int) -> None:
    assert layer_of(kind, **settings).macs((T, F)) == T * a_step


@pytest.mark.parametrize(("kind", "step", "cell"), CELLS, ids=named)
def test_reading_backwards_is_reading_the_flipped_sequence(kind: str, step: Step, cell: dict[str, Any]) -> None:
    x_NTF = a_sequence()
    for output, turned in (("sequence", lambda y: y.flip(1)), ("last", lambda y: y)):
        settings = cell | {"num_layers": 2, "output": output, "initial_state": "learned"}
        forwards, backwards = module_of(kind, **settings), module_of(kind, **settings, reverse=True)
        backwards.load_state_dict(forwards.state_dict())
        assert torch.equal(backwards(x_NTF), turned(forwards(x_NTF.flip(1))))


@pytest.mark.parametrize(("kind", "step", "cell"), CELLS, ids=named)
def test_the_last_output_of_both_ways_is_each_ways_own_end(kind: str, step: Step, cell: dict[str, Any]) -> None:
    x_NTF, size = a_sequence(), K if step is jordan else H
    last, whole = (module_of(kind, **cell, bidirectional=True, output=output) for output in ("last", "sequence"))
    last.load_state_dict(whole.state_dict())
    states_NTH = whole(x_NTF)
    assert torch.equal(last(x_NTF), torch.cat((states_NTH[:, -1, :size], states_NTH[:, 0, size:]), dim=1))


@pytest.mark.parametrize(("kind", "step", "cell"), CELLS, ids=named)
def test_dropout_acts_between_layers_while_training_alone(kind: str, step: Step, cell: dict[str, Any]) -> None:
    settings = cell | {"num_layers": 2, "dropout": 1.0, "initial_state": "learned"}
    module, x_NTF = module_of(kind, **settings), a_sequence()
    assert torch.equal(module(x_NTF), module(x_NTF + 1)), "all is dropped, and the upper layer reads zeros"
    kept = module.eval()(x_NTF)
    torch.testing.assert_close(
        kept, by_loops(x_NTF, module, step, K if step is jordan else H, settings), atol=1e-10, rtol=0
    )


@pytest.mark.parametrize(("kind", "step", "cell"), CELLS, ids=named)
def test_a_learned_state_is_a_bias_and_gets_a_gradient(kind: str, step: Step, cell: dict[str, Any]) -> None:
    layer = layer_of(kind, **cell, initial_state="learned", num_layers=2, bidirectional=True)
    module = layer.build((T, F))
    module(a_sequence().float()).sum().backward()
    for name in ("h0", "c0") if kind == "lstm" else ("h0",):
        gradient = module.get_parameter(name).grad
        assert gradient is not None
        assert gradient.shape == (4, K if step is jordan else H)
        assert gradient.any(dim=1).all()
        assert layer.role(name) == "bias"


@pytest.mark.parametrize("kind", ["rnn", "lstm", "gru"])
def test_a_bias_left_out_stays_out_of_what_is_trained_and_saved_and_follows_the_module(kind: str) -> None:
    module = layer_of(kind, recurrent_bias=False).build((T, F))
    names = {"weight_ih_l0", "weight_hh_l0", "bias_ih_l0"}
    assert set(module.state_dict()) == names == {name for name, _ in module.named_parameters()}
    x_NTF = a_sequence()
    y = module.double()(x_NTF)
    again = copy.deepcopy(module)
    assert torch.equal(again(x_NTF), y)
    with torch.no_grad():
        again.get_parameter("weight_ih_l0").zero_()
    assert not torch.equal(again(x_NTF), y), "the copy computes with its own weights"
    hollow = copy.deepcopy(module).to_empty(device="cpu")
    hollow.load_state_dict(module.state_dict())
    assert torch.equal(hollow(x_NTF), y)


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("lstm", {"peepholes": "full"}),
        ("lstm", {"peepholes": "diagonal", "coupled": True}),
        ("gru", {"reset": "before"}),
        ("rnn", {"recurrence": "output", "output_size": K}),
    ],
)
def test_what_walks_the_steps_keeps_its_precision_under_autocast(kind: str, settings: dict[str, Any]) -> None:
    module, x_NTF = layer_of(kind, **settings).build((T, F)), a_sequence().float()
    exact = module(x_NTF)
    with torch.autocast("cpu", torch.bfloat16):
        y = module(x_NTF)
    y.sum().backward()
    assert y.dtype == torch.float32
    torch.testing.assert_close(y, exact, atol=0.02, rtol=0)
    assert all(weight.grad is not None for weight in module.parameters())


@pytest.mark.parametrize(("kind", "step", "cell"), CELLS, ids=named)
def test_what_is_kept_for_the_backward_pass_is_no_more_than_is_told(
    kind: str, step: Step, cell: dict[str, Any]
) -> None:
    steps, size, rows = 16, 64, 8
    cell = cell | ({"output_size": size} if step is jordan else {})
    layer = choose("layers", {kind: {"hidden_size": size, "output": "sequence", **cell}})
    assert isinstance(layer, Layer)
    module, x_NTF = layer.build((steps, size)), torch.randn(rows, steps, size)
    outside = {weight.untyped_storage().data_ptr() for weight in module.parameters()}
    kept: dict[int, Tensor] = {}

    def keep(tensor: Tensor) -> Tensor:
        if tensor.untyped_storage().data_ptr() not in outside:
            kept[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        keep(module(x_NTF))
    values = sum(tensor.untyped_storage().nbytes() // 4 for tensor in kept.values()) / rows
    assert values <= 1.1 * layer.activations((steps, size))
    if not isinstance(module, nn.RNNBase):  # what torch's own keeps depends on the machine
        assert values >= 0.9 * layer.activations((steps, size))


@pytest.mark.parametrize(
    ("kind", "settings", "message"),
    [
        ("lstm", {"reverse": True, "bidirectional": True}, "reverse cannot be used with bidirectional"),
        ("rnn", {"recurrence": "output"}, "needs output_size"),
        ("rnn", {"output_size": 3}, "output_size is only for recurrence: output"),
    ],
)
def test_settings_that_exclude_each_other_are_refused(kind: str, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        layer_of(kind, **settings)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("SimpleRNN", "rnn"),
        ("elman", "rnn"),
        ("jordan", "rnn: {recurrence: output}"),
        ("BiLSTM", "lstm: {bidirectional: true}"),
    ],
)
def test_other_libraries_kinds_lead_to_ours_with_their_settings_or_without(written: str, meant: str) -> None:
    for value in (written, {written: {"units": 8}}):
        with pytest.raises(ValidationError) as raised:
            choose("layers", value)
        told = [problem.message for problem in setting_problems(raised.value)]
        assert told[0] == f"unknown layer '{written}'; did you mean '{meant}'?"
        assert (len(told) > 1) == isinstance(value, dict)


@pytest.mark.parametrize(
    ("kind", "setting", "told"),
    [
        ("rnn", "units", "did you mean 'hidden_size'?"),
        ("lstm", "go_backwards", "did you mean 'reverse'?"),
        ("gru", "return_sequences", "write `output: sequence`"),
        ("gru", "reset_after", "did you mean 'reset'?"),
        ("lstm", "use_peepholes", "did you mean 'peepholes'?"),
        ("lstm", "recurrent_dropout", "`dropout` acts between layers"),
    ],
)
def test_other_libraries_settings_lead_to_ours(kind: str, setting: str, told: str) -> None:
    with pytest.raises(ValidationError) as raised:
        choose("layers", {kind: {"hidden_size": 4, setting: True}})
    (problem,) = setting_problems(raised.value)
    assert told in f"{problem.message} {problem.hint}"
