"""The columns that divide the rows, and the settings of a split, as `check` reads them and refuses them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from dlrun.checks.check import Checked, check
from dlrun.commands.app import app
from dlrun.errors import SpecError

ROWS = 60
SPEC = """\
data: {source: {csv: rows.csv}, target: y, split: {SPLIT}}
model: {layers: [linear: 1]}
loss: mse
optimizer: adam
train: {epochs: 1}
tracking: off
"""


def write(folder: Path, split: str, **changed: list[Any]) -> Path:
    """A spec and a csv of 20 groups, 30 times, and a column that says the split, with some cells changed."""
    numbers = np.random.default_rng(0).normal(size=(ROWS, 2)).round(3)
    columns: dict[str, list[Any]] = {
        "patient": [f"p{row % 20}" for row in range(ROWS)],
        "visit": [row % 20 for row in range(ROWS)],
        "date": [f"2026-{1 + row % 12:02}-{1 + row // 30:02}" for row in range(ROWS)],
        "part": ["train", "train", "train", "train", "validation", "test"] * 10,
        "a": numbers[:, 0].tolist(),
        "y": numbers[:, 1].tolist(),
    }
    for name, cells in changed.items():
        columns[name][: len(cells)] = cells
    lines = [",".join(columns), *(",".join(map(str, row)) for row in zip(*columns.values(), strict=True))]
    (folder / "rows.csv").write_text("\n".join(lines) + "\n", "utf-8")
    file = folder / "spec.yaml"
    file.write_text(SPEC.replace("SPLIT", split), "utf-8")
    return file


def sizes(checked: Checked) -> tuple[int, int, int]:
    assert checked.sizes is not None
    return checked.sizes.train, checked.sizes.validation, checked.sizes.test


def refused(file: Path, *overrides: str) -> tuple[str, str]:
    with pytest.raises(SpecError) as caught:
        check(file, overrides)
    problem = caught.value.problems[0]
    assert problem.place is not None
    return problem.message, ".".join(map(str, problem.place.path))


@pytest.mark.parametrize(
    ("split", "features", "expected"),
    [
        ("group: patient", ["visit", "date", "part", "a"], (42, 9, 9)),
        ("group: visit", ["patient", "date", "part", "a"], (42, 9, 9)),
        ("time: date, validation: 10, test: 10", ["patient", "visit", "part", "a"], (40, 10, 10)),
        ("column: part", ["patient", "visit", "date", "a"], (40, 10, 10)),
    ],
)
def test_a_column_of_the_split_is_no_feature_unless_it_is_named(tmp_path, split, features, expected):
    file = write(tmp_path, split)
    texts = [name for name in features if name in ("patient", "date", "part")]
    found = check(file, [f"data.preprocess=[one_hot: {{columns: [{', '.join(texts)}]}}]"])
    assert found.data_info is not None
    assert list(found.data_info.features["input"].fields) == features
    assert sizes(found) == expected
    named = check(write(tmp_path, "group: visit"), ["data.features=[visit, a]"])
    assert named.data_info is not None and named.data_info.features["input"].fields == ("visit", "a")


def test_the_screen_says_how_the_rows_are_split(tmp_path):
    def lines(split: str) -> str:
        return CliRunner().invoke(app, ["check", str(write(tmp_path, split)), "data.features=a"]).output

    assert "split   by patient: 14/3/3 groups\n" in lines("group: patient")
    assert "split   by date: validation from 2026-10-02, test from 2026-12-01\n" in lines("time: date, test: 5")
    assert "split   by part\n" in lines("column: part")
    assert "split   fold 2 of 5; stratified by quantiles of the target\n" in lines("folds: 5, fold: 2, stratify: true")


def test_what_the_column_does_not_say_is_drawn_from_its_training_rows(tmp_path):
    only_test = ["train", "test"] * 30
    assert sizes(check(write(tmp_path, "column: part", part=only_test), ["data.features=a"])) == (26, 4, 30)
    none = check(write(tmp_path, "column: part, validation: 0", part=only_test), ["data.features=a"])
    assert sizes(none) == (30, 0, 30)


@pytest.mark.parametrize(
    ("split", "changed", "message", "path"),
    [
        (
            "column: part",
            {"part": ["train", "Train"]},
            "rows.csv:3: column 'part' is 'Train'; train, validation or test is expected",
            "data.split.column",
        ),
        (
            "column: part",
            {"part": ["test"] * ROWS},
            "the column 'part' has no row with `train`: none is left for training",
            "data.split.column",
        ),
        (
            "column: visit",
            {},
            "the column 'visit' holds numbers; train, validation or test is expected in each row",
            "data.split.column",
        ),
        (
            "column: part, test: 5",
            {},
            "`test` cannot be given: the column 'part' says which rows are test rows",
            "data.split.test",
        ),
        (
            "group: patient",
            {"patient": ["p0", "", "p1"]},
            "rows.csv:3: column 'patient' is ''; the split needs a group in every row",
            "data.split.group",
        ),
        (
            "group: visit",
            {"visit": [0, 1, "NA"]},
            "rows.csv:4: column 'visit' is 'NA'; the split needs a group in every row",
            "data.split.group",
        ),
        ("group: patients", {}, "rows.csv has no column 'patients'; did you mean 'patient'?", "data.split.group"),
        (
            "time: date",
            {"date": ["2026-03-01", "01.03.2026"]},
            "rows.csv:3: column 'date' is '01.03.2026'; a time is expected",
            "data.split.time",
        ),
        (
            "time: date",
            {"date": ["2026-03-01"] * ROWS},
            "the column 'date' has 1 time, too few for each of train, validation, test",
            "data.split.time",
        ),
        ("test: 50, validation: 10", {}, "of 60 rows, none is left for training", "data.split"),
        ("folds: 61", {}, "60 rows are too few for 61 folds", "data.split.folds"),
        (
            "time: date, stratify: true",
            {},
            "`stratify` cannot be given with `time`: the times decide which rows are in each split",
            "data.split.stratify",
        ),
        (
            "folds: 5, test: 0.2",
            {},
            "`test` cannot be given with `folds`: each row is a test row of one fold",
            "data.split.test",
        ),
        ("folds: 5, fold: 6", {}, "there are 5 folds, counted from 1; received 6", "data.split.fold"),
        ("fold: 2", {}, "`fold` needs `folds`, how many there are", "data.split.fold"),
        (
            "test: -3",
            {},
            "a share of the rows, 0 or more and below 1, or a whole number of rows, is expected; received -3",
            "data.split.test",
        ),
    ],
)
def test_a_split_that_is_not_possible_is_one_clear_error(tmp_path, split, changed, message, path):
    found = refused(write(tmp_path, split, **changed), "data.features=a")
    assert found == (message, path)


def test_ids_of_groups_are_texts_also_where_they_look_like_numbers(tmp_path):
    ids = [f"{row % 10:03}" for row in range(30)] + [str(row % 10) for row in range(30)]
    found = check(write(tmp_path, "group: visit", visit=ids), ["data.features=a"])
    assert found.data_info is not None and not found.notes
    groups = found.data_info.marks(found.experiment.need("data").split).groups
    assert groups is not None and groups.count == 20  # 007 and 7 are two
    mixed = check(write(tmp_path, "group: visit", visit=[*range(50), *["A7"] * 10]), ["data.features=a"])
    assert sum(sizes(mixed)) == ROWS


def test_a_group_that_is_larger_than_a_split_is_taken_and_told(tmp_path):
    found = check(write(tmp_path, "group: patient", patient=["p0"] * 25 + ["p1"] * 30), ["data.features=a"])
    (note,) = [note for note in found.notes if note.note == "uneven_split"]
    assert sum(sizes(found)) == ROWS
    assert note.message.endswith("and 9 were asked for: rows of a group in 'patient' stay together")


def test_a_class_that_a_split_lacks_is_told(tmp_path):
    kinds = ["x"] * 50 + ["z"] * 10
    file = write(tmp_path, "time: visit, test: 3, validation: 3", visit=list(range(ROWS)), y=kinds)
    found = check(file, ["data.features=a", "loss=cross_entropy", "model.layers=[linear: 2]"])
    rare = [note.message for note in found.notes if note.note == "rare_class"]
    assert rare == ["the class 'x' has no validation row", "the class 'x' has no test row"]


@pytest.mark.parametrize(("loss", "target"), [("binary_cross_entropy", "[0, 1]"), ("mse", "[0, 1]")])
def test_zeros_and_ones_are_stratified_whatever_the_loss(tmp_path, loss, target):
    file = write(tmp_path, "stratify: true, test: 20, validation: 0", y=[int(row < 15) for row in range(ROWS)])
    found = check(file, ["data.features=a", f"loss={loss}"])
    assert found.data_info is not None
    splits = found.data_info.splits(found.experiment.need("data").split, 0)
    assert (splits.test < 15).sum() == 5


def test_rows_that_a_source_keeps_apart_are_the_test(tmp_path):
    x, y = np.random.default_rng(0).normal(size=(50, 3)), np.arange(50) % 2
    np.savez(tmp_path / "rows.npz", x_train=x[:40], y_train=y[:40], x_test=x[40:], y_test=y[40:])
    text = SPEC.replace("{csv: rows.csv}", "{npz: rows.npz}").replace("SPLIT", "seed: 3")
    (tmp_path / "spec.yaml").write_text(text.replace("mse", "binary_cross_entropy"), "utf-8")
    found = check(tmp_path / "spec.yaml")
    assert sizes(found) == (34, 6, 10)
    assert found.data_info is not None
    splits = found.data_info.splits(found.experiment.need("data").split, 0)
    assert splits.test.tolist() == list(range(40, 50))
    message = refused(tmp_path / "spec.yaml", "data.split.test=0.1")
    assert message == ("`test` cannot be given: rows.npz says which rows are test rows", "data.split.test")
