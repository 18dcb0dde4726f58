"""What the graph does with memory, and that it does not show."""

import networks
import pytest
import torch
from torch import nn

from dlrun import graph
from dlrun.graph import build
from dlrun.reading import read
from dlrun.spec.document import parse_text

CONV = "{conv2d: {out_channels: 3, kernel_size: 3, padding: 1}}"

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
def test_a_relu_writes_over_what_nobody_else_wants(case: str) -> None:
    layers, expected = IN_PLACE[case]
    text = f"{{input: [1, 5, 5], layers: [{layers}]}}"
    plan = networks.plan_of(text)
    model = read(parse_text(f"model: {text}", "spec.yaml")).sections["model"]
    network = build(plan, model)
    relus = [module for module in network.modules() if isinstance(module, nn.ReLU)]
    assert [relu.inplace for relu in relus] == expected
    rows = torch.randn(4, 1, 5, 5)
    before = rows.clone()

    def results() -> list[torch.Tensor]:
        output = network(rows)
        return [output, *torch.autograd.grad(output.square().sum(), list(network.parameters()))]

    found = results()
    assert torch.equal(rows, before)
    for relu in relus:
        relu.inplace = False
    assert all(map(torch.equal, found, results()))


POOLED = {
    "behind": ("{conv2d: {out_channels: 3, kernel_size: 3}}, relu, {max_pool2d: 2}, flatten, {linear: 2}", True),
    "in windows that overlap": (
        "{conv2d: {out_channels: 3, kernel_size: 3, padding: 1}}, relu, "
        "{max_pool2d: {kernel_size: 3, stride: 1, padding: 1}}, flatten, {linear: 2}",
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
    "of the mean": ("{conv2d: {out_channels: 3, kernel_size: 3}}, relu, {avg_pool2d: 2}", False),
}


@pytest.mark.parametrize("case", POOLED)
def test_a_max_pool_comes_before_a_relu_that_nobody_else_wants(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    layers, expected = POOLED[case]
    text = f"{{input: [1, 5, 5], layers: [{layers}]}}"
    plan = networks.plan_of(text)
    model = read(parse_text(f"model: {text}", "spec.yaml")).sections["model"]

    def order(network: torch.fx.GraphModule) -> list[str]:
        kinds = {name: type(module).__name__[:7] for name, module in network.named_modules()}
        called = [kinds[str(node.target)] for node in network.graph.nodes if node.op == "call_module"]
        return [kind for kind in called if kind in ("ReLU", "MaxPool")]

    network = build(plan, model)
    monkeypatch.setattr(graph, "_pool_first", lambda network: None)
    plain = build(plan, model)
    plain.load_state_dict(network.state_dict())
    assert (order(network) != order(plain)) == expected
    # Whole numbers, so that many windows hold several of the largest, and many nothing above 0.
    rows = torch.randint(-2, 3, (16, 1, 5, 5)).float().requires_grad_()
    with torch.no_grad():
        for weight in [*network.parameters(), *plain.parameters()]:
            weight.copy_(weight.sign())

    def results(network: nn.Module) -> list[torch.Tensor]:
        output = network(rows)
        return [output, *torch.autograd.grad(output.square().sum(), [rows, *network.parameters()])]

    assert all(map(torch.equal, results(network), results(plain)))


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
    text = f"{{input: [1, 5, 5], layers: [{layers}]}}"
    plan = networks.plan_of(text)
    model = read(parse_text(f"model: {text}", "spec.yaml")).sections["model"]
    network = build(plan, model)
    monkeypatch.setattr(graph, "_give_to_linear", lambda network: None)
    plain = build(plan, model)
    plain.load_state_dict(network.state_dict())
    called = [node.target for node in network.graph.nodes if node.op == "call_module"]
    assert any("relu" in name or name == "r" for name in called) != expected
    rows = torch.randn(16, 1, 5, 5)

    def results(network: nn.Module) -> list[torch.Tensor]:
        output = network(rows)
        return [output, *torch.autograd.grad(output.square().sum(), list(network.parameters()))]

    for one, other in zip(results(network), results(plain), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5 if "large" in case else 0, atol=1e-5 if "large" in case else 0)
