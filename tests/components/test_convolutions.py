"""Convolutions against arithmetic and algebra written here, and against plain torch."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from strategies import draws
from torch.nn import functional

from dlrun.components.layers import Layer
from dlrun.language.component import choose
from dlrun.shapes import Shape

CONVOLVE = {1: functional.conv1d, 2: functional.conv2d, 3: functional.conv3d}


def layer(written: Any) -> Any:
    found = choose("layers", written)
    assert isinstance(found, Layer)
    return found


def tensorflow_same(size: int, kernel: int, stride: int, dilation: int) -> tuple[int, int]:
    """Padding before and after an axis, from the description of `tf.nn.convolution` and `tf.nn`'s notes on padding,
    which tell cases apart by the remainder."""
    reach = (kernel - 1) * dilation + 1
    total = max(reach - stride, 0) if size % stride == 0 else max(reach - size % stride, 0)
    return total // 2, total - total // 2


def padded(x: torch.Tensor, sides: list[tuple[int, int]], value: float = 0.0) -> torch.Tensor:
    return functional.pad(x, [count for side in reversed(sides) for count in side], value=value)


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_same_padding_with_any_stride_is_tensorflows(rank: int) -> None:
    met: set[str] = set()
    small = st.integers(1, 3) if rank == 3 else st.integers(1, 5)
    settings = st.tuples(*[st.tuples(st.integers(1, 7), small, small, st.integers(1, 2))] * rank)

    @draws(60)
    @given(settings)
    def holds(axes: tuple[tuple[int, int, int, int], ...]) -> None:
        sizes, kernel, stride, dilation = (list(values) for values in zip(*axes, strict=True))
        numbers = {"kernel_size": kernel, "stride": stride, "dilation": dilation}
        alone = {name: values[0] if rank == 1 else values for name, values in numbers.items()}
        conv = layer({f"conv{rank}d": {"out_channels": 4, **alone, "padding": "same", "groups": 2}})
        torch.manual_seed(0)
        x, module = torch.randn(2, 2, *sizes), conv.build((2, *sizes))
        sides = [tensorflow_same(*axis) for axis in axes]
        expected = CONVOLVE[rank](padded(x, sides), module.weight, module.bias, stride, 0, dilation, 2)
        torch.testing.assert_close(module(x), expected)
        shape = tuple(math.ceil(size / step) for size, step in zip(sizes, stride, strict=True))
        assert conv.output_shape((2, *sizes)) == (4, *shape) == tuple(expected.shape[1:])
        met.update("uneven" if before != after else "even" for before, after in sides)

    holds()
    assert met == {"even", "uneven"}


# By hand from the same formula: 224 -> 112 needs (112 - 1)*2 + 3 - 224 = 1, which goes to the end.
def test_a_stride_of_two_pads_an_even_image_at_its_end_alone() -> None:
    conv = layer({"conv2d": {"out_channels": 1, "kernel_size": 3, "stride": 2, "padding": "same", "bias": False}})
    module = conv.build((1, 224, 224))
    torch.nn.init.ones_(module.weight)
    y = module(torch.ones(1, 1, 224, 224))
    assert y.shape == (1, 1, 112, 112)
    assert y[0, 0, 0, 0] == 9
    assert y[0, 0, -1, 0] == y[0, 0, 0, -1] == 6
    assert y[0, 0, -1, -1] == 4
    assert conv.formulas((1, 224, 224))[:2] == [
        "padding = (ceil(224 / 2) - 1)*2 + 3 - 224 = 1",
        "out = (224 + 1 - 3) // 2 + 1 = 112",
    ]


@pytest.mark.parametrize("kernel", [2, 3, 4, 5])
@pytest.mark.parametrize("dilation", [1, 2, 3])
@pytest.mark.filterwarnings("ignore:Using padding='same'")
def test_same_padding_with_stride_one_is_torchs(kernel: int, dilation: int) -> None:
    settings = {"out_channels": 3, "kernel_size": kernel, "dilation": dilation, "padding": "same"}
    module = layer({"conv1d": settings}).build((2, 9))
    x = torch.randn(2, 2, 9)
    expected = functional.conv1d(x, module.weight, module.bias, 1, "same", dilation)
    torch.testing.assert_close(module(x), expected)


def test_full_padding_is_the_product_of_polynomials_and_valid_padding_its_middle() -> None:
    # (1 + 2x + 3x^2)(4 + 5x) = 4 + 13x + 22x^2 + 15x^3; a convolution layer reads its kernel backwards
    for padding, expected in (("full", [4.0, 13.0, 22.0, 15.0]), ("valid", [13.0, 22.0])):
        conv = layer({"conv1d": {"out_channels": 1, "kernel_size": 2, "padding": padding, "bias": False}})
        module = conv.build((1, 3))
        module.weight.data = torch.tensor([[[5.0, 4.0]]])
        assert module(torch.tensor([[[1.0, 2.0, 3.0]]])).tolist() == [[expected]]


def test_full_padding_with_dilation_reaches_every_overlap() -> None:
    conv = layer({"conv2d": {"out_channels": 2, "kernel_size": [3, 1], "dilation": [2, 5], "padding": "full"}})
    # 6 + 2*4 - 4 = 10 and 5 + 2*0 - 0 = 5
    assert conv.output_shape((1, 6, 5)) == (2, 10, 5)


@pytest.mark.parametrize("padding", ["same", "full", [0, 2]])
@pytest.mark.parametrize("stride", [1, 2])
def test_a_separable_convolution_is_a_depthwise_one_and_then_one_of_single_pixels(padding: Any, stride: int) -> None:
    torch.manual_seed(0)
    shape, out, multiplier = (3, 8, 7), 5, 2
    settings = {"kernel_size": [3, 2], "stride": stride, "padding": padding, "multiplier": multiplier}
    separable = layer({"separable_conv2d": {"out_channels": out, **settings}})
    module, x = separable.build(shape), torch.randn(2, *shape)
    weights = dict(module.named_parameters())
    assert list(weights) == ["depthwise.weight", "pointwise.weight", "pointwise.bias"]
    kernels = ((8, 3, stride, 1), (7, 2, stride, 1))
    fixed = {"full": [(2, 2), (1, 1)], "same": [tensorflow_same(*axis) for axis in kernels]}
    sides = fixed[padding] if isinstance(padding, str) else [(0, 0), (2, 2)]
    between = functional.conv2d(padded(x, sides), weights["depthwise.weight"], None, stride, groups=3)
    expected = functional.conv2d(between, weights["pointwise.weight"], weights["pointwise.bias"])
    torch.testing.assert_close(module(x), expected)
    depthwise = layer({"depthwise_conv2d": {**settings, "bias": False}}).build(shape)
    depthwise.load_state_dict({"weight": weights["depthwise.weight"]})
    torch.testing.assert_close(depthwise(x), between)


def test_separable_convolutions_count_as_in_xception() -> None:
    # Keras' SeparableConv2D(256, 3, use_bias=False) on 128 channels: 128*9 + 128*256 = 33,920 weights, as the summary
    # of keras.applications.Xception has for block3_sepconv1; with a bias one for each output more.
    shape = (128, 74, 74)
    for bias, count in ((False, 33_920), (True, 33_920 + 256)):
        settings = {"out_channels": 256, "kernel_size": 3, "padding": "same", "bias": bias}
        separable = layer({"separable_conv2d": settings})
        assert sum(math.prod(weight) for weight in separable.weights(shape).values()) == count
    assert separable.role("pointwise.bias") == "bias"
    assert {separable.role("pointwise.weight"), separable.role("depthwise.weight")} == {"weight"}
    assert separable.macs(shape) == 74 * 74 * 33_920


def test_a_depthwise_channel_sees_its_own_input_alone() -> None:
    depthwise = layer({"depthwise_conv2d": {"kernel_size": 3, "padding": 1, "multiplier": 2}})
    module = depthwise.build((3, 5, 5))
    x = torch.zeros(1, 3, 5, 5)
    x[0, 1] = 1.0
    moved = (module(x) - module(torch.zeros_like(x))).abs().sum((0, 2, 3)) > 0
    assert moved.tolist() == [False, False, True, True, False, False]


@pytest.mark.parametrize(
    ("rank", "settings", "shape", "backwards_from"),
    [
        (1, {"kernel_size": 3, "stride": 2, "padding": 1, "output_padding": 1}, (4, 5), (6, 10)),
        (2, {"kernel_size": [3, 2], "stride": 2, "groups": 2}, (4, 5, 3), (6, 11, 6)),
        (3, {"kernel_size": 2, "stride": [1, 2, 3], "output_padding": [0, 1, 2]}, (4, 2, 3, 2), (6, 3, 7, 7)),
        (3, {"kernel_size": 3, "dilation": 2, "padding": 2}, (4, 3, 4, 5), (6, 3, 4, 5)),
    ],
)
def test_a_transposed_convolution_is_the_gradient_of_the_convolution(
    rank: int, settings: dict[str, Any], shape: Shape, backwards_from: Shape
) -> None:
    torch.manual_seed(0)
    transposed = layer({f"conv_transpose{rank}d": {"out_channels": 6, "bias": False, **settings}})
    module = transposed.build(shape)
    x = torch.zeros(2, *backwards_from, requires_grad=True)
    numbers = {name: settings.get(name, default) for name, default in (("stride", 1), ("padding", 0), ("dilation", 1))}
    y = CONVOLVE[rank](x, module.weight, None, groups=settings.get("groups", 1), **numbers)
    upstream = torch.randn_like(y)
    (gradient,) = torch.autograd.grad(y, x, upstream)
    assert upstream.shape[1:] == shape
    assert transposed.output_shape(shape) == backwards_from
    torch.testing.assert_close(module(upstream), gradient)


def test_a_padded_convolution_keeps_torchs_weight_names_and_its_weights_fit_torchs_own() -> None:
    settings = {"out_channels": 4, "kernel_size": 3, "stride": 2, "padding": "same"}
    module = layer({"conv2d": settings}).build((3, 8, 8))
    plain = torch.nn.Conv2d(3, 4, 3, 2)
    plain.load_state_dict(module.state_dict())
    x = torch.randn(2, 3, 8, 8)
    torch.testing.assert_close(module(x), plain(functional.pad(x, (0, 1, 0, 1))))
