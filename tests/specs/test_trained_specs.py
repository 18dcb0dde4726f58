"""The shipped specs, trained: what each reaches on rows it has never seen.

The floors are what simple references reach on these data sets, less a margin for machines whose last bits differ: a
support vector machine is right on 0.98 and more of the digits (scikit-learn's own example; 0.95 of the last 297, which
are the test of digits_idx), logistic regression on 0.95 and more of the iris flowers and the wines, and ridge
regression explains about half of the diabetes target. Of the invented people, the larger class has 0.57 of the rows,
and the rule that made the table has noise of its own. Of the invented messages 0.03 are sorted wrongly, and
scikit-learn's logistic regression on their words is right on 0.96. Of the drawn shapes,
nobody would take one for another. Who counts which character of the text follows which two is right on 0.63 of its
last tenth.
"""

from pathlib import Path

import pytest
from places import SPECS

import dlrun

FLOORS = {
    "digits_cnn": ("accuracy", 0.98),
    "digits_idx": ("accuracy", 0.92),
    "digits_mlp": ("accuracy", 0.94),
    "digits_pca_mlp": ("accuracy", 0.92),
    "digits_lda": ("accuracy", 0.91),
    "digits_mixup": ("accuracy", 0.98),
    "digits_residual": ("accuracy", 0.97),
    "digits_two_heads": ("digit/accuracy", 0.93),
    "wine_mlp": ("accuracy", 0.94),
    "wine_folds": ("accuracy", 0.95),
    "people_mixed": ("accuracy", 0.85),
    "people_embeddings": ("accuracy", 0.83),
    "spam_messages": ("accuracy", 0.93),
    "shapes_images": ("accuracy", 0.9),
    "diabetes_regression": ("r2", 0.4),
    "iris_logistic": ("accuracy", 0.9),
    "text_characters": ("accuracy", 0.63),
}


def test_every_shipped_spec_has_a_floor() -> None:
    assert FLOORS.keys() == {file.stem for file in SPECS.glob("*.yaml")}


@pytest.mark.parametrize("name", FLOORS)
def test_a_shipped_spec_learns(name: str, tmp_path: Path) -> None:
    outcome = dlrun.train(SPECS / f"{name}.yaml", "tracking=off", runs=tmp_path)
    metric, floor = FLOORS[name]
    assert outcome.test[metric] >= floor
