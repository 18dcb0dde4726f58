"""Columns of categories as indices: how many there are, where they go, and a whole network that embeds them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from networks import checked, rows_of
from sklearn.preprocessing import OrdinalEncoder

import dlrun
from dlrun.checks.check import Checked
from dlrun.errors import SpecError

ROWS = 120
SPEC = """
seed: 3
data:
  source: {csv: t.csv}
  features: FEATURES
  target: y
  split: {validation: 0.2, test: 0.2}
  preprocess: PREPROCESS
model: {layers: LAYERS}
loss: cross_entropy
optimizer: {adam: {lr: 1e-2}}
train: {epochs: 2, batch_size: 20, device: cpu}
tracking: off
"""
SPLIT = {"work": "work", "home": "home town", "rest": ["age", "hours"]}


def embedding(count: str, dim: int = 3) -> dict[str, Any]:
    return {"embedding": {"num_embeddings": count, "embedding_dim": dim}}


LAYERS = [
    embedding("$categories(work)"),
    {"flatten": {"name": "works"}},
    {"input": "home"},
    embedding("$categories(home town)", 2),
    "flatten",
    {"concat": [[], "works", "rest"]},
    {"linear": "$classes"},
]
STEPS = [{"ordinal": {"columns": ["work", "home town"], "minimum": 3}}, {"standardize": {"input": "rest"}}]


def table() -> dict[str, list[Any]]:
    random = np.random.default_rng(2)
    works = np.array(["farm", "office", "shop", "army", "sea"])
    return {
        "work": works[random.choice(5, ROWS, p=[0.4, 0.3, 0.24, 0.03, 0.03])].tolist(),
        "home town": [f"town {code}" for code in random.integers(0, 4, ROWS)],
        "age": random.integers(18, 70, ROWS).tolist(),
        "hours": random.integers(1, 60, ROWS).tolist(),
        "y": [("no", "yes")[code] for code in random.integers(0, 2, ROWS)],
    }


def spec(folder: Path, features: Any = SPLIT, steps: Any = STEPS, layers: Any = LAYERS) -> str:
    columns = table()
    lines = [",".join(columns), *(",".join(map(str, row)) for row in zip(*columns.values(), strict=True))]
    (folder / "t.csv").write_text("\n".join(lines))
    text = SPEC.replace("FEATURES", json.dumps(features)).replace("PREPROCESS", json.dumps(steps))
    return text.replace("LAYERS", json.dumps(layers))


def done(folder: Path, **settings: Any) -> Checked:
    return checked(folder, spec(folder, **settings))


def refused(folder: Path, **settings: Any) -> tuple[str, str]:
    with pytest.raises(SpecError) as caught:
        done(folder, **settings)
    return caught.value.problems[0].message, caught.value.problems[0].hint


def test_the_indices_and_their_number_are_scikit_learns_with_one_place_for_rare_and_unseen(tmp_path: Path) -> None:
    found = done(tmp_path)
    rows = rows_of(found)
    for name, column in (("work", "work"), ("home", "home town")):
        values = np.array(table()[column], object)[:, None]
        settings = {"handle_unknown": "use_encoded_value", "unknown_value": -1}
        theirs = OrdinalEncoder(min_frequency=3, **settings).fit(values[rows.splits.train])
        infrequent = theirs.infrequent_categories_[0]
        often = len(theirs.categories_[0]) - (0 if infrequent is None else len(infrequent))
        expected = theirs.transform(values)
        assert (rows.features[name] == np.where((expected == -1) | (expected == often), often, expected)).all()
        layer = {"work": "embedding_1", "home": "embedding_2"}[name]
        assert next(step for step in found.plan.layers if step.name == layer).weights["weight"][0] == often + 1


def test_a_whole_network_embeds_them_and_is_trained_and_resumed(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text(spec(tmp_path))
    outcome = dlrun.train(tmp_path / "s.yaml", runs=tmp_path / "runs")
    assert outcome.status == "FINISHED" and np.isfinite(outcome.test["loss"])


def test_the_embeddings_take_a_category_that_no_row_has_had(tmp_path: Path) -> None:
    steps = [{"ordinal": {"columns": "work"}}]
    layers = [embedding("COUNT"), "flatten", {"linear": "$classes"}]
    few = json.loads(json.dumps(layers).replace('"COUNT"', "5"))
    message, hint = refused(tmp_path, features="work", steps=steps, layers=few)
    assert message == "'work' has 6 indices, and there are 5"
    assert hint.startswith("`num_embeddings: $categories(work)` is how many it has")
    for count in ("$categories(work)", "$categories", "$vocabulary", "$(max(2, categories(work)))"):
        enough = json.loads(json.dumps(layers).replace("COUNT", count))
        plan = done(tmp_path, features="work", steps=steps, layers=enough).plan
        assert plan.layers[0].weights["weight"] == (6, 3)


def test_several_columns_of_indices_may_be_one_input(tmp_path: Path) -> None:
    layers = [embedding("$vocabulary"), "flatten", {"linear": "$classes"}]
    steps = [{"ordinal": {"columns": ["work", "home town"]}}]
    plan = done(tmp_path, features=["work", "home town"], steps=steps, layers=layers).plan
    assert plan.layers[0].weights["weight"] == (6, 3)
    assert plan.layers[1].output == (6,)


def test_indices_beside_numbers_get_the_inputs_to_write(tmp_path: Path) -> None:
    layers = [embedding("9"), "flatten", {"linear": "$classes"}]
    steps = [{"ordinal": {"columns": ["work", "home town"]}}]
    layers[0]["embedding"]["num_embeddings"] = 99  # type: ignore[index]
    message, hint = refused(tmp_path, features=["work", "age", "home town"], steps=steps, layers=layers)
    assert message == "a row has indices, 'work', beside numbers, 'age'"
    lines = '`features: {work: work, home_town: "home town", rest: [age]}`'
    assert hint == "an embedding takes indices alone; give them inputs of their own: " + lines
    wrong = [{"ordinal": {"columns": "work"}}]
    layers = [embedding("$vocabulary"), "flatten", {"linear": "$classes"}]
    message, _ = refused(tmp_path, features=["work", "age"], steps=wrong, layers=layers)
    assert message == "`$vocabulary` needs features that are indices, whole numbers from 0 on"


def test_indices_that_an_encoder_made_come_before_whole_numbers_of_the_data(tmp_path: Path) -> None:
    layers = [embedding("$vocabulary"), "flatten", {"concat": [[], "rest"]}, {"linear": "$classes"}]
    steps = [{"ordinal": {"columns": "work"}}]
    plan = done(tmp_path, features={"work": "work", "rest": ["age", "hours"]}, steps=steps, layers=layers).plan
    assert plan.layers[0].weights["weight"] == (6, 3)


@pytest.mark.parametrize(
    ("count", "message", "hint"),
    [
        ("$categories(wrk)", "`$categories(wrk)` is not known; did you mean 'work'?", "columns of categories: work"),
        ("$categories(age)", "`$categories(age)` is not known", "columns of categories: work, home town"),
        ("$categories", "`$categories` is ambiguous", "such as `$categories(work)`; columns of categories: work,"),
        ("$vocabulary", "`$vocabulary` is ambiguous", "such as `$vocabulary(work)`; inputs of indices: work, home"),
        ("$vocabulary(house)", "`$vocabulary(house)` is not known", "inputs of indices: work, home, rest"),
    ],
)
def test_a_column_that_is_not_known_is_told(tmp_path: Path, count: str, message: str, hint: str) -> None:
    layers = [embedding(count), *LAYERS[1:]]
    received, way_out = refused(tmp_path, layers=layers)
    assert received.startswith(message) and hint in way_out


def test_without_an_encoder_of_indices_the_step_to_add_is_told(tmp_path: Path) -> None:
    layers = [embedding("$categories(age)"), "flatten", {"linear": "$classes"}]
    message, hint = refused(tmp_path, features="age", steps=[], layers=layers)
    assert message == "`$categories` needs a column of categories that `ordinal` has numbered"
    assert hint == "`preprocess: [ordinal: {columns: …}]` numbers the categories of a column"
