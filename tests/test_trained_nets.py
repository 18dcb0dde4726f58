"""Small forms of the published networks, trained on digits: what each reaches on rows it has never seen.

A support vector machine is right on 0.98 and more of these digits (scikit-learn's own example), a nearest neighbour on
0.98; the floors leave a margin for machines whose last bits differ.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from watching import Silent

from dlrun.checks import check
from dlrun.training.run import run

NETS = Path(__file__).parent.parent / "specs" / "nets"
FLOORS = {
    "lenet_digits": 0.94,
    "mobilenet_digits": 0.97,
    "inception_digits": 0.97,
    "lstm_digits": 0.95,
}


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Networks as small as these gain nothing from more, and lose much on a machine that is busy."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize(("name", "floor"), FLOORS.items())
def test_a_small_net_learns_digits(name: str, floor: float, tmp_path: Path) -> None:
    checked = check(NETS / f"{name}.yaml", ["tracking=off"], training=True)
    assert run(checked, Silent(), tmp_path).test["accuracy"] >= floor
