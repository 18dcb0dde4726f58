"""Affine maps, colours and blur of images: held against SciPy, Pillow and colorsys, one image at a time."""

from __future__ import annotations

import colorsys
import math
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageEnhance
from scipy import ndimage, stats
from scipy.signal.windows import gaussian

from dlrun.components.augment import Augmentation
from dlrun.language.component import choose
from dlrun.modules.random_streams import RandomStream, streams
from dlrun.shapes import ShapeError

ROWS = 2000


def step(written: Any) -> Augmentation:
    chosen = choose("augment", written)
    assert isinstance(chosen, Augmentation)
    return chosen


def augmented(written: Any, x: torch.Tensor) -> torch.Tensor:
    return step(written).apply(x, RandomStream(streams(3, 0, torch.arange(len(x)))))


def images(rows: int, channels: int, height: int, width: int) -> torch.Tensor:
    return torch.rand(rows, channels, height, width, generator=torch.Generator().manual_seed(0))


# -- affine


def affine(degrees: float, scale: float, shear: tuple[float, float]) -> np.ndarray[Any, Any]:
    """torchvision's matrix of (x, y), with its angle counted against the clock."""
    a, u, v = -math.radians(degrees), math.radians(shear[0]), math.radians(shear[1])
    rotation = np.array([[math.cos(a), -math.sin(a)], [math.sin(a), math.cos(a)]])
    return scale * rotation @ np.array([[1, 0], [-math.tan(v), 1]]) @ np.array([[1, -math.tan(u)], [0, 1]])


@pytest.mark.parametrize(
    ("degrees", "scale", "shear"),
    [(0, 1.3, (0, 0)), (0, 0.7, (0, 0)), (0, 1, (20, 0)), (0, 1, (0, -15)), (25, 1.2, (10, 30)), (-140, 0.8, (-5, 0))],
)
@pytest.mark.parametrize("fill", [0.0, 2.5])
def test_an_affine_map_is_what_scipy_makes_of_torchvisions_matrix(
    degrees: float, scale: float, shear: tuple[float, float], fill: float
) -> None:
    height, width = 17, 12
    x = images(2, 2, height, width)
    settings = {
        "degrees": [degrees, degrees],
        "scale": [scale, scale],
        "shear": [shear[0], shear[0], shear[1], shear[1]],
        "interpolation": "bilinear",
        "fill": fill,
    }
    out = augmented({"random_affine": settings}, x)
    matrix = np.linalg.inv(affine(degrees, scale, shear))[::-1, ::-1]  # SciPy's axes are (y, x)
    centre = np.array([height - 1, width - 1]) / 2
    for new, old in zip(out.flatten(0, 1).numpy(), x.flatten(0, 1).numpy(), strict=True):
        offset: Any = centre - matrix @ centre
        expected = ndimage.affine_transform(old.astype(float), matrix, offset, order=1, mode="grid-constant", cval=fill)
        assert np.allclose(new, expected, atol=1e-4)


def test_an_affine_map_rotates_as_a_rotation_does() -> None:
    x = images(20, 3, 9, 9)
    for mode in ("nearest", "bilinear"):
        one, other = ({kind: {"degrees": 40, "interpolation": mode}} for kind in ("random_affine", "random_rotation"))
        assert torch.equal(augmented(one, x), augmented(other, x))


def test_shifts_are_whole_pixels_up_to_their_shares_of_width_and_height() -> None:
    x = torch.zeros(ROWS, 1, 11, 21)
    x[:, :, 5, 10] = 1
    out = augmented({"random_affine": {"translate": [0.2, 0.3]}}, x)
    assert (out.sum((1, 2, 3)) == 1).all()
    row, column = out[:, 0].flatten(1).argmax(1) // 21 - 5, out[:, 0].flatten(1).argmax(1) % 21 - 10
    for shift, most in ((column, 0.2 * 21), (row, 0.3 * 11)):
        places = np.arange(-round(most), round(most) + 1)
        likely = stats.uniform(-most, 2 * most)
        expected = ROWS * (likely.cdf(places + 0.5) - likely.cdf(places - 0.5))
        counts = [int(np.count_nonzero(shift.numpy() == place)) for place in places]
        assert stats.chisquare(counts, expected).pvalue > 1e-4


def test_factors_and_shears_are_drawn_evenly() -> None:
    i, j = torch.meshgrid(torch.arange(9) - 4, torch.arange(9) - 4, indexing="ij")
    x = torch.stack((i, j)).float().expand(ROWS, -1, -1, -1)
    settings = {"interpolation": "bilinear"}
    zoomed = augmented({"random_affine": settings | {"scale": [0.8, 1.5]}}, x)[:, 1, 4, 6] / 2
    assert stats.kstest(1 / zoomed.double().numpy(), stats.uniform(0.8, 0.7).cdf).pvalue > 1e-4
    slanted = augmented({"random_affine": settings | {"shear": 20}}, x)[:, 1, 5, 4]  # a pixel below the centre
    angles = torch.rad2deg(torch.atan(slanted)).double().numpy()
    assert stats.kstest(angles, stats.uniform(-20, 40).cdf).pvalue > 1e-4


# -- colours


@pytest.mark.parametrize(
    ("setting", "enhancer", "levels"),
    [
        ("brightness", ImageEnhance.Brightness, 1.01),
        ("contrast", ImageEnhance.Contrast, 2.01),
        ("saturation", ImageEnhance.Color, 2.01),
    ],
)
@pytest.mark.parametrize("factor", [0.0, 0.4, 0.9])
def test_brightness_contrast_and_saturation_are_pillows_but_for_its_rounding(
    setting: str, enhancer: Any, levels: float, factor: float
) -> None:
    x = (images(1, 3, 13, 16) * 255).round()
    out = augmented({"color_jitter": {setting: [factor, factor]}}, x)[0]
    picture = enhancer(Image.fromarray(x[0].permute(1, 2, 0).byte().numpy())).enhance(factor)
    assert np.abs(out.permute(1, 2, 0).numpy() - np.asarray(picture, float)).max() < levels


