"""The source of data sets of the Hugging Face hub, from folders on this machine; skipped where its library is not."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dlrun
from dlrun.checks.check import check
from dlrun.components.sources import SourceError
from dlrun.components.sources.hub import Hub
from dlrun.language.component import choose

SPEC = """
data: {{source: {{hub: {{folder: {folder}}}}}, target: label, features: {features}, preprocess: [{steps}]}}
model: {{layers: [flatten, linear: $classes]}}
loss: cross_entropy
optimizer: adam
train: {{epochs: 1}}
tracking: off
"""
ROWS = 60


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    found = pytest.importorskip("datasets")
    monkeypatch.setattr(found.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    return found


def values() -> dict[str, list[Any]]:
    random = np.random.default_rng(0)
    return {
        "x": random.normal(size=ROWS).astype(np.float32).tolist(),
        "k": random.integers(0, 5, ROWS).tolist(),
        "yes": (random.random(ROWS) < 0.5).tolist(),
        "three": random.normal(size=(ROWS, 3)).tolist(),
        "four": random.integers(0, 9, (ROWS, 4)).tolist(),
        "ragged": [list(range(row % 3)) for row in range(ROWS)],
        "grid": random.normal(size=(ROWS, 2, 5)).tolist(),
        "colour": random.choice(["red", "blue"], ROWS).tolist(),
        "label": random.integers(0, 3, ROWS).tolist(),
    }


def whole(library: Any, rows: dict[str, list[Any]]) -> Any:
    kinds = {
        "x": library.Value("float32"),
        "k": library.Value("int64"),
        "yes": library.Value("bool"),
        "three": library.Sequence(library.Value("float64"), length=3),
        "four": library.Sequence(library.Value("int32")),
        "ragged": library.Sequence(library.Value("int32")),
        "grid": library.Array2D((2, 5), "float64"),
        "colour": library.Value("string"),
        "label": library.ClassLabel(names=["neg", "pos", "other"]),
    }
    return library.Dataset.from_dict(rows, features=library.Features(kinds))


def test_every_column_is_a_field_by_its_type(library: Any, tmp_path: Path) -> None:
    rows = values()
    whole(library, rows).save_to_disk(tmp_path / "set")
    table = Hub(folder="set").open(tmp_path)
    shapes = {name: field.shape for name, field in table.fields.items() if field.type == "number"}
    assert shapes == {"x": (), "k": (), "yes": (), "three": (3,), "four": (4,), "grid": (2, 5)}
    assert {name: table.fields[name].type for name in ("ragged", "colour", "label")} == {
        "ragged": "other",
        "colour": "text",
        "label": "text",
    }
    for name, shape in shapes.items():
        assert np.array_equal(table.numbers([name]), np.reshape(np.array(rows[name]), (ROWS, *(shape or (1,)))))
    assert table.vocabulary(["k"]) == max(rows["k"]) + 1 and table.vocabulary(["x"]) is None
    for name in ("colour", "label"):
        words = [["neg", "pos", "other"][value] for value in rows["label"]] if name == "label" else rows[name]
        texts = table.texts(name)
        assert [texts.distinct[code] for code in texts.rows] == words
    assert table.counts("label") == {word: rows["label"].count(n) for n, word in enumerate(["neg", "pos", "other"])}


@pytest.mark.parametrize("form", ["saved", "parquet", "json"])
def test_rows_that_the_set_keeps_apart_are_the_test_rows(form: str, library: Any, tmp_path: Path) -> None:
    every = whole(library, values())
    # Chosen rows in another order: the library keeps the table as it was, and a list of the rows.
    train, test = every.select(range(45)).shuffle(seed=3), every.select(range(45, 60))
    folder = tmp_path / "set"
    if form == "saved":
        library.DatasetDict(train=train, test=test).save_to_disk(folder)
    else:
        folder.mkdir()
        for name, part in (("train", train), ("test", test)):
            part = part.select_columns(["x", "k", "label"])
            getattr(part, f"to_{form}")(folder / f"{name}.{form}")
    file = tmp_path / "spec.yaml"
    file.write_text(SPEC.format(folder="set", features="[x, k]", steps=""))
    checked = check(file)
    assert checked.data_info is not None
    splits = checked.data_info.splits(checked.experiment.need("data").split, 0)
    assert splits.test.tolist() == list(range(45, 60))
    found = checked.data_info.inputs("input")[:]
    assert np.array_equal(found[:, 1], [*train["k"], *test["k"]])
    assert np.allclose(found[:, 0], [*train["x"], *test["x"]])
    assert dlrun.train(file, runs=tmp_path / "runs").status == "FINISHED"


@pytest.mark.parametrize(
    ("settings", "at", "message"),
    [
        ({"folder": "nix"}, "folder", "the folder nix does not exist"),
        ({"folder": "empty"}, "folder", "the folder empty cannot be loaded: "),
        ({"folder": "set", "test": "tset"}, "test", "the set has no part 'tset'"),
    ],
)
def test_a_set_that_is_not_there_is_told(settings: dict, at: str, message: str, library: Any, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    whole(library, values()).save_to_disk(tmp_path / "set")
    with pytest.raises(SourceError) as caught:
        Hub(**settings).open(tmp_path)
    assert caught.value.message.startswith(message)
    assert caught.value.at == ("source", "hub", at)


@pytest.mark.parametrize(
    ("change", "features", "message"),
    [
        ({}, "colour", "the column 'colour' holds texts, but features must be numbers"),
        ({}, "ragged", "the column 'ragged' holds values of the type "),
        ({"x": [None] + [1.0] * 59}, "x", "row 0 of set: column 'x' is missing; numbers must be finite"),
        ({"x": [1.0] * 59 + [float("inf")]}, "x", "row 59 of set: column 'x' is inf; numbers must be finite"),
        ({"three": [[1, 2, 3]] * 58 + [None, [1, 2, 3]]}, "three", "row 58 of set: column 'three' is missing; numbers"),
        ({"label": [0, 1] * 29 + [-1, 1]}, "k", "row 58 of set: column 'label' is missing; a class is expected"),
    ],
)
def test_a_value_that_cannot_be_used_is_told_with_its_row(
    change: dict, features: str, message: str, library: Any, tmp_path: Path
) -> None:
    whole(library, {**values(), **change}).save_to_disk(tmp_path / "set")
    file = tmp_path / "spec.yaml"
    file.write_text(SPEC.format(folder="set", features=features, steps=""))
    with pytest.raises(dlrun.SpecError) as caught:
        check(file)
    assert caught.value.problems[0].message.startswith(message)


def test_without_the_library_the_error_says_how_to_install_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(SourceError) as caught:
        Hub(name="ag_news").open(tmp_path)
    assert caught.value.message == "the source hub needs the library datasets, which is not installed"
    assert caught.value.hint == "install it: `pip install 'dlrun[hub]'`"


def test_a_set_is_named_in_one_way(tmp_path: Path) -> None:
    assert choose("sources", {"hub": "ag_news"}) == Hub(name="ag_news")
    for settings in ({}, {"name": "a", "folder": "b"}):
        with pytest.raises(ValueError, match="write either `name`, a set of the hub, or `folder`"):
            Hub(**settings)
