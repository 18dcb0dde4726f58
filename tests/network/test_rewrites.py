"""Where relus stand, and that it does not show."""

from pathlib import Path

import networks
import pytest
import torch
from torch import fx, nn

import dlrun
from dlrun.network import rewrites as relus

CONV = "{conv2d: {out_channels: 3, kernel_size: 3, padding: 1}}"


def results(network: nn.Module, rows: torch.Tensor) -> list[torch.Tensor]:
    """The output, and the gradients of weights and rows."""
    output = network(rows)
    wanted = [*network.parameters(), *([rows] if rows.requires_grad else [])]
    return [output, *torch.autograd.grad(output.square().sum(), wanted)]


def with_and_without(layers: str, step: str, monkeypatch: pytest.MonkeyPatch) -> tuple[fx.GraphModule, fx.GraphModule]:
    """A network of an image of 5 by 5, and the same without a step of the arranging."""
    text = f"{{input: [1, 5, 5], layers: [{layers}]}}"
    arranged = networks.built(text)
    monkeypatch.setattr(relus, step, lambda network: None)
    plain = networks.built(text)
    plain.load_state_dict(arranged.state_dict())
    return arranged, plain


def called(network: fx.GraphModule, *kinds: type[nn.Module]) -> list[type[nn.Module]]:
    """Which of some kinds are called, in order."""
    modules = dict(network.named_modules())
    found = [type(modules[str(node.target)]) for node in network.graph.nodes if node.op == "call_module"]
    return [kind for kind in found if kind in kinds]


IN_PLACE = {
    "after a convolution": (f"{CONV}, relu, flatten, {{linear: 2}}", [True]),
    "after a norm": (f"{CONV}, batch_norm, relu, flatten, {{linear: 2}}", [True]),
    "of the network's input": ("relu, flatten, {linear: 2}", [False]),
    "after what needs its output to go back": ("flatten, {linear: 4}, tanh, relu, {linear: 2}", [False]),
    "of what a skip takes too": (f"{CONV}, {{residual: [relu, {CONV}]}}, relu, flatten, {{linear: 2}}", [False, True]),
    "of what is named later": (
        "{conv2d: {out_channels: 1, kernel_size: 1, name: a}}, relu, {add: [[], a]}, flatten, {linear: 2}",
        [False],
    ),
    "that is used twice": (f"{CONV}, {{relu: {{name: r}}}}, {CONV}, {{use: r}}, flatten, {{linear: 2}}", [False]),
}


@pytest.mark.parametrize("case", IN_PLACE)
def test_a_relu_writes_over_what_nobody_else_wants(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    layers, expected = IN_PLACE[case]
    network, plain = with_and_without(layers, "reuse_memory", monkeypatch)
    assert [module.inplace for module in network.modules() if isinstance(module, nn.ReLU)] == expected
    rows = torch.randn(4, 1, 5, 5)
    before = rows.clone()
    found = results(network, rows)
    assert torch.equal(rows, before)
    assert all(map(torch.equal, found, results(plain, rows)))


POOLED = {
    "behind": (f"{CONV}, relu, {{max_pool2d: 2}}, flatten, {{linear: 2}}", True),
    "in windows that overlap": (
        f"{CONV}, relu, {{max_pool2d: {{kernel_size: 3, stride: 1, padding: 1}}}}, flatten, {{linear: 2}}",
        True,
    ),
    "in one dimension": ("{reshape: [5, 5]}, {conv1d: {out_channels: 4, kernel_size: 2}}, relu, {max_pool1d: 2}", True),
    "whose relu is wanted elsewhere": (
        "{conv2d: {out_channels: 1, kernel_size: 1}}, {relu: {name: r}}, "
        "{max_pool2d: {kernel_size: 3, stride: 1, padding: 1}}, {add: [[], r]}",
        False,
    ),
    "of a relu that is used twice": (
        "{conv2d: {out_channels: 1, kernel_size: 1}}, {relu: {name: r}}, {max_pool2d: 2}, {use: r}",
        False,
    ),
    "of the mean": (f"{CONV}, relu, {{avg_pool2d: 2}}", False),
}


@pytest.mark.parametrize("case", POOLED)
def test_a_max_pool_comes_before_a_relu_that_nobody_else_wants(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    layers, expected = POOLED[case]
    network, plain = with_and_without(layers, "pool_first", monkeypatch)
    kinds = nn.ReLU, *relus.MAX_POOLS
    assert (called(network, *kinds) != called(plain, *kinds)) == expected
    # Whole numbers, so that many windows hold several of the largest, and many nothing above 0.
    with torch.no_grad():
        for weight in [*network.parameters(), *plain.parameters()]:
            weight.copy_(weight.sign())
    rows = torch.randint(-2, 3, (16, 1, 5, 5)).float().requires_grad_()
    assert all(map(torch.equal, results(network, rows), results(plain, rows)))


JOINED = {
    "of rows": ("flatten, {linear: 6}, relu, {linear: 2}", True),
    "of rows, large": ("flatten, {linear: 4096}, relu, {linear: 4096}, relu, {linear: 2}", True),
    "of sequences": ("{reshape: [5, 5]}, {linear: 4}, relu, {linear: 3}", True),
    "without a bias": ("flatten, {linear: {out_features: 6, bias: false}}, relu, {linear: 2}", True),
    "of what is named later": (
        "flatten, {linear: {out_features: 4, name: a}}, relu, {add: [[], a]}, {linear: 2}",
        False,
    ),
    "of a layer that is used twice": (
        "flatten, {linear: {out_features: 25, name: l}}, relu, {use: l}, {linear: 2}",
        False,
    ),
    "that is used twice": ("flatten, {linear: 4}, {relu: {name: r}}, {linear: 4}, {use: r}, {linear: 2}", False),
}


@pytest.mark.parametrize("case", JOINED)
def test_a_linear_layer_does_the_relu_that_nobody_else_wants(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    layers, expected = JOINED[case]
    network, plain = with_and_without(layers, "join_linear", monkeypatch)
    assert called(plain, nn.ReLU)
    assert (called(network, nn.ReLU) == []) == expected
    rows = torch.randn(16, 1, 5, 5)
    least = 1e-5 if "large" in case else 0.0
    for one, other in zip(results(network, rows), results(plain, rows), strict=True):
        torch.testing.assert_close(one, other, rtol=least, atol=least)


def test_in_a_loaded_network_each_module_gives_what_its_layer_gives(tmp_path: Path) -> None:
    spec = tmp_path / "spec.yaml"
    spec.write_text(
        "data: {source: {sklearn: digits}}\n"
        "model:\n  input: [1, 8, 8]\n"
        f"  layers: [{CONV}, relu, max_pool2d: 2, flatten, linear: 6, relu, linear: 10]\n"
        "loss: cross_entropy\noptimizer: adam\ntrain: {steps: 2, device: cpu}\ntracking: off\n"
    )
    network = dlrun.load_network(dlrun.train(spec, runs=tmp_path / "runs").folder, "last")
    seen: dict[str, torch.Tensor] = {}
    for name in ("conv2d_1", "linear_1"):
        network.get_submodule(name).register_forward_hook(lambda _m, _x, y, name=name: seen.update({name: y}))
    network(torch.randn(5, 1, 8, 8))
    assert all((y < 0).any() for y in seen.values())
