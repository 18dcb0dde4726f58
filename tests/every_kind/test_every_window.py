"""What each layer says its outputs see, held against where torch's gradients go."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from hypothesis import assume, given
from strategies import draws, layers_and_shapes, takes

from dlrun.components.layers import Container
from dlrun.language.kinds import find, kinds
from dlrun.shapes import Shape

STATISTICS = {"batch_norm", "group_norm", "instance_norm", "layer_norm", "rms_norm"}
"""Their statistics are taken over places that a window leaves out on purpose."""

KINDS = [
    kind
    for kind in kinds("layers")
    if not issubclass(find("layers", kind), Container)
    and not getattr(find("layers", kind), "second_inputs", ())
    and getattr(find("layers", kind), "accepts", "") != "indices"
    and kind not in STATISTICS
]

SLIDING = [kind for kind in KINDS if kind.startswith(("conv", "depthwise", "separable", "avg_pool"))]
"""Those whose gradients reach every place of a window."""


def seen(module: torch.nn.Module, shape: Shape, axis: int, of: int) -> list[list[int]]:
    """For each place along an axis of the output, the places of an axis of the input that its gradient reaches."""
    x = torch.randn(1, *shape, requires_grad=True)
    y = module(x)
    found = []
    for place in range(y.shape[axis + 1]):
        part = y.select(axis + 1, place)
        if not part.requires_grad:
            return []
        (gradient,) = torch.autograd.grad((part * torch.rand_like(part)).sum(), x, retain_graph=True)
        reached = (gradient[0] != 0).movedim(of, 0).reshape(shape[of], -1).any(1)
        found.append(reached.nonzero().flatten().tolist())
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_no_output_sees_more_than_its_window(kind: str) -> None:
    @draws(6)
    @given(layers_and_shapes(kind, largest=7))
    def holds(pair: tuple[Any, Shape]) -> None:
        layer, shape = pair
        assume(takes(layer, shape))
        torch.manual_seed(1)
        module, windows = layer.build(shape).eval(), layer.window(shape)
        assert len(windows) == len(layer.output_shape(shape))
        for axis, window in enumerate(windows):
            if window is None:
                continue
            for places in seen(module, shape, axis, axis if window.axis is None else window.axis):
                assert not places or places[-1] - places[0] < window.span

    holds()


@pytest.mark.parametrize("kind", SLIDING)
def test_a_sliding_window_is_as_wide_as_it_says_and_moves_as_it_says(kind: str) -> None:
    whole: list[int] = []

    @draws(15)
    @given(layers_and_shapes(kind, largest=7))
    def holds(pair: tuple[Any, Shape]) -> None:
        layer, shape = pair
        assume(takes(layer, shape))
        torch.manual_seed(1)
        module = layer.build(shape).eval()
        for axis, window in enumerate(layer.window(shape)):
            if window is None or window.span == 1:
                continue
            first = [
                (place, places[0])
                for place, places in enumerate(seen(module, shape, axis, axis))
                if places and places[-1] - places[0] == window.span - 1
            ]
            whole.append(len(first))
            if first:
                begin, at = first[0]
                assert all(abs(found - at - (place - begin) * window.stride) < 1 for place, found in first)

    holds()
    assert max(whole) > 1


def test_a_transposed_convolution_sees_the_few_inputs_that_fall_on_an_output() -> None:
    from dlrun.components.layers.convolution.conv_transpose1d import ConvTranspose1d

    for kernel, stride, dilation in ((2, 2, 1), (3, 2, 1), (5, 3, 2), (4, 2, 2), (5, 1, 3)):
        layer = ConvTranspose1d(out_channels=2, kernel_size=kernel, stride=stride, dilation=dilation)
        window = layer.window((2, 24))[1]
        assert window is not None
        places = seen(layer.build((2, 24)), (2, 24), 1, 1)
        assert max(found[-1] - found[0] + 1 for found in places if found) == window.span
        assert window.stride * stride == 1
        assert math.isclose(float(window.stride), 1 / stride)
