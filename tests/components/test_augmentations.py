"""Each augmentation against the same thing written for one image at a time, with NumPy, SciPy or torch."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from scipy import ndimage, stats
from torch.nn import functional

from dlrun.components.augment import Augmentation
from dlrun.language.component import choose
from dlrun.language.messages import setting_problems
from dlrun.modules.random_streams import RandomStream, streams
from dlrun.shapes import ShapeError

ROWS = 2000


def step(written: Any) -> Augmentation:
    chosen = choose("augment", written)
    assert isinstance(chosen, Augmentation)
    return chosen


def augmented(written: Any, x: torch.Tensor, epoch: int = 0) -> torch.Tensor:
    return step(written).apply(x, RandomStream(streams(3, epoch, torch.arange(len(x)))))


def images(rows: int = ROWS, channels: int = 2, height: int = 5, width: int = 6) -> torch.Tensor:
    return torch.rand(rows, channels, height, width, generator=torch.Generator().manual_seed(0)) + 0.1


def places(rows: int, height: int, width: int) -> torch.Tensor:
    """Images whose two channels say each pixel's row and column."""
    i, j = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    return torch.stack((i, j)).float().expand(rows, -1, -1, -1)


def evenly(counts: Any) -> bool:
    return bool(stats.chisquare(counts).pvalue > 1e-4)


