"""Every encoder there is: what it learns, from which rows, and what it makes of any rows."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from strategies import components, draws
from typer.testing import CliRunner

import dlrun
from dlrun.commands.app import app
from dlrun.components.preprocess import Column, EncodeError, Encoder, Learned
from dlrun.language.component import choose, choose_some
from dlrun.language.experiment import DataSection, as_tuple
from dlrun.language.kinds import find, kinds
from dlrun.plan.data_info import DataInfo
from dlrun.plan.describe_data import describe
from dlrun.plan.split import split_rows

KINDS = tuple(kind for kind in kinds("preprocess") if issubclass(find("preprocess", kind), Encoder))
ROWS = 60
TEXTS = ("low", "high", "middle", "Zürich", "10", "9")
TIMES = ("2024-02-29", "2024-03-01 10:00", "1999-12-31T23:59:59", "2024-03-01T10:00+05:00", "2030-01-01", "0900-05-06")


def encoder(kind: str, **settings: Any) -> Encoder:
    step = choose("preprocess", {kind: settings})
    assert isinstance(step, Encoder)
    return step


def some_column(step: Encoder, as_text: bool, missing: bool, seed: int = 0) -> Column:
    """A column that the kind takes: texts where it reads them, and rows without a value where it fills them."""
    random = np.random.default_rng(seed)
    lacks = (random.random(ROWS) < 0.2) if missing and step.fills else np.zeros(ROWS, bool)
    if as_text or step.reads == "text":
        texts = TIMES if step.takes == ("time",) else TEXTS
        return Column("size", None, texts, np.where(lacks, -1, random.integers(0, len(TEXTS), ROWS)))
    return Column("size", np.where(lacks, np.nan, random.integers(0, 9, ROWS) / 4))


def of_rows(column: Column, rows: Any) -> Column:
    """Some rows of a column, with all its texts."""
    if column.codes is None:
        assert column.numbers is not None
        return Column(column.name, column.numbers[rows])
    return Column(column.name, None, column.texts, column.codes[rows])


def values_of(columns: list[Column]) -> list[list[Any]]:
    """For each column its rows: numbers, or texts, None where one is missing."""
    found: list[list[Any]] = []
    for column in columns:
        if column.codes is None:
            assert column.numbers is not None
            found.append(column.numbers.tolist())
        else:
            found.append([column.texts[code] if code >= 0 else None for code in column.codes])
    return found


def learned_by(step: Encoder, column: Column) -> Learned | None:
    """What it learns; None where the settings do not suit the column."""
    try:
        learned = step.learn(column)
        step.encode(column, learned)
    except EncodeError as error:
        assert error.message and error.hint
        return None
    return learned


def for_drawn_steps(kind: str, holds: Callable[[Encoder, Column, Learned, int], None]) -> None:
    """Call it with many steps of a kind, each with a column, what it learned of that, and a seed."""
    compared = []

    @draws(60)
    @given(step=components("preprocess", kind), as_text=st.booleans(), missing=st.booleans(), seed=st.integers(0, 9))
    def drawn(step: Encoder, as_text: bool, missing: bool, seed: int) -> None:
        column = some_column(step, as_text, missing, seed)
        learned = learned_by(step, column)
        if learned is not None:
            holds(step, column, learned, seed)
            compared.append(step)

    drawn()
    assert compared


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_learned_survives_json_and_encodes_the_same(kind: str) -> None:
    def holds(step: Encoder, column: Column, learned: Learned, seed: int) -> None:
        again = json.loads(json.dumps(learned, allow_nan=False))
        assert again == learned
        before, after = step.encode(column, learned), step.encode(column, again)
        assert [one.name for one in before] == [one.name for one in after]
        assert values_of(before) == values_of(after)

    for_drawn_steps(kind, holds)


@pytest.mark.parametrize("kind", KINDS)
def test_every_row_is_encoded_by_itself_and_nothing_given_is_changed(kind: str) -> None:
    def holds(step: Encoder, column: Column, learned: Learned, seed: int) -> None:
        given_before, learned_before = values_of([column]), json.dumps(learned)
        whole = step.encode(column, learned)
        order = np.random.default_rng(seed).permutation(ROWS)
        permuted = values_of(step.encode(of_rows(column, order), learned))
        assert permuted == [[values[row] for row in order] for values in values_of(whole)]
        for row in (0, ROWS - 1):
            alone = step.encode(of_rows(column, [row]), learned)
            assert [one.name for one in alone] == [one.name for one in whole]
            assert values_of(alone) == [[values[row]] for values in values_of(whole)]
        assert values_of([column])[0] == pytest.approx(given_before[0], nan_ok=True)
        assert json.dumps(learned) == learned_before

    for_drawn_steps(kind, holds)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("as_text", [False, True])
def test_the_names_of_the_columns_are_all_different_and_their_numbers_finite(kind: str, as_text: bool) -> None:
    settings = {"with": "most_frequent"} if kind == "impute" else {}
    step = encoder(kind, **settings)
    column = some_column(step, as_text, True)
    made = step.encode(column, step.learn(column))
    assert len({one.name for one in made}) == len(made)
    for one in made:
        assert not one.missing.any()
        if one.codes is None:
            assert one.numbers is not None and one.numbers.dtype in (np.float64, np.int32)
            assert np.isfinite(one.numbers).all()


NEW = (("new", "low", "other"), ("2001-01-01", "2024-02-29", "1700-05-05"))
"""What rows that are not for training have: categories, and times."""
DATA = {"target": "y", "split": {"validation": 0.2, "test": 0.2}}
LOSS = as_tuple(choose_some("losses", ["cross_entropy"]))


def described(folder: Path, kind: str, sizes: list[str], numbers: list[str]) -> DataInfo:
    """A table of a column of texts and one of numbers, each encoded by one kind; texts are turned into numbers."""
    lines = ["size,number,y"]
    lines += [f"{size},{number},{'ab'[row % 2]}" for row, (size, number) in enumerate(zip(sizes, numbers, strict=True))]
    (folder / "rows.csv").write_text("\n".join(lines))
    features = {"features": "size" if is_alone(kind) else ("size", "number")}
    data = DataSection.read(DATA | features | {"source": {"csv": "rows.csv"}, "preprocess": tuple(steps(kind))})
    return describe(data, LOSS, folder)


def is_alone(kind: str) -> bool:
    """Whether the column of texts is an input of its own."""
    return find("preprocess", kind).own_input  # type: ignore[attr-defined]


def steps(kind: str) -> list[Any]:
    """The kind for both columns, and what else the table needs."""
    if is_alone(kind):
        return [{kind: {"columns": "size"}}]
    if find("preprocess", kind).reads == "text":  # type: ignore[attr-defined]
        return [{"impute": {"columns": "number"}}, {kind: {"columns": "size"}}]
    most = {"columns": "size", "with": "most_frequent"} if kind == "impute" else {"columns": "size"}
    return [{kind: {"columns": "number"}}, {kind: most}, {"one_hot": {"columns": "size"}}]


def table(kind: str) -> tuple[list[str], list[str], Any]:
    """The cells of both columns, and which rows are for training."""
    random = np.random.default_rng(5)
    words = ("2024-02-29", "2024-03-01", "1999-12-31") if kind == "date" else ("low", "high", "middle")
    sizes = [words[code] for code in random.integers(0, 3, ROWS)]
    numbers = [str(number) for number in random.integers(0, 20, ROWS) / 8]
    split = DataSection.read(DATA | {"source": {"csv": "rows.csv"}}).split
    train = np.zeros(ROWS, bool)
    train[split_rows(None, ROWS, split, 0).train] = True
    return sizes, numbers, train


def all_learned(info: DataInfo) -> Any:
    return [(step.index, step.learned, step.width) for step in info.features["input"].encoded]


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_learned_from_the_training_rows_alone_and_the_width_does_not_depend_on_the_rows(
    kind: str, tmp_path: Path
) -> None:
    sizes, numbers, train = table(kind)
    before = described(tmp_path, kind, sizes, numbers)
    other_sizes = [size if train[row] else NEW[kind == "date"][row % 3] for row, size in enumerate(sizes)]
    other_numbers = [number if train[row] else str(1000 + row) for row, number in enumerate(numbers)]
    after = described(tmp_path, kind, other_sizes, other_numbers)
    assert all_learned(before) == all_learned(after)
    assert before.features["input"].columns == after.features["input"].columns
    assert before.features["input"].shape == after.features["input"].shape
    one, other = before.inputs("input"), after.inputs("input")
    assert (one[train] == other[train]).all()
    assert (one[~train] != other[~train]).any()


@pytest.mark.parametrize("kind", KINDS)
def test_a_category_or_a_gap_that_no_training_row_has_gives_finite_numbers(kind: str, tmp_path: Path) -> None:
    sizes, numbers, train = table(kind)
    without = described(tmp_path, kind, sizes, numbers)
    first, second, *_ = (row for row in range(ROWS) if not train[row])
    sizes[first], numbers[second] = "2001-01-01" if kind == "date" else "never seen", ""
    if not find("preprocess", kind).reads:  # type: ignore[attr-defined]
        sizes[second] = "NA"
    found = described(tmp_path, kind, sizes, numbers)
    assert np.isfinite(found.inputs("input")).all()
    assert found.features["input"].columns == without.features["input"].columns


SPEC = """
seed: 0
data:
  source: {csv: rows.csv}
  features: FEATURES
  target: y
  split: {validation: 0.2, test: 0.2}
  preprocess: PREPROCESS
