"""Poolings, padding, cropping and growing against arithmetic written here, and against plain torch."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from strategies import draws
from torch.nn import functional

from dlrun.components.layers import Layer
from dlrun.language.component import choose
from dlrun.shapes import ShapeError

Axes = tuple[tuple[int, int, int, int], ...]


def layer(written: Any) -> Any:
    found = choose("layers", written)
    assert isinstance(found, Layer)
    return found


def tensorflow_windows(size: int, kernel: int, stride: int, dilation: int) -> list[list[int]]:
    """The positions that each window of padding SAME touches, outside the axis too."""
    places = -(-size // stride)
    total = max((places - 1) * stride + (kernel - 1) * dilation + 1 - size, 0)
    return [[place * stride - total // 2 + step * dilation for step in range(kernel)] for place in range(places)]


def pooled(x: torch.Tensor, axes: Axes, summary: Callable[[torch.Tensor, int], torch.Tensor]) -> torch.Tensor:
    """Window by window: `summary` of the numbers (N, C, k) that lie inside, and of how many places the window has."""
    windows = [tensorflow_windows(*axis) for axis in axes]
    found = []
    for window in itertools.product(*windows):
        inside = [[at for at in along if 0 <= at < axis[0]] for along, axis in zip(window, axes, strict=True)]
        numbers = [x[(slice(None), slice(None), *place)] for place in itertools.product(*inside)]
        count = math.prod(axis[1] for axis in axes)
        found.append(summary(torch.stack(numbers, -1) if numbers else torch.empty(*x.shape[:2], 0), count))
    return torch.stack(found, -1).reshape(*x.shape[:2], *(len(along) for along in windows))


def largest(numbers: torch.Tensor, count: int) -> torch.Tensor:
    return numbers.amax(-1) if numbers.shape[-1] else torch.full(numbers.shape[:-1], -math.inf)


SUMMARIES: dict[str, tuple[str, dict[str, Any], Callable[[torch.Tensor, int], torch.Tensor]]] = {
    "max": ("max_pool", {}, largest),
    "avg": ("avg_pool", {}, lambda numbers, count: numbers.mean(-1)),
    "avg counting": ("avg_pool", {"count_include_pad": True}, lambda numbers, count: numbers.sum(-1) / count),
}


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("how", SUMMARIES)
def test_same_padding_pools_the_windows_of_tensorflow(how: str, rank: int) -> None:
    name, more, summary = SUMMARIES[how]
    met: set[bool] = set()
    dilations = st.integers(1, 2) if how == "max" else st.just(1)
    axis = st.tuples(st.integers(1, 4 if rank == 3 else 7), st.integers(1, 4), st.integers(1, 3), dilations)

    @draws(60)
    @given(st.tuples(*[axis] * rank))
    def holds(axes: Axes) -> None:
        sizes, kernel, stride, dilation = (list(values) for values in zip(*axes, strict=True))
        if rank == 3 and how != "max" and any(k > n for n, k, *_ in axes):
            return  # torch refuses it, and so does the shape rule
        numbers = {"kernel_size": kernel, "stride": stride} | ({"dilation": dilation} if how == "max" else {})
        alone = {key: values[0] if rank == 1 else values for key, values in numbers.items()}
        pool = layer({f"{name}{rank}d": {**alone, "padding": "same", **more}})
        torch.manual_seed(0)
        x = torch.randn(2, 3, *sizes)
        y = pool.build((3, *sizes))(x)
        torch.testing.assert_close(y, pooled(x, axes, summary))
        if y.isinf().any():  # a window lies on padding alone
            with pytest.raises(ShapeError, match="holds no point of the input, only padding"):
                pool.output_shape((3, *sizes))
            return
        assert pool.output_shape((3, *sizes)) == tuple(y.shape[1:])
        met.add(any(max((-(-n // s) - 1) * s + (k - 1) * d + 1 - n, 0) % 2 for n, k, s, d in axes))

    holds()
    assert met == {True, False}


def test_an_average_with_same_padding_leaves_the_padding_out() -> None:
    # as in Inception v3's pooling branches: the mean of ones is one, at the corners too
    y = layer({"avg_pool2d": {"kernel_size": 3, "stride": 1, "padding": "same"}}).build((1, 4, 4))(
        torch.ones(1, 1, 4, 4)
    )
    assert torch.equal(y, torch.ones(1, 1, 4, 4))
    counted = layer({"avg_pool2d": {"kernel_size": 3, "stride": 1, "padding": 1}}).build((1, 4, 4))
    assert counted(torch.ones(1, 1, 4, 4))[0, 0, 0, 0] == pytest.approx(4 / 9)


# The sizes that keras.applications.Xception's summary shows for its poolings: 147, 74, 37, 19, 10.
def test_a_maximum_with_same_padding_halves_as_in_xception() -> None:
    pool = layer({"max_pool2d": {"kernel_size": 3, "stride": 2, "padding": "same"}})
    sizes = [147]
    while len(sizes) < 5:
        sizes.append(pool.output_shape((8, sizes[-1], sizes[-1]))[1])
    assert sizes == [147, 74, 37, 19, 10]


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("power", [1, 2, 3, 2.5])
def test_an_lp_pooling_is_the_norm_of_each_window(rank: int, power: float) -> None:
    torch.manual_seed(0)
    x = torch.randn(2, 3, *[4] * rank)
    y = layer({f"lp_pool{rank}d": {"kernel_size": 2, "norm_type": power}}).build((3, *[4] * rank))(x)
    for place in itertools.product((0, 1), repeat=rank):
        window = x[(..., *(slice(2 * at, 2 * at + 2) for at in place))].flatten(2)
        expected = window.abs().pow(power).sum(-1).pow(1 / power)
        torch.testing.assert_close(y[(..., *place)], expected)


def test_an_lp_pooling_of_magnitudes_is_torchs_and_of_zeros_has_no_gradient() -> None:
    x = torch.rand(2, 3, 7, 7)
    module = layer({"lp_pool2d": {"kernel_size": 3, "norm_type": 3, "stride": 2}}).build((3, 7, 7))
    torch.testing.assert_close(module(x), torch.nn.LPPool2d(3, 3, 2)(x))
    zeros = torch.zeros(1, 3, 7, 7, requires_grad=True)
    module(zeros).sum().backward()
    assert zeros.grad is not None
    assert torch.equal(zeros.grad, torch.zeros_like(zeros))


@pytest.mark.parametrize("shape", [(3, 5), (3, 5, 4), (3, 2, 5, 4)])
def test_a_global_pooling_summarises_each_channel_whatever_its_axes(shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    x = torch.randn(2, *shape)
    axes = tuple(range(2, x.dim()))
    torch.testing.assert_close(layer("global_avg_pool").build(shape)(x), x.mean(axes))
    torch.testing.assert_close(layer("global_max_pool").build(shape)(x), x.amax(axes))


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_an_adaptive_pooling_looks_from_the_floor_to_the_ceiling_of_its_share(rank: int) -> None:
    torch.manual_seed(0)
    size, out = 7, 3
    x = torch.randn(2, 3, *[size] * rank)
    parts = [slice(i * size // out, -(-(i + 1) * size // out)) for i in range(out)]
    for name, summary in (("avg", lambda part: part.mean(-1)), ("max", lambda part: part.amax(-1))):
        y = layer({f"adaptive_{name}_pool{rank}d": out}).build((3, *[size] * rank))(x)
        for place in itertools.product(range(out), repeat=rank):
            part = x[(..., *(parts[at] for at in place))].flatten(2)
            torch.testing.assert_close(y[(..., *place)], summary(part))


def test_padding_goes_before_and_after_the_axes_in_their_order() -> None:
    x = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])
    y = layer({"pad": {"padding": [[1, 0], [0, 2]], "value": 7}}).build((1, 2, 2))(x)
    assert y.tolist() == [[[[7, 7, 7, 7], [1, 2, 7, 7], [3, 4, 7, 7]]]]
    assert torch.equal(layer({"crop": [[1, 0], [0, 2]]}).build((1, 3, 4))(y), x)


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("constant", [0, 0, 1, 2, 3, 0]),
        ("reflect", [3, 2, 1, 2, 3, 2]),
        ("replicate", [1, 1, 1, 2, 3, 3]),
        ("circular", [2, 3, 1, 2, 3, 1]),
    ],
)
def test_padding_is_filled_by_its_mode(mode: str, expected: list[int]) -> None:
    module = layer({"pad": {"padding": [[2, 1]], "mode": mode}}).build((1, 3))
    assert module(torch.tensor([[[1.0, 2.0, 3.0]]])).tolist() == [[expected]]


@pytest.mark.parametrize("written", [2, [2, 2], [[2, 2], 2]])
def test_one_number_of_padding_stands_for_both_sides_or_for_every_axis(written: Any) -> None:
    assert layer({"pad": {"padding": written}}).output_shape((3, 4, 5)) == (3, 8, 9)
    assert layer({"crop": {"cropping": written}}).output_shape((3, 8, 9)) == (3, 4, 5)


def test_nearest_upsampling_repeats_every_pixel_and_bilinear_passes_between() -> None:
    x = torch.tensor([[[[0.0, 4.0]]]])
    assert layer({"upsample": 2}).build((1, 1, 2))(x).tolist() == [[[[0, 0, 4, 4]] * 2]]
    # half-pixel centres: the new ones lie at -1/4, 1/4, 3/4 and 5/4 between the old, which lie at 0 and 1
    settings = {"size": [1, 4], "mode": "bilinear"}
    assert layer({"upsample": settings}).build((1, 1, 2))(x).tolist() == [[[[0, 1, 3, 4]]]]
    corners = layer({"upsample": {**settings, "align_corners": True}}).build((1, 1, 2))(x)
    torch.testing.assert_close(corners, torch.tensor([[[[0.0, 4 / 3, 8 / 3, 4.0]]]]))


def test_upsampling_by_a_whole_number_is_undone_by_averages() -> None:
    x = torch.randn(2, 3, 4, 5)
    grown = layer({"upsample": 3}).build((3, 4, 5))(x)
    torch.testing.assert_close(functional.avg_pool2d(grown, 3), x)


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ({"upsample": {}}, "give either scale_factor or size"),
        ({"upsample": {"size": 4, "scale_factor": 2}}, "give either scale_factor or size"),
        ({"upsample": {"size": 4, "align_corners": True}}, "align_corners is not for mode nearest"),
        ({"pad": {"padding": 1, "mode": "reflect", "value": 1.0}}, "value is only for mode constant; received mode"),
        ({"pad": -1}, "a whole number from 0 on is expected"),
        ({"crop": [[1, 2, 3]]}, r"a number or \[before, after\] for each axis"),
    ],
)
def test_settings_that_exclude_each_other_are_refused(written: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        layer(written)