def refusal(written: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        choose("augment", written)
    return setting_problems(caught.value)[0].message


# -- flips


@pytest.mark.parametrize(("kind", "axis"), [("random_horizontal_flip", 2), ("random_vertical_flip", 1)])
@pytest.mark.parametrize("p", [0.0, 0.25, 0.5, 1.0])
def test_a_flip_mirrors_a_share_p_of_the_images_and_leaves_the_others(kind: str, axis: int, p: float) -> None:
    x = images()
    out = augmented({kind: p}, x).numpy()
    mirrored = np.array([np.array_equal(new, np.flip(old, axis)) for new, old in zip(out, x.numpy(), strict=True)])
    left = np.array([np.array_equal(new, old) for new, old in zip(out, x.numpy(), strict=True)])
    assert (mirrored ^ left).all()
    assert abs(mirrored.mean() - p) <= 5 * math.sqrt(p * (1 - p) / ROWS)


# -- crops

NUMPYS = {"constant": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}


@pytest.mark.parametrize("mode", NUMPYS)
@pytest.mark.parametrize("padding", [1, [2, 1], [0, 2]])
def test_a_crop_is_every_part_of_the_padded_image_equally_often(mode: str, padding: Any) -> None:
    x = images()
    fill = {"fill": 7.0} if mode == "constant" else {}
    out = augmented({"random_crop": {"padding": padding, "padding_mode": mode, **fill}}, x).numpy()
    high, wide = (padding, padding) if isinstance(padding, int) else padding
    constant = {"constant_values": 7.0} if mode == "constant" else {}
    padded = np.pad(x.numpy(), ((0, 0), (0, 0), (high, high), (wide, wide)), NUMPYS[mode], **constant)
    counts = np.zeros((2 * high + 1, 2 * wide + 1), int)
    matches = np.zeros(ROWS, int)
    for top, left in np.ndindex(*counts.shape):
        same = (out == padded[:, :, top : top + 5, left : left + 6]).all((1, 2, 3))
        counts[top, left] = same.sum()
        matches += same
    assert (matches == 1).all()
    assert evenly(counts.ravel())


def test_a_crop_refuses_paddings_that_torch_refuses() -> None:
    for mode, most in (("reflect", 4), ("circular", 5)):
        fits = {"padding": [most, 0], "padding_mode": mode}
        step({"random_crop": fits}).check((2, 5, 6))
        augmented({"random_crop": fits}, images(2))
        too_much = {"padding": [most + 1, 0], "padding_mode": mode}
        with pytest.raises(ShapeError, match=f"can add at most {most} to a size of 5; received {most + 1}"):
            step({"random_crop": too_much}).check((2, 5, 6))
        with pytest.raises(RuntimeError):
            augmented({"random_crop": too_much}, images(2))
    assert "fill is only for padding_mode constant" in refusal(
        {"random_crop": {"padding": 1, "padding_mode": "reflect", "fill": 1.0}}
    )


@pytest.mark.parametrize(("scale", "ratio"), [((0.08, 1.0), (0.75, 4 / 3)), ((0.3, 0.4), (0.5, 0.5)), ((1, 1), (1, 1))])
def test_a_resized_crop_is_a_part_of_the_allowed_size_and_shape_interpolated(scale: Any, ratio: Any) -> None:
    height, width, rows = 24, 20, 400
    x = torch.cat((places(rows, height, width), images(rows, 1, height, width)), 1)
    out = augmented({"random_resized_crop": {"scale": list(scale), "ratio": list(ratio)}}, x)
    seen = []
    for new, old in zip(out, x, strict=True):
        top, h = the_part(new[0, :, 0], height)
        left, w = the_part(new[1, 0], width)
        part = old[None, :, top : top + h, left : left + w]
        assert part.shape[2:] == (h, w)
        expected = functional.interpolate(part, (height, width), mode="bilinear", align_corners=False)[0]
        assert torch.allclose(new, expected, atol=3e-5)
        seen.append((h, w, top, left))
    h, w, top, left = np.array(seen).T
    if scale == (1, 1):  # a square of the whole area does not fit: the largest one in the middle
        assert set(seen) == {(20, 20, 2, 0)}
        return
    low, high = (share * height * width for share in scale)
    assert ((h + 0.51) * (w + 0.51) >= low).all()
    assert ((h - 0.51) * (w - 0.51) <= high).all()
    assert ((w + 0.51) / (h - 0.51) >= ratio[0]).all()
    assert ((w - 0.51) / (h + 0.51) <= ratio[1]).all()
    for start, room in ((top, height - h), (left, width - w)):
        assert (start <= room).all()
        assert abs((start[room > 0] / room[room > 0]).mean() - 0.5) < 5 * math.sqrt(1 / 4 / (room > 0).sum())


def the_part(places_seen: torch.Tensor, size: int) -> tuple[int, int]:
    """Where along an axis an enlarged part begins, and how long it is: places rise by length/size a pixel."""
    least, most = places_seen[0].item(), places_seen[-1].item()
    length = round(most) - round(least) + 1
    steps = places_seen.diff()
    assert steps.max().item() == pytest.approx(length / size, abs=1e-4)
    return round(least), length


def test_a_part_without_a_pixel_is_no_part() -> None:
    x = images(20, 2, 6, 6)
    out = augmented({"random_resized_crop": {"scale": [0.01, 0.01], "ratio": [0.01, 0.01]}}, x)
    assert torch.allclose(out, x[..., 2:3].expand_as(x), atol=1e-5)


def test_sizes_of_parts_are_drawn_evenly_in_area_and_in_the_logarithm_of_the_ratio() -> None:
    side = 300
    out = augmented({"random_resized_crop": {"scale": [0.1, 0.3], "ratio": [0.5, 2.0]}}, places(150, side, side))
    h, w = (np.array([the_part(line, side)[1] for line in lines]) for lines in (out[:, 0, :, 0], out[:, 1, 0]))
    assert stats.kstest(h * w / side**2, stats.uniform(0.1, 0.2).cdf).pvalue > 1e-4
    assert stats.kstest(np.log2(w / h), stats.uniform(-1, 2).cdf).pvalue > 1e-4


# -- erasing


@pytest.mark.parametrize("p", [0.0, 0.4, 1.0])
def test_erasing_puts_one_value_in_a_rectangle_of_the_allowed_size_and_shape(p: float) -> None:
    height, width = 30, 20
    x = images(ROWS, 2, height, width)
    settings = {"p": p, "scale": [0.05, 0.2], "ratio": [0.5, 2.0], "value": -3.0}
    out = augmented({"random_erasing": settings}, x)
    erased = out == -3
    assert torch.equal(out[~erased], x[~erased])
    assert torch.equal(erased[:, 0], erased[:, 1])
    rows, columns = erased[:, 0].any(2).numpy(), erased[:, 0].any(1).numpy()
    assert np.array_equal(erased[:, 0].numpy(), rows[:, :, None] & columns[:, None, :])
    hit = rows.any(1)
    assert abs(hit.mean() - p) <= 5 * math.sqrt(p * (1 - p) / ROWS)
    if not p:
        return
    h, w = rows[hit].sum(1), columns[hit].sum(1)
    for line, length in ((rows[hit], h), (columns[hit], w)):
        assert (np.abs(np.diff(line.astype(int), axis=1, prepend=0, append=0)).sum(1) == 2).all()  # in one piece
        start, room = line.argmax(1), line.shape[1] - length
        assert (start == 0).any()
        assert (start == room).any()
        assert abs((start / room).mean() - 0.5) < 5 * math.sqrt(1 / 4 / len(start))
    assert ((h + 0.51) * (w + 0.51) >= 0.05 * height * width).all()
    assert ((h - 0.51) * (w - 0.51) <= 0.2 * height * width).all()
    assert ((h + 0.51) / (w - 0.51) >= 0.5).all()
    assert ((h - 0.51) / (w + 0.51) <= 2.0).all()
    assert (h > w).any()
    assert (h < w).any()


def test_erasing_with_random_values_puts_normal_numbers_there() -> None:
    x = torch.full((200, 3, 20, 20), 100.0)
    out = augmented({"random_erasing": {"p": 1.0, "value": "random"}}, x)
    assert stats.kstest(out[out != 100].double().numpy(), "norm").pvalue > 1e-4
    assert torch.equal((out != 100)[:, 0], (out != 100)[:, 2])


def test_another_rectangle_is_tried_where_the_first_is_too_large() -> None:
    x = images(ROWS, 1, 20, 20)
    out = augmented({"random_erasing": {"p": 1.0, "scale": [0.5, 0.8], "ratio": [0.3, 3.3], "value": -3.0}}, x)
    assert (out == -3).flatten(1).any(1).double().mean() > 0.95  # of single tries, a third is smaller


def test_where_no_rectangle_is_smaller_than_the_image_nothing_is_erased() -> None:
    x = images()
    assert torch.equal(augmented({"random_erasing": {"p": 1.0, "scale": [1, 1], "ratio": [1, 1]}}, x), x)


# -- rotation


@pytest.mark.parametrize("interpolation", ["nearest", "bilinear"])
@pytest.mark.parametrize(("degrees", "turns"), [(90, 1), (180, 2), (-90, 3), (360, 0)])
def test_quarter_turns_go_against_the_clock_as_in_numpy(interpolation: str, degrees: int, turns: int) -> None:
    x = images(3, 2, 6, 6)
    out = augmented({"random_rotation": {"degrees": [degrees, degrees], "interpolation": interpolation}}, x)
    assert np.allclose(out.numpy(), np.rot90(x.numpy(), turns, (2, 3)), atol=1e-5)


@pytest.mark.parametrize("degrees", [-130.0, -20.0, 15.5, 77.0])
@pytest.mark.parametrize("fill", [0.0, 2.5])
def test_a_turned_image_is_what_scipy_makes_of_it(degrees: float, fill: float) -> None:
    height, width = 17, 12
    x = images(2, 2, height, width)
    settings = {"degrees": [degrees, degrees], "interpolation": "bilinear", "fill": fill}
    out = augmented({"random_rotation": settings}, x)
    for new, old in zip(out.flatten(0, 1).numpy(), x.flatten(0, 1).numpy(), strict=True):
        cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
        matrix, centre = np.array([[cos, sin], [-sin, cos]]), np.array([height - 1, width - 1]) / 2
        expected = ndimage.affine_transform(
            old.astype(float), matrix, centre - matrix @ centre, order=1, mode="grid-constant", cval=fill
        )
        assert np.allclose(new, expected, atol=1e-4)


@pytest.mark.parametrize(("degrees", "low", "high"), [(30.0, -30, 30), ([10.0, 50.0], 10, 50)])
def test_angles_are_drawn_evenly_from_their_range(degrees: Any, low: float, high: float) -> None:
    out = augmented({"random_rotation": {"degrees": degrees, "interpolation": "bilinear"}}, places(ROWS, 9, 9) - 4)
    row, column = out[:, 0, 4, 5], out[:, 1, 4, 5]  # one pixel to the right of the centre: (sin, cos)
    angles = torch.rad2deg(torch.atan2(row, column)).double().numpy()
    assert stats.kstest(angles, stats.uniform(low, high - low).cdf).pvalue > 1e-4


# -- numbers


def test_noise_is_normal_around_each_number_and_its_own_everywhere() -> None:
    x = images(200, 2, 20, 20)
    noise = (augmented({"gaussian_noise": 0.5}, x) - x).double()
    assert stats.kstest(noise.flatten().numpy() / 0.5, "norm").pvalue > 1e-4
    flat = noise.flatten(1)
    assert abs(np.corrcoef(flat[:-1].flatten(), flat[1:].flatten())[0, 1]) < 5 / math.sqrt(noise.numel())
    assert abs(np.corrcoef(flat[:, :-1].flatten(), flat[:, 1:].flatten())[0, 1]) < 5 / math.sqrt(noise.numel())
    other = (augmented({"gaussian_noise": 0.5}, x, epoch=1) - x).double()
    assert abs(np.corrcoef(noise.flatten(), other.flatten())[0, 1]) < 5 / math.sqrt(noise.numel())


FACTORS = [(0.4, 0.6, 1.4), (1.5, 0.0, 2.5), ([0.5, 0.75], 0.5, 0.75)]


@pytest.mark.parametrize(("factor", "low", "high"), FACTORS)
def test_brightness_multiplies_each_image_by_a_number_drawn_evenly(factor: Any, low: float, high: float) -> None:
    x = images()
    found = (augmented({"brightness": factor}, x) / x).flatten(1)
    assert torch.allclose(found, found[:, :1], atol=1e-5)
    assert stats.kstest(found[:, 0].double().numpy(), stats.uniform(low, high - low).cdf).pvalue > 1e-4


@pytest.mark.parametrize(("factor", "low", "high"), FACTORS)
def test_contrast_multiplies_each_images_distance_from_its_mean(factor: Any, low: float, high: float) -> None:
    x = images()
    out = augmented({"contrast": factor}, x)
    mean = x.double().mean((1, 2, 3), keepdim=True)
    assert torch.allclose(out.double().mean((1, 2, 3), keepdim=True), mean, atol=1e-6)
    found = ((out - mean).flatten(1) * (x - mean).flatten(1)).sum(1) / (x - mean).flatten(1).square().sum(1)
    assert torch.allclose(out.double(), mean + found.view(-1, 1, 1, 1) * (x - mean), atol=1e-5)
    assert stats.kstest(found.numpy(), stats.uniform(low, high - low).cdf).pvalue > 1e-4


# -- settings


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ({"brightness": -0.1}, "a number from 0 on, or two of them, [low, high], is expected; received -0.1"),
        ({"brightness": [1.5, 0.5]}, "a range begins with its lower number; received [1.5, 0.5]"),
        ({"random_rotation": 400}, "a number of degrees from 0 to 360, or [low, high],"),
        ({"random_rotation": [0, 400]}, "a number of degrees from 0 to 360, or [low, high],"),
        ({"random_erasing": {"scale": [0, 0.5]}}, "a list of two shares above 0 up to 1, [low, high], is expected"),
        ({"random_erasing": {"scale": 0.5}}, "a list of two shares above 0 up to 1, [low, high], is expected"),
        ({"random_resized_crop": {"ratio": [0, 1]}}, "a list of two numbers above 0, [low, high], is expected"),
        ({"random_resized_crop": {"ratio": [1, 10**400]}}, "a list of two numbers above 0, [low, high], is expected"),
        ({"random_resized_crop": {"ratio": [1, True]}}, "a list of two numbers above 0, [low, high], is expected"),
    ],
)
def test_a_range_that_is_none_is_refused(written: Any, message: str) -> None:
    assert message in refusal(written)
