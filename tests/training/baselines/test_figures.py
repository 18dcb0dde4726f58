"""The noise of a difference, and the sentence that follows from it."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.stats import sem

from dlrun.training.baselines.figures import noise
from dlrun.training.baselines.verdict import Duel, verdict


@pytest.mark.parametrize("rows", [2, 30, 200])
def test_the_noise_of_a_mean_is_the_standard_error_of_paired_differences(rows: int) -> None:
    random = np.random.default_rng(0)
    ours, theirs = torch.from_numpy(random.normal(size=(2, rows)))
    found = noise(lambda some: (ours[some].mean() - theirs[some].mean()).item(), rows, torch.device("cpu"))
    assert found == pytest.approx(sem((ours - theirs).numpy()), rel=1e-9)


@pytest.mark.parametrize("rows", [5_000, 20_001])
def test_of_many_rows_parts_give_nearly_the_same(rows: int) -> None:
    values = torch.from_numpy(np.random.default_rng(0).exponential(size=rows))
    found = noise(lambda some: values[some].mean().item(), rows, torch.device("cpu"))
    assert found == pytest.approx(sem(values.numpy()), rel=0.3)  # of 50 parts: 1/sqrt(2*49), three times


def test_one_row_shows_nothing() -> None:
    assert math.isnan(noise(lambda some: 1.0, 1, torch.device("cpu")))


@pytest.mark.parametrize(
    ("figure", "rising", "network", "baseline", "error", "rows", "sentence"),
    [
        ("accuracy", True, 0.94, 0.91, 0.0075, 270,
         "Worth it: the network's accuracy 0.94 beats that of the best baseline, mean, 0.91, by 0.03 on 270 test rows "
         "(noise +-0.015)"),
        ("mae", False, 44.1, 40.0, 1.0, 1000,
         "Not worth it: the mae of the best baseline, mean, 40, beats the network's 44.1 by 4.1 on 1,000 test rows "
         "(noise +-2)"),
        ("loss", False, 0.50, 0.51, 0.006, 270,
         "Not shown: the network's loss 0.5 and that of the best baseline, mean, 0.51, differ by no more than the "
         "noise of 270 test rows (+-0.012)"),
        ("loss", False, 0.5, 0.5, 0.1, 2,
         "Not shown: the best baseline, mean, has the network's loss, 0.5, on 2 test rows"),
        ("loss", False, 0.5, 0.6, math.nan, 1,
         "Not shown: the network's loss 0.5 and that of the best baseline, mean, 0.6, differ by no more than the "
         "noise of 1 test row"),
    ],
)  # fmt: skip
def test_the_sentence_says_whether_the_network_is_worth_it(
    figure: str, rising: bool, network: float, baseline: float, error: float, rows: int, sentence: str
) -> None:
    assert verdict(Duel(figure, rising, network, baseline, "mean", error, rows, "test")) == sentence
