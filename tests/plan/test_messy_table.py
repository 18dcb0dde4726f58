"""A messy table: every figure that the network sees is scikit-learn's, fitted on the training rows alone.

It has numbers with blanks, categories with several marks of a blank, one rare category in the test rows alone, dates,
booleans, and free text.
"""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from networks import checked, rows_of
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, OrdinalEncoder, StandardScaler

from dlrun.components.sources import _rows as tables
from dlrun.data.fit import fit
from dlrun.language.experiment import Split
from dlrun.plan import encoded
from dlrun.plan.split import Splits, split_rows

ROWS, SEED = 150, 5
MARKS = ("", "NA", "?", "(null)")
SPEC = """
seed: 5
data:
  source: {csv: messy.csv}
  target: y
  features:
    main: [age, hours, height, work, member, joined]
    education: education
    note: note
  split: {validation: 0.2, test: 0.2}
  preprocess:
    - impute: {columns: age, with: median, indicator: true}
    - impute: {columns: hours, with: mean}
    - impute: {columns: work, with: constant, value: unknown}
    - impute: {columns: member, with: most_frequent}
    - date: {columns: joined, parts: [month, elapsed], cyclic: true}
    - one_hot: {columns: work, minimum: 12}
    - one_hot: {columns: member}
    - ordinal: {columns: education, minimum: 12}
    - tokenize: {columns: note, vocabulary: 20, length: 6}
    - standardize: {columns: [age, hours, height, "joined elapsed"]}
model:
  layers:
    - concat:
        - []
        - {from: education, layers: [embedding: {num_embeddings: $categories(education), embedding_dim: 2}, flatten]}
        - from: note
          layers: [embedding: {num_embeddings: $vocabulary(note), embedding_dim: 4, padding_idx: 0}, gru: 4]
    - linear: $classes
loss: cross_entropy
optimizer: adam
tracking: off
"""