model: {layers: [FIRST, tanh, {linear: $classes}]}
loss: cross_entropy
metrics: [accuracy]
optimizer: {adam: {lr: 1e-2}}
train: {epochs: 2, batch_size: 12, device: cpu}
tracking: off
"""


EMBEDDED = "{embedding: {num_embeddings: $vocabulary, embedding_dim: 4}}, flatten"


@pytest.mark.parametrize("kind", KINDS)
def test_a_whole_run_and_its_resume_keep_the_columns_and_what_was_learned(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    sizes, numbers, _ = table(kind)
    numbers[::7] = [""] * len(numbers[::7])
    info = described(tmp_path, kind, sizes, numbers)
    feature = info.features["input"]
    text = SPEC.replace("PREPROCESS", json.dumps([*steps(kind), *([] if is_alone(kind) else ["standardize"])]))
    text = text.replace("FEATURES", "size" if is_alone(kind) else "[size, number]")
    Path("spec.yaml").write_text(text.replace("FIRST", EMBEDDED if is_alone(kind) else "{linear: 4}"))
    done = CliRunner().invoke(app, ["train", "spec.yaml"])
    assert done.exit_code == 0, done.output
    (folder,) = (path for path in Path("runs").iterdir() if path.is_dir())
    done = CliRunner().invoke(app, ["resume", str(folder), "train.epochs=3"])
    assert done.exit_code == 0, done.output
    for run in [path for path in Path("runs").iterdir() if path.is_dir()]:
        kept = json.loads((run / "columns.json").read_text())["inputs"]["input"]
        types = {"size": "time" if kind == "date" else "text", "number": "number"}
        assert kept["fields"] == {name: types[name] for name in feature.fields}
        assert kept["columns"] == [column.name for column in feature.columns]
        assert [(one["index"], one["kind"], one["learned"]) for one in kept["encoders"]] == [
            (one.index, one.step.kind, one.learned) for one in feature.encoded
        ]
        out = dlrun.load_network(run)(torch.tensor(info.inputs("input")))
        assert out.shape == (ROWS, 2) and out.isfinite().all()