@pytest.mark.parametrize("turn", [-0.5, -0.21, 0.1, 1 / 3, 0.5])
def test_a_hue_turns_as_in_colorsys(turn: float) -> None:
    x = images(1, 3, 12, 12)
    x[..., 0, :6] = x[:, :1, 0, :6]  # greys
    x[:, 0, 1], x[:, 1, 2] = x[:, 1, 1], x[:, 2, 2]  # two equal channels
    out = augmented({"color_jitter": {"hue": [turn, turn]}}, x)[0].permute(1, 2, 0).flatten(0, 1)
    for new, old in zip(out.tolist(), x[0].permute(1, 2, 0).flatten(0, 1).tolist(), strict=True):
        hue, saturation, value = colorsys.rgb_to_hsv(*old)
        assert new == pytest.approx(colorsys.hsv_to_rgb((hue + turn) % 1, saturation, value), abs=1e-5)


def test_all_four_together_are_the_formula_then_the_hue() -> None:
    x = images(50, 3, 8, 8)
    factors = {"brightness": [1.2, 1.2], "contrast": [0.7, 0.7], "saturation": [1.5, 1.5]}
    g = (x * torch.tensor([0.299, 0.587, 0.114]).view(3, 1, 1)).sum(1, keepdim=True)
    m = g.mean((2, 3), keepdim=True)
    expected = 1.2 * (0.7 * (1.5 * x + (1 - 1.5) * g) + (1 - 0.7) * m)
    out = augmented({"color_jitter": factors}, x)
    assert torch.allclose(out, expected, atol=1e-5)
    turned = augmented({"color_jitter": factors | {"hue": [0.2, 0.2]}}, x)
    assert torch.allclose(turned, augmented({"color_jitter": {"hue": [0.2, 0.2]}}, expected), atol=1e-5)


def test_each_image_gets_factors_of_its_own_drawn_evenly() -> None:
    grey = torch.full((ROWS, 3, 2, 2), 0.5)
    found = augmented({"color_jitter": {"brightness": 0.4, "saturation": 0.9, "hue": 0.2}}, grey)[:, 0, 0, 0] / 0.5
    assert stats.kstest(found.double().numpy(), stats.uniform(0.6, 0.8).cdf).pvalue > 1e-4
    red = torch.tensor([1.0, 0.0, 0.0]).view(3, 1, 1).expand(ROWS, -1, 1, 1)
    out = augmented({"color_jitter": {"hue": [0.0, 0.15]}}, red)[:, :, 0, 0]
    hues = [colorsys.rgb_to_hsv(*pixel)[0] for pixel in out.double().tolist()]
    assert stats.kstest(hues, stats.uniform(0, 0.15).cdf).pvalue > 1e-4


def test_a_jitter_of_colours_needs_three_channels() -> None:
    with pytest.raises(ShapeError, match=r"needs colour images \(3, H, W\); received \(1, 8, 8\)"):
        step({"color_jitter": 0.4}).check((1, 8, 8))


# -- blur


@pytest.mark.parametrize(("kernel", "sigma"), [(1, 1.0), (3, 0.5), (9, 2.0), ([5, 3], 1.3), ([1, 7], 40.0)])
def test_a_blur_is_scipys_correlation_with_a_gaussian_window(kernel: Any, sigma: float) -> None:
    x = images(2, 2, 14, 11)
    out = augmented({"gaussian_blur": {"kernel_size": kernel, "sigma": sigma}}, x)
    expected = x.double().numpy()
    for axis, size in zip((2, 3), kernel if isinstance(kernel, list) else (kernel, kernel), strict=True):
        window = gaussian(size, sigma)
        expected = ndimage.correlate1d(expected, window / window.sum(), axis, mode="mirror")
    assert np.allclose(out.numpy(), expected, atol=1e-5)


def test_widths_of_blurs_are_drawn_evenly() -> None:
    x = torch.zeros(ROWS, 1, 1, 5)
    x[..., 2] = 1
    out = augmented({"gaussian_blur": {"kernel_size": [1, 3], "sigma": [0.5, 2.0]}}, x)[:, 0, 0].double()
    sigma = (-0.5 / (out[:, 1] / out[:, 2]).log()).sqrt()
    assert stats.kstest(sigma.numpy(), stats.uniform(0.5, 1.5).cdf).pvalue > 1e-4


def test_a_kernel_is_no_larger_than_a_mirrored_image() -> None:
    blur = {"gaussian_blur": {"kernel_size": [9, 1]}}
    step(blur).check((1, 5, 5))
    augmented(blur, images(1, 1, 5, 5))
    with pytest.raises(ShapeError, match="the kernel can have at most 7 pixels for a size of 4; received 9"):
        step(blur).check((1, 4, 5))


# -- erasing by channel


def test_erasing_can_put_another_value_in_each_channel() -> None:
    x = images(200, 3, 20, 20)
    out = augmented({"random_erasing": {"p": 1.0, "value": [-1, -2, -3]}}, x)
    for channel in range(3):
        erased = out[:, channel] == -1 - channel
        assert erased.any()
        assert torch.equal(erased, out[:, 0] == -1)
        assert torch.equal(out[:, channel][~erased], x[:, channel][~erased])
    with pytest.raises(ShapeError, match="the list has 3 values, and the channels of \\(1, 8, 8\\) are 1"):
        step({"random_erasing": {"value": [1, 2, 3]}}).check((1, 8, 8))
