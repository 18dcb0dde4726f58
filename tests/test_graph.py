"""What the graph does with memory, and that it does not show."""

import networks
import pytest
import torch
from torch import nn

from dlrun.graph import build
from dlrun.reading import read
from dlrun.spec.document import parse_text

IN_PLACE = {
    "after a convolution": ("{conv2d: {out_channels: 3, kernel_size: 3}}, relu, flatten, {linear: 2}", [True]),
    "after a norm": ("{conv2d: {out_channels: 3, kernel_size: 3}}, batch_norm, relu, flatten, {linear: 2}", [True]),
    "after rows": ("flatten, {linear: 4}, relu, {linear: 2}", [True]),
    "of the network's input": ("relu, flatten, {linear: 2}", [False]),
    "after steps, which are rows of one another": ("{linear: 4}, relu, flatten, {linear: 2}", [False]),
    "after what needs its output to go back": ("flatten, {linear: 4}, tanh, relu, {linear: 2}", [False]),
    "of what a skip takes too": (
        "flatten, {linear: 4}, {residual: [relu, {linear: 4}]}, relu, {linear: 2}",
        [False, True],
    ),
    "of what is named later": (
        "flatten, {linear: {out_features: 4, name: a}}, relu, {add: [[], a]}, {linear: 2}",
        [False],
    ),
    "that is used twice": ("flatten, {linear: 4}, {relu: {name: r}}, {linear: 4}, {use: r}, {linear: 2}", [False]),
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
