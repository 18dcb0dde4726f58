"""The shipped specs, trained: what each reaches on rows it has never seen.

The floors are what simple references reach on these data sets, less a margin for machines whose last bits differ:
a support vector machine is right on 0.98 and more of the digits (scikit-learn's own example), logistic regression on
0.95 and more of the iris flowers and the wines, and ridge regression explains about half of the diabetes target. Of the
invented people, the larger class has 0.57 of the rows, and the rule that made the table has noise of its own. Who
counts which character of the text follows which two is right on 0.63 of the last tenth.
"""

from pathlib import Path

import pytest
from places import SPECS
from watching import run_silently

from dlrun.checks.check import check

FLOORS = {
    "digits_cnn": ("accuracy", 0.98),
    "digits_mlp": ("accuracy", 0.94),
    "digits_pca_mlp": ("accuracy", 0.92),
    "digits_lda": ("accuracy", 0.91),
    "digits_mixup": ("accuracy", 0.98),
    "digits_residual": ("accuracy", 0.97),
    "digits_two_heads": ("digit/accuracy", 0.93),
    "wine_mlp": ("accuracy", 0.94),
    "people_mixed": ("accuracy", 0.85),
    "diabetes_regression": ("r2", 0.4),
    "iris_logistic": ("accuracy", 0.9),
    "text_characters": ("accuracy", 0.63),
}


def test_every_shipped_spec_has_a_floor() -> None:
    assert FLOORS.keys() == {file.stem for file in SPECS.glob("*.yaml")}


@pytest.mark.parametrize("name", FLOORS)
def test_a_shipped_spec_learns(name: str, tmp_path: Path) -> None:
    checked = check(SPECS / f"{name}.yaml", ["tracking=off"], training=True)
    outcome = run_silently(checked, tmp_path)
    metric, floor = FLOORS[name]
    assert outcome.test[metric] >= floor
