"""Dropout from random words."""

import pytest
import torch
from scipy import stats
from torch import nn

from dlrun.modules.dropout import BITS, Dropout, diverted, draw_words


@pytest.mark.parametrize("bits", [8, 16])
def test_words_are_uniform_in_every_bit_and_every_place_of_a_draw(bits: int) -> None:
    torch.manual_seed(0)
    words = draw_words(400_000, bits).to(torch.int64) + 2 ** (bits - 1)
    assert words.min() >= 0 and words.max() < 2**bits
    places = 64 // bits
    count = 400_000 // places
    for bit in range(bits):
        for place in range(places):
            ones = int(((words[place::places] >> bit) & 1).sum())
            assert abs(ones - count / 2) < 5 * (count / 4) ** 0.5, (bit, place)
    counts = torch.bincount(words >> (bits - 8), minlength=256).tolist()
    assert stats.chisquare(counts).pvalue > 1e-4


@pytest.mark.parametrize("p", [0.1, 0.25, 0.5, 0.75, 0.9])
def test_a_share_of_p_is_dropped_and_the_mean_is_kept(p: float) -> None:
    torch.manual_seed(1)
    layer = Dropout(p)
    x = torch.ones(1000, 500)
    y = layer(x)
    share = (y == 0).float().mean().item()
    assert share == pytest.approx(p, abs=5 * (p * (1 - p) / x.numel()) ** 0.5 + 2**-BITS)
    kept = y[y != 0]
    assert kept.min() == kept.max() == pytest.approx(1 / (1 - p), rel=2e-4)
    assert y.mean().item() == pytest.approx(1, abs=0.02)


def test_the_gradient_passes_where_the_number_did_and_by_the_same_factor() -> None:
    x = torch.randn(64, 33, requires_grad=True)
    y = Dropout(0.5)(x)
    y.sum().backward()
    assert x.grad is not None
    assert torch.equal(x.grad, torch.where(y == 0, 0.0, 2.0))


def test_none_and_all_can_be_dropped_and_nothing_is_while_measuring() -> None:
    x = torch.randn(5, 3)
    assert torch.equal(Dropout(0.0)(x), x)
    assert torch.equal(Dropout(1.0)(x), torch.zeros(5, 3))
    assert torch.equal(Dropout(0.5).eval()(x), x)
    assert isinstance(Dropout(0.5), nn.Dropout)


@pytest.mark.parametrize("bits", [8, 16])
def test_draws_follow_the_seed_and_the_generator_goes_on(bits: int) -> None:
    torch.manual_seed(5)
    first, second = draw_words(10, bits), draw_words(10, bits)
    torch.manual_seed(5)
    assert torch.equal(draw_words(10, bits), first)
    assert torch.equal(draw_words(10, bits), second)
    assert not torch.equal(first, second)
    assert draw_words(0, bits).shape == (0,)


def test_a_nested_diversion_restores_the_outer_one() -> None:
    def constant(value: int):
        return lambda count, bits: torch.full((count,), value, dtype=torch.int16)

    layer, x = Dropout(0.3), torch.ones(4)
    kept, dropped = constant(2**15 - 1), constant(-(2**15))
    with diverted(dropped):
        with diverted(kept):
            assert layer(x).all()
        assert not layer(x).any()
    before = torch.get_rng_state()
    layer(x)
    assert not torch.equal(torch.get_rng_state(), before)
