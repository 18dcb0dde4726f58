"""Dropout from random words. On a CPU torch draws a Bernoulli sample for each number, which takes five times longer."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import nn
from torch.nn import functional

BITS = 16
"""Bits of the longest words. A number is dropped where its word, one of 2^bits, is below a threshold, so p is rounded
to a multiple of 1/65,536."""
DTYPES = {8: torch.int8, 16: torch.int16}
"""The signed integer type of words, by their number of bits."""

SMALLEST_SELU = -1.7580993408473766
"""What selu gives far below 0: -1.0507... * 1.6732..."""

_divert: Callable[[int, int], torch.Tensor] | None = None


class RandomWords:
    """A buffer of random words, filled again at each draw, since allocating takes longer than drawing."""

    def __init__(self, draws: Sequence[tuple[int, int]]):
        """Each of `draws` is a number of words and their number of bits."""
        numbers = [-(-count * bits // 64) for count, bits in draws]
        self.numbers = torch.empty(sum(numbers), dtype=torch.int64)
        parts = zip(self.numbers.split(numbers), draws, strict=True)
        self.words = [part.view(DTYPES[bits])[:count] for part, (count, bits) in parts]
        """The words of each draw, uniformly distributed."""

    def draw(self) -> list[torch.Tensor]:
        """The words, from torch's CPU generator: the same words as from one call of `draw_words` for each draw."""
        self.numbers.random_(-(2**63), None)
        return self.words


def draw_words(count: int, bits: int) -> torch.Tensor:
    """(count,) words of 8 or 16 bits, from torch's CPU generator."""
    return RandomWords([(count, bits)]).draw()[0]


@contextlib.contextmanager
def diverted(take: Callable[[int, int], torch.Tensor]) -> Iterator[None]:
    """Let modules take their words from `take` inside the block, so a captured step can use its own."""
    global _divert
    outer, _divert = _divert, take
    try:
        yield
    finally:
        _divert = outer


class Dropout(nn.Dropout):
    """In training, set each number to 0 with probability p and divide the others by 1 - p; in evaluation, x."""

    def __init__(self, p: float = 0.5):
        super().__init__(p)
        self.bits = 8 if (p * 2**8).is_integer() else BITS
        words = 2**self.bits
        dropped = round(p * words)
        self.threshold = dropped - words // 2
        self.scale = words / (words - dropped) if dropped < words else 0.0

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        if not self.training or not self.p or input.device.type != "cpu":
            return functional.dropout(input, self.p, self.training)
        words = (_divert or draw_words)(input.numel(), self.bits).view(input.shape)
        # 0 below the threshold and 1 from it on. Whole numbers are exact, and comparing would take three times as long.
        kept = words.to(torch.float32).sub_(self.threshold - 1).clamp_(0, 1)
        return input * kept.to(input.dtype).mul_(self.scale)


class ChangingDropout(nn.Module):
    """The dropout with its probability in a tensor, so that a captured step can be repeated with another one."""

    def __init__(self, p: torch.Tensor, axes: int | None = None):
        """
        Args:
            p: the probability, float32 with no axes.
            axes: how many axes of the input are told apart; what lies in the others is dropped together. None: all.
        """
        super().__init__()
        self.p, self.axes = p, axes

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        if not self.training:
            return input
        kept, p = self.draw(input)
        return input * (kept * torch.where(p < 1, 1 / (1 - p), 0.0)).to(input.dtype)

    def draw(self, input: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """1 for what is kept and 0 for what is dropped, float32; and the probability, rounded as the words need it."""
        shape = input.shape[: self.axes] + (1,) * len(input.shape[self.axes :] if self.axes else ())
        if input.device.type != "cpu":
            return (torch.rand(shape, device=input.device) >= self.p).to(torch.float32), self.p
        words = (_divert or draw_words)(shape.numel(), BITS).view(shape)
        dropped = (self.p * 2**BITS).round()
        kept = words.to(torch.float32).sub_(dropped - 2 ** (BITS - 1) - 1).clamp_(0, 1)
        return kept, dropped / 2**BITS


class ChangingAlphaDropout(ChangingDropout):
    """The alpha dropout with its probability in a tensor: dropped numbers become selu's smallest value d, and
    a*x + b with a = ((1 - p)*(1 + p*d**2))**-0.5 and b = -a*p*d keeps mean and variance."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        if not self.training:
            return input
        kept, p = self.draw(input)
        factor = torch.where(p < 1, ((1 - p) * (1 + p * SMALLEST_SELU**2)).rsqrt(), 0.0)
        moved = input * kept.to(input.dtype) + ((1 - kept) * SMALLEST_SELU).to(input.dtype)
        return moved * factor.to(input.dtype) - (factor * p * SMALLEST_SELU).to(input.dtype)