@pytest.fixture(autouse=True, params=["in memory", "in the cache"])
def place(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the rows are: those of a large file are in the cache, and are encoded a few at a time."""
    if request.param == "in the cache":
        monkeypatch.setattr(tables, "WHOLE", 0)
        monkeypatch.setattr(encoded, "AT_A_TIME", 7)


def split() -> Splits:
    return split_rows(None, ROWS, Split.read({"validation": 0.2, "test": 0.2}), SEED)


def messy() -> dict[str, list[Any]]:
    """The columns; None where a value is missing."""
    random = np.random.default_rng(3)

    def gappy(values: Any, share: float) -> list[Any]:
        return [None if random.random() < share else value for value in values]

    def drawn(words: str, *shares: float) -> list[str]:
        return random.choice(words.split(), ROWS, p=shares or None).tolist()

    first = datetime.date(2019, 11, 3)
    found: dict[str, list[Any]] = {
        "age": gappy(random.normal(41, 12, ROWS).round(1).tolist(), 0.2),
        "hours": gappy(random.normal(38, 9, ROWS).tolist(), 0.1),
        "height": random.normal(1.7, 0.1, ROWS).tolist(),
        "work": gappy(drawn("farm office shop army", 0.4, 0.35, 0.2, 0.05), 0.15),
        "member": gappy(drawn("true false"), 0.1),
        "joined": [str(first + datetime.timedelta(int(days))) for days in random.integers(0, 1500, ROWS)],
        "education": drawn("school college university doctor", 0.4, 0.3, 0.22, 0.08),
        "note": [" ".join(drawn("Call me, now! you see the train at 9 or 10")[:8]) for _ in range(ROWS)],
        "y": drawn("no yes"),
    }
    found["work"][split().test[0]] = "sea"
    found["education"][split().validation[0]] = "night school"
    return found


def write(folder: Path, columns: dict[str, list[Any]]) -> None:
    lines = [",".join(columns)]
    for row, values in enumerate(zip(*columns.values(), strict=True)):
        cells = (MARKS[row % 4] if value is None else f'"{value}"' for value in values)
        lines.append(",".join(cells))
    (folder / "messy.csv").write_text("\n".join(lines))


def seen(folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """For each input all rows as the network's layers take them, in float64; and all that was learned of them."""
    done = checked(folder, SPEC)
    rows = rows_of(done)
    fitted = fit(done.plan.inputs, rows)
    values, learned = {}, dict[str, Any]()
    assert done.data_info is not None
    for entry in done.plan.inputs:
        x = torch.tensor(np.asarray(rows.features[entry.name])).double()
        for step in entry.preprocess:
            x = fitted[step.name].module.exact(x)
            learned[step.name] = {name: state.tolist() for name, state in fitted[step.name].state.items()}
        values[entry.name] = x.numpy()
        feature = done.data_info.features[entry.name]
        learned[entry.name] = (feature.shape, feature.columns, [(one.index, one.learned) for one in feature.encoded])
    return values, learned


def expected(columns: dict[str, list[Any]], train: Any) -> dict[str, Any]:
    """The same with scikit-learn, and with pandas for the dates."""
    table = pd.DataFrame({name: pd.Series(values, dtype=object) for name, values in columns.items()})
    numbers = ["age", "hours", "height"]
    table[numbers] = table[numbers].astype(float)
    months = pd.to_datetime(table["joined"]).dt.month.to_numpy()[:, None]
    days = (pd.to_datetime(table["joined"]) - pd.to_datetime(table["joined"][train]).min()).dt.days
    table["elapsed"] = days.astype(float)
    waves = [FunctionTransformer(lambda x, of=of: of(2 * np.pi * x / 12)) for of in (np.sin, np.cos)]
    common = {"handle_unknown": "infrequent_if_exist", "sparse_output": False, "dtype": float}
    median = SimpleImputer(strategy="median", add_indicator=True)
    scaled_age = ColumnTransformer([("scaled", StandardScaler(), [0])], remainder="passthrough")
    none: dict[str, Any] = {"missing_values": None}
    constant = SimpleImputer(strategy="constant", fill_value="unknown", **none)
    frequent = SimpleImputer(strategy="most_frequent", **none)
    before = ColumnTransformer(
        [
            ("age", make_pipeline(median, scaled_age), ["age"]),
            ("hours", make_pipeline(SimpleImputer(strategy="mean"), StandardScaler()), ["hours"]),
            ("height", StandardScaler(), ["height"]),
            ("work", make_pipeline(constant, OneHotEncoder(min_frequency=12, **common)), ["work"]),
            ("member", make_pipeline(frequent, OneHotEncoder(**common)), ["member"]),
        ]
    )
    parts = [before.fit(table.iloc[train]).transform(table), np.zeros((ROWS, 1))]  # no other value of `member`
    parts += [make_union(*waves).fit_transform(months)]
    parts += [StandardScaler().fit(table[["elapsed"]].iloc[train]).transform(table[["elapsed"]])]
    ordinal: Any = OrdinalEncoder(min_frequency=12, handle_unknown="use_encoded_value", unknown_value=-1)
    codes = ordinal.fit(table[["education"]].iloc[train]).transform(table[["education"]])
    rare = len(ordinal.categories_[0]) - len(ordinal.infrequent_categories_[0])
    words: Any = CountVectorizer(token_pattern=r"\w+|[^\w\s]")
    counts = np.asarray(words.fit_transform(table["note"].iloc[train]).sum(axis=0))[0]
    order = sorted(words.vocabulary_, key=lambda word: (-counts[words.vocabulary_[word]], word))[:16]
    split_up = words.build_analyzer()
    notes = [[order.index(word) + 4 if word in order else 1 for word in split_up(note)][:6] for note in table["note"]]
    return {
        "main": np.hstack(parts),
        "education": np.where(codes == -1, rare, codes),
        "note": np.array([[*note, *[0] * (6 - len(note))] for note in notes]),
    }


def test_every_figure_is_that_of_scikit_learn_fitted_on_the_training_rows(tmp_path: Path) -> None:
    columns = messy()
    write(tmp_path, columns)
    ours, _ = seen(tmp_path)
    theirs = expected(columns, split().train)
    for name, values in theirs.items():
        assert ours[name].shape == values.shape
        assert np.abs(ours[name] - values).max() < 1e-9, name


def test_the_rare_category_of_the_test_rows_is_counted(tmp_path: Path) -> None:
    write(tmp_path, messy())
    info = checked(tmp_path, SPEC).data_info
    assert info is not None
    counted = {
        column: unseen.rows
        for feature in info.features.values()
        for one in feature.encoded
        for column, unseen in one.unseen.items()
    }
    assert counted == {"work": {"validation": 0, "test": 1}, "education": {"validation": 1, "test": 0}}


OTHERS = {
    "age": [None, -5.0, 1e6],
    "hours": [None, 1e9, 0],
    "height": [3e4, -1, 0],
    "work": ["sea", "space", None],
    "member": ["maybe", "false", None],
    "joined": ["1812-06-24", "2999-12-31 23:59", "2020-02-29"],
    "education": ["night school", "other", "school"],
    "note": ["entirely new words, all of them", "x", "now " * 90],
    "y": ["no", "yes", "no"],
}
"""What other rows may hold."""


@pytest.mark.parametrize("which", ["all", 0, 7, 45])
def test_whatever_the_validation_and_test_rows_hold_nothing_that_is_fitted_changes(which: Any, tmp_path: Path) -> None:
    columns = messy()
    write(tmp_path, columns)
    values, before = seen(tmp_path)
    other = np.concatenate([split().validation, split().test])
    for place, row in enumerate(other if which == "all" else other[[which]]):
        for name, cells in OTHERS.items():
            columns[name][row] = cells[(place + (0 if which == "all" else which)) % 3]
    write(tmp_path, columns)
    changed, after = seen(tmp_path)
    assert json.dumps(after, default=str) == json.dumps(before, default=str)
    train = split().train
    for name in values:
        assert (changed[name][train] == values[name][train]).all()
    assert any((changed[name] != values[name]).any() for name in values)
