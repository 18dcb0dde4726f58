"""Points drawn at random: all is known before one is drawn, and they are those of scikit-learn."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from asking import Request, describe, load
from sklearn import datasets

from dlrun.components.sources import Source, SourceError
from dlrun.language.component import choose

CLASSES = {
    "moons": (datasets.make_moons, {"rows": 31, "noise": 0.3}, {"n_samples": 31, "noise": 0.3}),
    "circles": (datasets.make_circles, {"rows": 31, "factor": 0.2}, {"n_samples": 31, "noise": 0.1, "factor": 0.2}),
    "blobs": (
        datasets.make_blobs,
        {"rows": 31, "classes": 4, "features": 3},
        {"n_samples": 31, "centers": 4, "n_features": 3},
    ),
}
NUMBERS = {
    "swiss_roll": (datasets.make_swiss_roll, {"rows": 31}, {"n_samples": 31}),
    "regression": (
        datasets.make_regression,
        {"rows": 31, "features": 5, "noise": 2.0},
        {"n_samples": 31, "n_features": 5, "n_informative": 5, "noise": 2.0},
    ),
}


def asked(kind: str, settings: Any, wants: Any) -> tuple[Source, Request]:
    source = choose("sources", {kind: settings})
    assert isinstance(source, Source)
    return source, Request(Path(), None, None, wants)


@pytest.mark.parametrize("kind", CLASSES | NUMBERS)
@pytest.mark.parametrize("seed", [0, 7])
def test_points_are_those_of_scikit_learn(kind: str, seed: int) -> None:
    make, settings, theirs = (CLASSES | NUMBERS)[kind]
    x, y = make(random_state=seed, **theirs)[:2]
    source, request = asked(kind, settings | {"seed": seed}, "classes" if kind in CLASSES else "numbers")
    found, rows = describe(source, request), load(source, request)
    assert (found.rows, found.shape) == (31, x.shape[1:])
    assert (rows.features == x).all()
    assert rows.target.reshape(-1).tolist() == y.astype(str if found.labels else float).tolist()
    if kind in CLASSES:
        assert found.counts == tuple(np.bincount(y))
        assert found.labels == tuple(map(str, range(y.max() + 1)))


def rounded(point: Any) -> Any:
    return round(point[0], 9), round(point[1], 9)


def test_spirals_are_those_of_lang_and_witbrock() -> None:
    theirs = []
    for number in range(97):
        angle, radius = number * math.pi / 16, 6.5 * (104 - number) / 104
        x, y = radius * math.sin(angle), radius * math.cos(angle)
        theirs += [(x, y, "0"), (-x, -y, "1")]
    source, request = asked("spirals", {"rows": 194, "noise": 0}, "classes")
    rows = load(source, request)
    ours = [(*point, word) for point, word in zip(rows.features.tolist(), rows.target, strict=True)]
    assert ours != sorted(ours, key=lambda point: point[2])  # in a random order
    for one, other in zip(sorted(ours, key=rounded), sorted(theirs, key=rounded), strict=True):
        assert one[2] == other[2] and one[:2] == pytest.approx(other[:2], abs=1e-12)
    assert describe(source, request).counts == (97, 97)
    noisy = load(*asked("spirals", {"rows": 194, "noise": 0.5}, "classes")).features - rows.features
    assert noisy.std() == pytest.approx(0.5, rel=0.15)  # of 388 numbers


def test_classes_that_there_are_not_are_refused() -> None:
    with pytest.raises(SourceError) as caught:
        describe(*asked("swiss_roll", {}, "classes"))
    assert caught.value.message == "the target of swiss_roll is a number, but the loss needs classes"
    with pytest.raises(SourceError) as caught:
        describe(*asked("blobs", {"rows": 5, "classes": 9}, "classes"))
    assert (caught.value.message, caught.value.at) == (
        "5 rows are too few for 9 classes",
        ("source", "blobs", "classes"),
    )


def test_describing_draws_nothing() -> None:
    code = (
        "import sys, pathlib\n"
        "from asking import Request, describe\n"
        "from dlrun.language.component import choose\n"
        "for kind in ('moons', 'circles', 'spirals', 'blobs', 'swiss_roll', 'regression'):\n"
        "    wants = 'numbers' if kind in ('swiss_roll', 'regression') else 'classes'\n"
        "    describe(choose('sources', kind), Request(pathlib.Path(), None, None, wants))\n"
        "assert not {'sklearn', 'scipy', 'torch'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parent.parent)
