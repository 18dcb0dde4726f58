"""Small forms of the published networks, trained on digits and sentences: what each reaches on rows it has never seen.

A support vector machine is right on 0.98 and more of these digits (scikit-learn's own example), a nearest neighbour on
0.98; the floors leave a margin for machines whose last bits differ. Of the sentences, half are positive, and a logistic
regression on their words is right on 0.79 once it has been trained in full; here the networks are trained in part.
"""

from pathlib import Path

import pytest
from places import NETS
from watching import run_silently

from dlrun.checks.check import check

FLOORS = {
    "lenet_digits": 0.94,
    "mobilenet_digits": 0.97,
    "inception_digits": 0.97,
    "lstm_digits": 0.95,
}


@pytest.mark.parametrize(("name", "floor"), FLOORS.items())
def test_a_small_net_learns_digits(name: str, floor: float, tmp_path: Path) -> None:
    checked = check(NETS / f"{name}.yaml", ["tracking=off"], training=True)
    assert run_silently(checked, tmp_path).test["accuracy"] >= floor


SENTENCES = {"text_cnn_snippets": (3, 0.76), "lstm_snippets": (4, 0.74)}
"""Epochs, and the accuracy after them."""


@pytest.mark.parametrize(("name", "epochs", "floor"), [(name, *told) for name, told in SENTENCES.items()])
def test_a_small_net_learns_to_tell_praise_from_blame(name: str, epochs: int, floor: float, tmp_path: Path) -> None:
    checked = check(NETS / f"{name}.yaml", ["tracking=off", f"train.epochs={epochs}"], training=True)
    assert run_silently(checked, tmp_path).test["accuracy"] >= floor
