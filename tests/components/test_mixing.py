"""Augmentations that take a row's partner, and those of indices: held against closed forms, SciPy and torch."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats
from torch.nn import functional

from dlrun.components.augment import Augmentation, Mixing, PartnerAugmentation
from dlrun.components.losses import Loss
from dlrun.language.component import choose
from dlrun.language.kinds import kinds
from dlrun.modules.mixing import line, probabilities
from dlrun.modules.random_streams import RandomStream, streams
from dlrun.shapes import ShapeError

ROWS = 4000


def draw(rows: int = ROWS) -> RandomStream:
    return RandomStream(streams(3, 0, torch.arange(rows)))


def mixing(written: Any) -> Mixing:
    chosen = choose("augment", written)
    assert isinstance(chosen, Mixing)
    return chosen


def mixed(written: Any, *inputs: torch.Tensor, partners: list[torch.Tensor]) -> tuple[list[torch.Tensor], torch.Tensor]:
    return mixing(written).mix(inputs, partners, draw(len(inputs[0])))


@pytest.mark.parametrize("alpha", [0.05, 0.2, 1.0, 2.5, 30.0])
def test_shares_of_a_mixup_have_the_beta_distribution(alpha: float) -> None:
    _, share = mixed({"mixup": alpha}, torch.zeros(ROWS, 1), partners=[torch.ones(ROWS, 1)])
    lower = share[share < 0.5].double().numpy()  # near 1 a float32 has few values
    assert stats.kstest(lower, lambda x: 2 * stats.beta(alpha, alpha).cdf(x)).pvalue > 1e-4
    assert abs(len(lower) / ROWS - 0.5) < 5 / (2 * math.sqrt(ROWS))
    if alpha >= 1:
        assert stats.kstest(share.double().numpy(), stats.beta(alpha, alpha).cdf).pvalue > 1e-4


@pytest.mark.parametrize("p", [0.0, 0.3, 1.0])
def test_a_mixup_puts_a_share_p_of_the_rows_on_the_line_to_their_partners(p: float) -> None:
    x, other = (torch.randn(ROWS, *shape) for shape in ((2, 3), (2, 3)))
    table, more = torch.randn(ROWS, 4), torch.randn(ROWS, 4)
    (image, row), share = mixed({"mixup": {"alpha": 1.0, "p": p}}, x, table, partners=[other, more])
    at = share.double()
    assert torch.allclose(image.double(), at.view(-1, 1, 1) * x + (1 - at.view(-1, 1, 1)) * other, atol=1e-6)
    assert torch.allclose(row.double(), at.view(-1, 1) * table + (1 - at.view(-1, 1)) * more, atol=1e-6)
    assert torch.equal(row[share == 1], table[share == 1])
    assert abs((share < 1).double().mean() - p) <= 5 * math.sqrt(p * (1 - p) / ROWS)


def test_a_cutmix_pastes_a_rectangle_and_its_area_is_the_partners_share_exactly() -> None:
    height, width = 12, 9
    x, other = torch.zeros(ROWS, 3, height, width), torch.ones(ROWS, 3, height, width)
    (image,), share = mixed({"cutmix": 1.0}, x, partners=[other])
    pasted = image[:, 0].bool()
    assert (image == image[:, :1]).all()
    assert torch.equal(pasted, pasted.any(2)[:, :, None] & pasted.any(1)[:, None, :])
    for line_of in (pasted.any(2), pasted.any(1)):  # in one piece
        assert (np.abs(np.diff(line_of.long().numpy(), axis=1, prepend=0, append=0)).sum(1) <= 2).all()
    area = pasted.sum((1, 2)).double()
    assert torch.equal(share, (1 - area / (height * width)).float())


def test_the_rectangle_of_a_cutmix_is_that_of_its_paper() -> None:
    """The authors' `rand_bbox` (github.com/clovaai/CutMix-PyTorch), in distribution."""
    size, rng = 32, np.random.default_rng(0)
    ratio = np.sqrt(1 - rng.beta(1.0, 1.0, ROWS))
    cut = (size * ratio).astype(int)
    sides = []
    for centre in rng.integers(size, size=(2, ROWS)):
        sides.append(np.clip(centre + cut // 2, 0, size) - np.clip(centre - cut // 2, 0, size))
    expected = 1 - sides[0] * sides[1] / size**2
    blank = torch.zeros(ROWS, 1, size, size)
    (image,), share = mixed({"cutmix": 1.0}, blank, partners=[blank + 1])
    for found, wanted in ((share.numpy(), expected), (image[:, 0].any(2).sum(1).numpy(), sides[0])):
        result: Any = stats.ks_2samp(found, wanted)
        assert result.pvalue > 1e-4
    assert abs((share == 1).double().mean() - (expected == 1).mean()) < 0.03


@pytest.mark.parametrize("p", [0.0, 0.25, 1.0])
def test_a_cutmix_changes_a_share_p_of_the_images(p: float) -> None:
    blank = torch.zeros(ROWS, 1, 40, 40)
    (image,), _ = mixed({"cutmix": {"alpha": 100.0, "p": p}}, blank, partners=[blank + 1])
    changed = image.flatten(1).any(1).double().mean()
    assert abs(changed - p) <= 5 * math.sqrt(p * (1 - p) / ROWS)


def loss_of(written: Any) -> Loss:
    chosen = choose("losses", written)
    assert isinstance(chosen, Loss)
    return chosen


def test_mixed_classes_give_the_mean_of_both_losses_by_weight() -> None:
    generator = torch.Generator().manual_seed(0)
    output, share = torch.randn(9, 4, generator=generator), torch.rand(9, generator=generator)
    one, two = torch.randint(0, 4, (2, 9), generator=generator)
    target = line(probabilities(one, 4), probabilities(two, 4), share)
    for smoothing in (0.0, 0.1):
        loss = loss_of({"cross_entropy": smoothing})(output, target, "")
        each = [functional.cross_entropy(output, y, label_smoothing=smoothing, reduction="none") for y in (one, two)]
        assert torch.allclose(loss, (share * each[0] + (1 - share) * each[1]).mean(), atol=1e-6)


MIXED = [kind for kind in kinds("losses") if kind not in ("ctc", "dice", "gaussian_nll", "triplet")]
"""Without those that no augmentation mixes targets for, and one that takes a second output."""


@pytest.mark.parametrize("kind", MIXED)
def test_every_loss_takes_a_target_between_those_of_two_rows(kind: str) -> None:
    loss, share = loss_of({"quantile": 0.3} if kind == "quantile" else kind), torch.tensor([0.3, 1.0, 0.5])
    output = torch.randn(3, 2, generator=torch.Generator().manual_seed(0), requires_grad=True)
    if loss.wants == "classes":
        target = line(probabilities(torch.tensor([0, 1, 1]), 2), probabilities(torch.tensor([1, 0, 1]), 2), share)
    else:
        target = line(torch.ones(3, 2), torch.zeros(3, 2), share)
    value = loss(output, target, "")
    (gradient,) = torch.autograd.grad(value, output)
    assert value.isfinite()
    assert gradient.isfinite().all()
    assert gradient.any()


def test_a_cutmix_needs_one_image_and_a_mixup_numbers() -> None:
    cutmix, mixup = mixing("cutmix"), mixing("mixup")
    with pytest.raises(ShapeError, match="needs a network with one input, an image; there are image, table"):
        cutmix.check({"image": (1, 8, 8), "table": (3,)}, {"image": False, "table": False})
    mixup.check({"image": (1, 8, 8), "table": (3,)}, {"image": False, "table": False})
    with pytest.raises(ShapeError, match="mixes numbers, but the input 'words' takes indices"):
        mixup.check({"image": (1, 8, 8), "words": (3,)}, {"image": False, "words": True})


# -- swaps and tokens


@pytest.mark.parametrize("p", [0.0, 0.15, 1.0])
def test_swap_noise_takes_a_share_p_of_the_numbers_from_the_same_columns_of_the_partner(p: float) -> None:
    step = choose("augment", {"swap_noise": p})
    assert isinstance(step, PartnerAugmentation)
    x, other = torch.zeros(ROWS, 10), torch.arange(1, 11).float().expand(ROWS, -1)
    out = step.exchange(x, other, draw())
    assert ((out == x) | (out == other)).all()
    swapped = (out != 0).double()
    assert abs(swapped.mean() - p) <= 5 * math.sqrt(p * (1 - p) / x.numel())
    if 0 < p < 1:  # each by itself
        correlations = np.corrcoef(swapped.numpy().T) - np.eye(10)
        assert abs(correlations).max() < 5 / math.sqrt(ROWS)


@pytest.mark.parametrize("p", [0.0, 0.2, 1.0])
def test_token_dropout_replaces_a_share_p_of_the_indices_and_no_padding(p: float) -> None:
    step = choose("augment", {"token_dropout": {"p": p, "replace_by": 1, "padding_idx": 0}})
    assert isinstance(step, Augmentation)
    x = torch.randint(2, 30, (ROWS, 12), generator=torch.Generator().manual_seed(0))
    x[:, 9:] = 0
    out = step.apply(x, draw())
    assert out.dtype == torch.int64
    assert torch.equal(out[:, 9:], x[:, 9:])
    replaced = out != x
    assert (out[replaced] == 1).all()
    assert abs(replaced[:, :9].double().mean() - p) <= 5 * math.sqrt(p * (1 - p) / x[:, :9].numel())
