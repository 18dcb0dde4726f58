"""Linear layers: whose product it is does not show in the numbers."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import linear

from dlrun.modules import linear as module
from dlrun.modules.linear import Linear, suits

LARGE = 512, 128, 256
"""Rows, inputs and outputs of just as many multiply-adds as it takes."""

onednn = pytest.mark.skipif(not module._there(), reason="torch has no oneDNN for this processor")


@onednn
@pytest.mark.parametrize("rows", [(512,), (4, 128)])
@pytest.mark.parametrize("bias", [True, False])
def test_a_large_product_and_its_gradients_are_those_of_torchs_linear(rows: tuple[int, ...], bias: bool) -> None:
    torch.manual_seed(1)
    layer = Linear(128, 256, bias)
    x = torch.randn(*rows, 128, requires_grad=True)
    assert suits(x, layer.weight)
    wanted = [x, *layer.parameters()]
    with torch.no_grad():
        like = torch.randn(*rows, 256)
    exact = [tensor.detach().double().requires_grad_() for tensor in wanted]
    expected = linear(exact[0], exact[1], exact[2] if bias else None)
    found = layer(x)
    torch.testing.assert_close(found.double(), expected, rtol=1e-4, atol=1e-4)
    for one, other in zip(
        torch.autograd.grad((found * like).sum(), wanted),
        torch.autograd.grad((expected * like).sum(), exact),
        strict=True,
    ):
        torch.testing.assert_close(one.double(), other, rtol=1e-4, atol=1e-3)


@onednn
def test_a_gradient_of_the_gradient_is_there_as_well() -> None:
    torch.manual_seed(2)
    rows, inputs, outputs = LARGE
    layer, x = Linear(inputs, outputs), torch.randn(rows, inputs, requires_grad=True)

    def penalty(weight: torch.Tensor, given: torch.Tensor, output: torch.Tensor) -> torch.Tensor:
        (slope,) = torch.autograd.grad(output.tanh().sum(), given, create_graph=True)
        return torch.autograd.grad(slope.square().sum(), weight)[0]

    found = penalty(layer.weight, x, layer(x))
    torch.testing.assert_close(
        found, penalty(layer.weight, x, linear(x, layer.weight, layer.bias)), rtol=1e-3, atol=1e-3
    )


@onednn
def test_a_frozen_weight_gets_no_gradient_and_only_what_is_asked_for_is_computed() -> None:
    rows, inputs, outputs = LARGE
    layer = Linear(inputs, outputs)
    layer.weight.requires_grad_(False)
    layer(torch.randn(rows, inputs)).sum().backward()
    assert layer.weight.grad is None
    assert layer.bias.grad is not None
    torch.testing.assert_close(layer.bias.grad, torch.full((outputs,), float(rows)))


def test_small_products_and_other_types_are_left_to_torch() -> None:
    rows, inputs, outputs = LARGE
    weight = torch.empty(outputs, inputs)
    assert not suits(torch.empty(rows - 1, inputs), weight)
    assert not suits(torch.empty(rows, inputs, dtype=torch.float64), weight.double())
    assert not suits(torch.empty(rows, inputs, device="meta"), weight.to("meta"))
    with torch.autocast("cpu", torch.bfloat16):
        assert not suits(torch.empty(rows, inputs), weight)


def test_a_processor_without_onednn_computes_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(3)
    rows, inputs, outputs = LARGE
    layer, x = Linear(inputs, outputs), torch.randn(rows, inputs)
    expected = layer(x)
    monkeypatch.setattr(module, "_there", lambda: False)
    assert torch.equal(layer(x), linear(x, layer.weight, layer.bias))
    torch.testing.assert_close(layer(x), expected, rtol=1e-4, atol=1e-4)
