"""Every augmentation there is: what becomes of a row depends on the row and its place alone."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from strategies import components, draws

from dlrun.components.augment import Augmentation, InputAugmentation, Mixing, PartnerAugmentation, RowAugmentation
from dlrun.language.component import choose
from dlrun.language.kinds import find, kinds
from dlrun.language.text.document import parse_text
from dlrun.modules.random_streams import RandomStream, streams
from dlrun.shapes import Shape, ShapeError
from dlrun.views.reference.reference import describe_kind

KINDS = kinds("augment")
IMAGE = st.tuples(st.integers(1, 4), st.integers(1, 12), st.integers(1, 12))


def an_example(kind: str) -> RowAugmentation:
    """The kind as its docstring shows it."""
    found = choose("augment", parse_text(describe_kind("augment", kind).example, "example").root.plain())
    assert isinstance(found, RowAugmentation)
    return found


def images(shape: Shape, rows: int = 8, dtype: torch.dtype = torch.float32, seed: int = 1) -> torch.Tensor:
    """Numbers, or indices for a type of whole numbers."""
    x = torch.randn(rows, *shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return x.to(dtype) if dtype.is_floating_point else (5 * x.abs()).to(dtype)


def augmented(
    step: RowAugmentation, x: torch.Tensor, rows: torch.Tensor, epoch: int = 0, seed: int = 0
) -> torch.Tensor:
    """The changed rows; of a mix with one more channel, the share. Partners are here a function of the row's number."""
    draw = RandomStream(streams(seed, epoch, rows))
    if isinstance(step, Augmentation):
        return step.apply(x, draw)
    partners = images(tuple(x.shape[1:]), 16, x.dtype, 3)[rows % 16]
    if isinstance(step, PartnerAugmentation):
        return step.exchange(x, partners, draw)
    assert isinstance(step, Mixing)
    (mixed,), share = step.mix([x], [partners], draw)
    assert share.shape == (len(x),)
    assert share.dtype == torch.float32
    assert ((share >= 0) & (share <= 1)).all()
    shown = share.to(x.dtype).view(-1, *[1] * (x.dim() - 1)).expand(-1, 1, *x.shape[2:])
    return torch.cat((mixed, shown), 1)


def takes(step: RowAugmentation, shape: Shape, indices: bool = False) -> bool:
    try:
        check(step, shape, indices)
    except ShapeError as error:
        assert str(error)
        return False
    return True


def check(step: RowAugmentation, shape: Shape, indices: bool = False) -> None:
    if isinstance(step, Mixing):
        step.check({"x": shape}, {"x": indices})
    else:
        assert isinstance(step, InputAugmentation)
        step.check(shape, indices)


def types(step: RowAugmentation, shape: Shape) -> list[torch.dtype]:
    """The types of rows of a shape that it takes."""
    numbers = [torch.float32, torch.float64] if takes(step, shape) else []
    return [*numbers, torch.int64] if takes(step, shape, indices=True) else numbers


def example_rows(kind: str, shape: Shape, rows: int) -> tuple[RowAugmentation, torch.Tensor]:
    """The kind's example with rows that it takes."""
    step = an_example(kind)
    return step, images(shape, rows, types(step, shape)[0])


@pytest.mark.parametrize("kind", KINDS)
@draws(60)
@given(data=st.data())
def test_shape_and_dtype_stay_and_numbers_are_finite_and_the_input_is_left_alone(kind: str, data: Any) -> None:
    step, shape = data.draw(components("augment", kind)), data.draw(IMAGE)
    for dtype in types(step, shape):
        x = images(shape, dtype=dtype)
        before = x.clone()
        out = augmented(step, x, torch.arange(8), data.draw(st.integers(0, 100)))[:, : shape[0]]
        assert (out.shape, out.dtype) == (x.shape, dtype)
        assert out.isfinite().all()
        assert torch.equal(x, before)
        assert out.data_ptr() != x.data_ptr()


@pytest.mark.parametrize("kind", KINDS)
@draws(30)
@given(data=st.data())
def test_a_row_becomes_the_same_alone_in_any_batch_and_in_any_order(kind: str, data: Any) -> None:
    step, shape = data.draw(components("augment", kind)), data.draw(IMAGE)
    for dtype in types(step, shape):
        rows = torch.tensor(data.draw(st.lists(st.integers(0, 2**40), min_size=8, max_size=8)))
        hold_apart(step, images(shape, dtype=dtype), rows)


def hold_apart(step: RowAugmentation, x: torch.Tensor, rows: torch.Tensor) -> None:
    together = augmented(step, x, rows)
    alone = [augmented(step, x[i : i + 1], rows[i : i + 1]) for i in range(len(x))]
    assert torch.equal(torch.cat(alone), together)
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(2))
    assert torch.equal(augmented(step, x[order], rows[order]), together[order])
    laid_out = x.transpose(0, -1).contiguous().transpose(0, -1)
    assert torch.equal(augmented(step, laid_out, rows), together)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(3, 32, 32), (1, 61, 47), (3, 120, 130)])
def test_so_it_does_at_sizes_at_which_torch_divides_its_work_in_other_ways(kind: str, shape: Shape) -> None:
    step = an_example(kind)
    for dtype in types(step, shape)[:1]:  # not each takes one channel
        hold_apart(step, images(shape, 9, dtype), torch.arange(100, 109))


@pytest.mark.parametrize("kind", KINDS)
def test_so_it_does_in_a_large_batch(kind: str) -> None:
    hold_apart(*example_rows(kind, (3, 9, 10), 131), torch.arange(131))


@pytest.mark.parametrize("kind", KINDS)
def test_a_row_becomes_another_in_another_epoch_with_another_seed_and_under_another_number(kind: str) -> None:
    (step, x), rows = example_rows(kind, (3, 16, 16), 64), torch.arange(64)
    base = augmented(step, x, rows)
    assert torch.equal(augmented(step, x, rows), base)
    for other in (
        augmented(step, x, rows, epoch=1),
        augmented(step, x, rows, seed=1),
        augmented(step, x, rows + 64),
    ):
        changed = (other != base).flatten(1).any(1)
        assert changed.sum() > 64 / 8


@pytest.mark.parametrize("kind", KINDS)
def test_what_becomes_of_an_image_is_not_the_same_for_all(kind: str) -> None:
    step, x = example_rows(kind, (3, 16, 16), 1)
    out = augmented(step, x.expand(64, -1, -1, -1), torch.arange(64))
    assert len(out.unique(dim=0)) > 1


@pytest.mark.parametrize("kind", KINDS)
def test_one_that_computes_refuses_indices_and_one_for_indices_refuses_numbers(kind: str) -> None:
    step = an_example(kind)
    assert takes(step, (3, 16, 16), indices=True) == (kind in ("swap_noise", "token_dropout"))
    assert takes(step, (3, 16, 16)) == (kind != "token_dropout")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(4,), (4, 4), (3, 4, 4, 4)])
def test_what_is_for_images_refuses_everything_else(kind: str, shape: Shape) -> None:
    if find("augment", kind).of_images:
        with pytest.raises(ShapeError, match="needs images"):
            check(an_example(kind), shape)
    else:
        step, x = example_rows(kind, shape, 8)
        assert augmented(step, x, torch.arange(8))[:, : shape[0]].shape == (8, *shape)
