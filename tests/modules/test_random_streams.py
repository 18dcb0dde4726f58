"""Random numbers by place: the bits are splitmix64's, and they look like chance wherever they lie."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from scipy import stats

from dlrun.modules.random_streams import PART, PLACES, RandomStream, nth, streams

PUBLISHED = [
    6457827717110365317,
    3203168211198807973,
    9817491932198370423,
    4593380528125082431,
    16408922859458223821,
]
"""The first numbers of splitmix64 from seed 1234567, as the generator's authors' C code prints them."""


def splitmix64(state: int) -> Iterator[int]:
    """The published generator, a number after the other."""
    while True:
        state = (state + 0x9E3779B97F4A7C15) % 2**64
        z = state
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB % 2**64
        yield z ^ (z >> 31)


def jumped(state: int, number: int) -> int:
    """Number `number` of the stream, by starting just before it."""
    return next(splitmix64((state + number * 0x9E3779B97F4A7C15) % 2**64))


def chance(seed: int, epoch: int, rows: list[int] | range, part: int = 0) -> RandomStream:
    return RandomStream(streams(seed, epoch, torch.tensor(list(rows))), part)


def unsigned(bits: torch.Tensor) -> list[int]:
    return [int(value) % 2**64 for value in bits.flatten()]


def test_the_reference_here_and_the_function_there_give_the_published_numbers() -> None:
    stream = splitmix64(1234567)
    assert [next(stream) for _ in range(5)] == PUBLISHED
    assert [nth(1234567, number) for number in range(5)] == PUBLISHED


ROWS = [0, 1, 2, 1000, 2**31 - 1, 2**31, 2**40, 2**62]


@pytest.mark.parametrize("seed", [0, 7, 2**32, 2**63 - 1])
@pytest.mark.parametrize("epoch", [0, 1, 999])
@pytest.mark.parametrize("part", [0, 3])
def test_a_rows_bits_are_the_numbers_of_its_own_stream(seed: int, epoch: int, part: int) -> None:
    draw = chance(seed, epoch, ROWS, part)
    one, several, again = draw.bits(), draw.bits(2, 3), draw.bits(1)
    assert (one.shape, several.shape, again.shape) == ((8,), (8, 2, 3), (8, 1))
    assert {one.dtype, several.dtype} == {torch.int64}
    for place, row in enumerate(ROWS):
        stream = jumped(jumped(seed, epoch), row)
        expected = [jumped(stream, part * PART + number) for number in range(8)]
        assert unsigned(torch.cat((one[place : place + 1], several[place].flatten(), again[place]))) == expected


def test_floats_and_whole_numbers_are_the_bits_upper_ends() -> None:
    bits = unsigned(chance(5, 2, range(200)).bits(4))
    uniform = chance(5, 2, range(200)).uniform(4)
    assert uniform.dtype == torch.float32
    assert uniform.flatten().tolist() == [(value >> 40) / 2**24 for value in bits]
    below = chance(5, 2, range(200)).below(9, 4)
    assert below.flatten().tolist() == [(value >> 32) * 9 >> 32 for value in bits]
    table = torch.arange(PLACES, dtype=torch.float64)
    assert chance(5, 2, range(200)).pick(table, 4).flatten().tolist() == [value >> 48 for value in bits]


def test_the_limit_may_be_another_for_each_row() -> None:
    limits = torch.arange(1, 101)
    drawn = torch.stack([chance(0, epoch, range(100)).below(limits) for epoch in range(400)])
    assert (drawn >= 0).all()
    assert (drawn < limits).all()
    assert (drawn.amax(0)[:20] == limits[:20] - 1).all()
    assert (drawn.amin(0)[:20] == 0).all()


def test_the_largest_and_the_least_bits_stay_inside_the_range() -> None:
    class Fixed(RandomStream):
        def bits(self, *shape: int) -> torch.Tensor:
            return torch.tensor([-1, 0, -(2**63), 2**63 - 1])

    draw = Fixed(torch.zeros(4, dtype=torch.int64))
    assert draw.uniform().tolist() == [1 - 2**-24, 0, 0.5, 0.5 - 2**-24]
    assert draw.below(2**31 - 1).tolist() == [2**31 - 2, 0, 2**30 - 1, 2**30 - 1]


def test_nothing_of_torchs_generators_is_used() -> None:
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = [f(chance(1, 1, range(9))) for f in (RandomStream.uniform, RandomStream.normal)]
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    second = [f(chance(1, 1, range(9))) for f in (RandomStream.uniform, RandomStream.normal)]
    assert all(torch.equal(one, other) for one, other in zip(first, second, strict=True))


def test_a_rows_numbers_do_not_depend_on_the_rows_beside_it() -> None:
    order = torch.randperm(300, generator=torch.Generator().manual_seed(0)).tolist()
    for draw in (RandomStream.uniform, RandomStream.normal):
        together = draw(chance(3, 4, order), 5)
        alone = torch.cat([draw(chance(3, 4, [row]), 5) for row in order])
        assert torch.equal(together, alone)


# -- how the numbers look, for one fixed seed: bounds are 5 standard errors, one in two million

COUNT = 2**18


def uniform_of(seed: int = 11, epoch: int = 0, part: int = 0, number: int = 0, first: int = 0) -> np.ndarray:
    draw = chance(seed, epoch, range(first, first + COUNT), part)
    return draw.uniform(number + 1)[:, number].double().numpy()


@pytest.mark.parametrize("where", [{}, {"seed": 0}, {"epoch": 1}, {"part": 1}, {"number": 1}, {"first": 10**9}])
def test_uniform_numbers_have_the_mean_the_variance_and_the_histogram_of_chance(where: dict[str, int]) -> None:
    values = uniform_of(**where)
    assert abs(values.mean() - 1 / 2) < 5 * math.sqrt(1 / 12 / COUNT)
    assert abs(values.var() - 1 / 12) < 5 * math.sqrt(1 / 180 / COUNT)
    counts = np.bincount((values * 256).astype(int), minlength=256)
    assert chi_square_is_likely(counts)


def chi_square_is_likely(counts: np.ndarray) -> bool:
    """Neither too uneven nor too even: both ends of the distribution are told."""
    expected = counts.sum() / counts.size
    degrees = counts.size - 1
    statistic = ((counts - expected) ** 2 / expected).sum()
    return bool(1e-6 < stats.chi2.cdf(statistic, degrees) < 1 - 1e-6)


NEIGHBOURS = [
    ({}, {"first": 1}),
    ({}, {"epoch": 1}),
    ({}, {"part": 1}),
    ({}, {"number": 1}),
    ({}, {"seed": 12}),
    ({"epoch": 1}, {"first": 1}),
    ({"number": 1}, {"part": 1}),
]


@pytest.mark.parametrize(("one", "other"), NEIGHBOURS)
def test_neighbouring_rows_epochs_parts_numbers_and_seeds_have_nothing_to_do_with_each_other(
    one: dict[str, int], other: dict[str, int]
) -> None:
    a, b = uniform_of(**one), uniform_of(**other)
    assert abs(np.corrcoef(a, b)[0, 1]) < 5 / math.sqrt(COUNT)
    assert abs(np.corrcoef(a % (1 / 256), b % (1 / 256))[0, 1]) < 5 / math.sqrt(COUNT)
    pairs = np.bincount((a * 16).astype(int) * 16 + (b * 16).astype(int), minlength=256)
    assert chi_square_is_likely(pairs)


def test_every_bit_is_set_half_the_time_and_flips_half_the_time_from_row_to_row() -> None:
    bits = chance(11, 0, range(COUNT)).bits()
    flipped = bits[1:] ^ bits[:-1]
    for place in range(64):
        for values in (bits, flipped):
            share = ((values >> place) & 1).double().mean().item()
            assert abs(share - 1 / 2) < 5 * math.sqrt(1 / 4 / len(values))


def test_whole_numbers_are_equally_likely() -> None:
    for limit in (2, 9, 100):
        counts = np.bincount(chance(11, 0, range(COUNT)).below(limit).numpy(), minlength=limit)
        assert counts.size == limit
        assert chi_square_is_likely(counts)


def test_normal_numbers_are_normal() -> None:
    for values in (
        chance(11, 0, range(COUNT)).normal().double().numpy(),
        chance(11, 0, range(3)).normal(3, COUNT // 9).double().numpy().ravel(),
    ):
        count = len(values)
        for power, moment, variance in ((1, 0, 1), (2, 1, 2), (3, 0, 15), (4, 3, 96)):
            assert abs((values**power).mean() - moment) < 5 * math.sqrt(variance / count)
        assert stats.kstest(values, "norm").pvalue > 1e-4


@pytest.mark.parametrize("shape", [(), (1,), (2,), (3,), (2, 3, 3)])
def test_normal_numbers_come_in_any_shape_and_are_all_different_draws(shape: tuple[int, ...]) -> None:
    draw = chance(1, 0, range(5))
    values = torch.stack([draw.normal(*shape) for _ in range(3)])
    assert values.shape == (3, 5, *shape)
    assert values.unique().numel() == values.numel()


@pytest.mark.parametrize("p", [0.0, 2.0**-20, 0.3, 0.5, 1.0])
def test_a_chance_is_true_as_often_as_it_says(p: float) -> None:
    found = RandomStream(streams(1, 0, torch.arange(1000))).chance(p, 41, 25)
    assert found.shape == (1000, 41, 25)
    assert abs(found.double().mean() - p) <= 5 * math.sqrt(p * (1 - p) / found.numel())
    if 0.1 < p < 0.9:  # each by itself
        flat = found.double().flatten()
        assert abs(np.corrcoef(flat[:-1], flat[1:])[0, 1]) < 5 / math.sqrt(len(flat))
