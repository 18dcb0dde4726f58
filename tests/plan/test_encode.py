"""Columns on their way from a table to the network: which step changes which, in what order, and what comes out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from networks import checked
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from dlrun.checks.check import Checked
from dlrun.data.fit import fit
from dlrun.data.load import Loaded, load
from dlrun.errors import SpecError
from dlrun.language.experiment import Split
from dlrun.plan.split import split_rows
from dlrun.training.lifecycle.setup import prepare_training

ROWS = 90
NUMBERS = ("age", "hours", "height", "weight")
SEED = 6

SPEC = """
seed: 6
data:
  source: {csv: people.csv}
  features: FEATURES
  target: y
  split: {validation: 0.2, test: 0.2}
  preprocess: PREPROCESS
model: MODEL
loss: cross_entropy
optimizer: {adam: {lr: 1e-2}}
train: {epochs: 1, batch_size: 10}
tracking: off
"""
ALL = [*NUMBERS, "work", "married"]
ONE_INPUT = {"layers": [{"linear": "$classes"}]}
FILL = [
    {"impute": {"columns": ["age", "hours"], "with": "median"}},
    {"impute": {"columns": "work", "with": "constant", "value": "unknown"}},
]
ONE_HOT = {"one_hot": {"columns": ["work", "married"]}}
WORK = ["work=farm", "work=office", "work=shop", "work=unknown", "work=(other)"]
MARRIED = ["married=false", "married=true", "married=(other)"]


def people() -> dict[str, list[Any]]:
    """Numbers with gaps, categories with several marks of a gap, one in a test row only, and booleans."""
    random = np.random.default_rng(1)
    numbers = random.normal(size=(ROWS, 4)) @ random.normal(size=(4, 4)) + [40, 38, 170, 70]
    found: dict[str, list[Any]] = {name: column.tolist() for name, column in zip(NUMBERS, numbers.T, strict=True)}
    for name, share in (("age", 0.2), ("hours", 0.1)):
        found[name] = [
            value if kept else None for kept, value in zip(random.random(ROWS) > share, found[name], strict=True)
        ]
    found["work"] = [("farm", "office", "shop", None)[code] for code in random.integers(0, 4, ROWS)]
    found["married"] = [("false", "true")[code] for code in random.integers(0, 2, ROWS)]
    test = split_rows(None, ROWS, Split.read({"validation": 0.2, "test": 0.2}), SEED).test
    found["work"][test[0]] = "sea"
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    marks = ("", "NA", "?", "(null)")
    columns = people()
    lines = [",".join([*columns, "y"])]
    for row, values in enumerate(zip(*columns.values(), strict=True)):
        cells = [marks[row % 4] if value is None else str(value) for value in values]
        lines.append(",".join([*cells, ("no", "yes")[row % 2]]))
    (tmp_path / "people.csv").write_text("\n".join(lines))
    return tmp_path


def check(folder: Path, steps: list[Any], features: Any = ALL, model: Any = ONE_INPUT) -> Checked:
    text = SPEC.replace("PREPROCESS", json.dumps(steps)).replace("FEATURES", json.dumps(features))
    return checked(folder, text.replace("MODEL", json.dumps(model)))


def refused(folder: Path, steps: list[Any], features: Any = ALL, model: Any = ONE_INPUT) -> tuple[str, str]:
    """The message and the hint of the only problem that is no note."""
    with pytest.raises(SpecError) as caught:
        check(folder, steps, features, model)
    (problem,) = (problem for problem in caught.value.problems if not problem.note)
    assert problem.place is not None
    return problem.message, problem.hint


def names_of(done: Checked, name: str = "input") -> list[str]:
    assert done.data_info is not None
    return [column.name for column in done.data_info.features[name].columns]


def loaded(done: Checked) -> Loaded:
    assert done.data_info is not None
    return load(done.experiment.need("data"), done.data_info, done.experiment.seed)


def after_all(done: Checked, name: str = "input") -> tuple[Any, Any]:
    """(N, columns) all rows as the network's first layer has them, before any rounding; and the training rows."""
    rows = loaded(done)
    assert done.plan is not None
    fitted = fit(done.plan.inputs, rows)
    (entry,) = (one for one in done.plan.inputs if one.name == name)
    x = torch.tensor(rows.features[name]).double()
    for step in entry.preprocess:
        x = fitted[step.name].module.exact(x)
    assert x.shape == (ROWS, *entry.shape)
    return x.numpy(), rows.splits.train


def test_the_columns_are_named_and_in_the_order_of_the_features(folder: Path) -> None:
    assert names_of(check(folder, [*FILL, ONE_HOT])) == [*NUMBERS, *WORK, *MARRIED]
    indicated = {"impute": {"columns": "age", "indicator": True}}
    turned = ["married", "work", "age"]
    assert names_of(check(folder, [indicated, FILL[1], ONE_HOT], turned)) == [
        *MARRIED,
        *WORK,
        "age",
        "age missing",
    ]
    ordinal = {"ordinal": {"columns": "married"}}
    assert names_of(check(folder, [FILL[1], ordinal, ONE_HOT], turned[:2])) == ["married", *WORK]


def test_a_category_of_a_test_row_alone_counts_as_other(folder: Path) -> None:
    done = check(folder, [FILL[1], ONE_HOT], ["work", "married"])
    rows, columns = loaded(done), names_of(done)
    other = rows.features["input"][:, columns.index("work=(other)")]
    assert other.nonzero()[0].tolist() == [rows.splits.test[0]]


def test_unseen_categories_are_counted_for_each_column_and_split_and_noted(folder: Path) -> None:
    done = check(folder, [FILL[1], ONE_HOT], ["work", "married"])
    (note,) = done.notes
    message = "1 test row has a category of 'work' that no training row has, such as 'sea'"
    assert (note.note, note.message) == ("unseen_category", message)
    assert note.hint == "with a `minimum` above 1, rare categories can share its place, so that its weights are trained"
    assert done.data_info is not None
    (_, step) = done.data_info.features["input"].encoded
    assert {name: unseen.rows for name, unseen in step.unseen.items()} == {"work": {"validation": 0, "test": 1}}


def test_where_rare_categories_share_their_place_they_are_counted_without_a_note(folder: Path) -> None:
    works, train = people()["work"], loaded(check(folder, [FILL[1], "one_hot"], ["work"])).splits.train
    counts = [sum(works[row] == work for row in train) for work in ("farm", "office", "shop")]
    done = check(folder, [FILL[1], {"one_hot": {"columns": "work", "minimum": min(counts) + 1}}], ["work"])
    assert not done.notes and done.data_info is not None
    assert done.data_info.features["input"].encoded[-1].unseen["work"].rows == {"validation": 0, "test": 1}


def as_arrays() -> Any:
    """The table as scikit-learn takes it."""
    columns = people()
    numbers = [np.array(columns[name], float) for name in NUMBERS]
    texts = [np.array(columns[name], object) for name in ("work", "married")]
    return np.column_stack([np.array(one, object) for one in (*numbers, *texts)])


def test_a_pipeline_is_scikit_learns_column_transformer(folder: Path) -> None:
    steps = [
        {"impute": {"columns": "age", "with": "median", "indicator": True}},
        {"impute": {"columns": "hours", "with": "mean"}},
        FILL[1],
        ONE_HOT,
        {"standardize": {"columns": ["hours"]}},
        {"pca": {"columns": ["height", "weight"], "n_components": 2}},
    ]
    ours, train = after_all(check(folder, steps))
    one_hot = OneHotEncoder(handle_unknown="ignore", sparse_output=False, dtype=float)
    theirs = ColumnTransformer(
        [
            ("age", make_union(SimpleImputer(strategy="median"), MissingIndicator()), [0]),
            ("hours", make_pipeline(SimpleImputer(strategy="mean"), StandardScaler()), [1]),
            ("work", make_pipeline(_constant("unknown"), one_hot), [4]),
            ("married", one_hot, [5]),
            ("size", PCA(2, svd_solver="full"), [2, 3]),
        ]
    )
    rows = as_arrays()
    expected = theirs.fit(rows[train]).transform(rows).astype(float)
    others = [2 + 1 + 4, 2 + 1 + 5 + 2]
    assert ours.shape == (ROWS, expected.shape[1] + len(others))
    assert ours[:, others[0]].sum() == 1 and ours[:, others[1]].sum() == 0
    ours = np.delete(ours, others, axis=1)
    signs = np.sign((ours[:, -2:] * expected[:, -2:]).sum(axis=0))
    ours[:, -2:] *= signs
    assert np.abs(ours - expected).max() < 1e-6


def _constant(value: str) -> SimpleImputer:
    return SimpleImputer(strategy="constant", fill_value=value, missing_values=None)


def test_a_map_without_columns_acts_on_the_numbers_that_exist_at_its_place(folder: Path) -> None:
    before, train = after_all(check(folder, [*FILL, "standardize", ONE_HOT]))
    after, _ = after_all(check(folder, [*FILL, ONE_HOT, "standardize"]))
    plain, _ = after_all(check(folder, [*FILL, ONE_HOT]))
    scaled = StandardScaler().fit(plain[train])
    assert np.allclose(after[:, :4], scaled.transform(plain)[:, :4], atol=1e-6)
    assert np.allclose(before[:, :4], after[:, :4], atol=1e-6)
    assert (before[:, 4:] == plain[:, 4:]).all()
    assert not (after[:, 4:] == plain[:, 4:]).any(axis=0).all()


def test_categories_that_become_numbers_after_a_map_are_left_as_they_are(folder: Path) -> None:
    ordinal = {"ordinal": {"columns": "married"}}
    late, _ = after_all(check(folder, ["standardize", ordinal], ["height", "married"]))
    early, train = after_all(check(folder, [ordinal, "standardize"], ["height", "married"]))
    assert set(late[:, 1]) == {0, 1}
    assert early[train].mean(axis=0) == pytest.approx([0, 0], abs=1e-9)
    assert late[:, 0] == pytest.approx(early[:, 0])


def test_a_step_that_comes_too_late_is_told_where_it_belongs(folder: Path) -> None:
    fill = {"impute": {"columns": "age"}}
    message, hint = refused(folder, ["standardize", fill], ["age", "height"])
    assert message == "impute comes after standardize, which takes its column 'age'"
    assert hint == "write `impute` before `standardize`"
    check(folder, [fill, "standardize"], ["age", "height"])
    scale = {"standardize": {"columns": "married=*"}}
    one_hot = {"one_hot": {"columns": "married"}}
    message, hint = refused(folder, [scale, one_hot], ["height", "married"])
    assert message == "one_hot comes after standardize, which takes its column 'married=false'"
    assert hint == "write `one_hot` before `standardize`"
    check(folder, [one_hot, scale], ["height", "married"])


def test_a_map_with_nothing_to_change_at_its_place_is_told(folder: Path) -> None:
    one_hot = {"one_hot": {"columns": "married"}}
    message, hint = refused(folder, ["standardize", one_hot], ["married"])
    assert message == "standardize has no column to change at this place in the list"
    assert hint == "write it after the steps that make its columns"
    check(folder, [one_hot, "standardize"], ["married"])


@pytest.mark.parametrize("kind", ["impute", "one_hot", "ordinal", "standardize", "pca", "minmax"])
def test_unknown_columns_are_told_with_the_nearest_name(folder: Path, kind: str) -> None:
    needed = {"n_components": 1} if kind == "pca" else {}
    message, _ = refused(folder, [*FILL, ONE_HOT, {kind: {"columns": ["height", "wieght"], **needed}}])
    assert message == "no feature is called 'wieght'; did you mean 'weight'?"


@pytest.mark.parametrize("kind", ["impute", "one_hot", "standardize"])
def test_a_pattern_that_matches_nothing_is_told(folder: Path, kind: str) -> None:
    message, _ = refused(folder, [*FILL, ONE_HOT, {kind: {"columns": "salary*"}}])
    assert message.startswith("no feature is called 'salary*'")


def test_patterns_choose_columns_by_their_names_and_those_of_their_fields(folder: Path) -> None:
    one = check(folder, [*FILL, ONE_HOT, {"standardize": {"columns": "?ei*"}}, {"minmax": {"columns": "work=*"}}])
    assert one.plan is not None
    sizes, work = one.plan.inputs[0].preprocess
    columns = names_of(one)
    assert [columns[at] for at in sizes.columns or ()] == ["height", "weight"]
    assert [columns[at] for at in work.columns or ()] == WORK
    assert (sizes.width, work.width) == (len(columns), len(columns))
    by_field = check(folder, [*FILL, ONE_HOT, {"minmax": {"columns": "wor?"}}])
    assert by_field.plan is not None
    assert by_field.plan.inputs[0].preprocess[0].columns == work.columns


def test_an_encoder_leaves_the_indicator_of_its_column_as_it_is(folder: Path) -> None:
    fill = {"impute": {"columns": "work", "with": "most_frequent", "indicator": True}}
    for kind in ("one_hot", "ordinal"):
        done = check(folder, [fill, {kind: {"columns": "work"}}], ["work", "height"])
        made = ["work=farm", "work=office", "work=shop", "work=(other)"] if kind == "one_hot" else ["work"]
        assert names_of(done) == [*made, "work missing", "height"]
        missing = [float(value is None) for value in people()["work"]]
        assert loaded(done).features["input"][:, len(made)].tolist() == missing


SEVERAL = {"body": ["age", "height"], "life": ["work", "married"]}
JOINED = {"layers": [{"concat": [[], "life"]}, {"linear": "$classes"}]}


def test_with_several_inputs_columns_say_which_one_a_step_is_for(folder: Path) -> None:
    steps = [
        {"impute": {"columns": "age"}},
        FILL[1],
        ONE_HOT,
        {"standardize": {"columns": ["age", "height"]}},
        {"pca": {"columns": "work=*", "n_components": 1}},
    ]
    done = check(folder, steps, SEVERAL, JOINED)
    assert names_of(done, "body") == ["age", "height"]
    assert names_of(done, "life") == [*WORK, *MARRIED]
    body, train = after_all(done, "body")
    life, _ = after_all(done, "life")
    ages = SimpleImputer().fit(as_arrays()[train][:, [0, 2]].astype(float))
    filled = ages.transform(as_arrays()[:, [0, 2]].astype(float))
    assert np.allclose(body, StandardScaler().fit(filled[train]).transform(filled), atol=1e-6)
    raw = loaded(done).features["life"]
    first = PCA(1, svd_solver="full").fit(raw[train][:, :5]).transform(raw[:, :5])
    assert (life[:, :3] == raw[:, 5:]).all()
    assert np.allclose(np.abs(life[:, 3:]), np.abs(first), atol=1e-6)


def test_with_several_inputs_a_step_that_names_neither_is_told_the_way_out(folder: Path) -> None:
    steps = [{"impute": {"columns": "age"}}, FILL[1], ONE_HOT]
    message, hint = refused(folder, [*steps, "standardize"], SEVERAL, JOINED)
    assert message == "standardize does not say which input it is for"
    assert hint == "there are body, life: `standardize: {input: body}`"
    check(folder, [*steps, {"standardize": {"input": "body"}}], SEVERAL, JOINED)


def test_columns_of_another_input_than_the_step_names_are_told(folder: Path) -> None:
    steps = [{"impute": {"columns": "age"}}, FILL[1], ONE_HOT]
    for kind in ("standardize", "impute"):
        step = {kind: {"input": "life", "columns": "height"}}
        message, _ = refused(folder, [*steps, step], SEVERAL, JOINED)
        assert message.startswith("no feature is called 'height'")


TWO = """
data:
  source: {csv: sizes.csv}
  features: {coded: size, plain: size}
  target: y
  preprocess: [PREPROCESS]
model:
  layers: [linear: 2, concat: [[], {from: plain, layers: [linear: 2]}], linear: 2]
loss: cross_entropy
optimizer: sgd
"""


def test_a_field_may_be_texts_for_one_input_and_numbers_for_another(tmp_path: Path) -> None:
    (tmp_path / "sizes.csv").write_text("size,y\n" + "".join(f"{i % 3},{i % 2}\n" for i in range(60)))
    found = checked(tmp_path, TWO.replace("PREPROCESS", "one_hot: {input: coded, columns: size}")).data_info
    assert found is not None
    assert [column.name for column in found.features["coded"].columns] == ["size=0", "size=1", "size=2", "size=(other)"]
    assert found.inputs("plain").tolist() == [[i % 3] for i in range(60)]
    assert found.inputs("coded").argmax(axis=1).tolist() == [i % 3 for i in range(60)]


def test_a_value_that_only_one_of_two_inputs_fills_in_is_told(tmp_path: Path) -> None:
    (tmp_path / "sizes.csv").write_text("size,y\n" + "".join(f"{i % 3 or ''},{i % 2}\n" for i in range(60)))
    with pytest.raises(SpecError, match=r"sizes.csv:2: column 'size' is '', not a number"):
        checked(tmp_path, TWO.replace("PREPROCESS", "impute: {input: coded}"))
    checked(tmp_path, TWO.replace("PREPROCESS", "impute: {columns: size}"))


def test_encoders_may_come_from_vars_beside_steps_that_need_the_data(tmp_path: Path) -> None:
    (tmp_path / "sizes.csv").write_text("size,y\n" + "".join(f"{'abc'[i % 3]},{i % 2}\n" for i in range(60)))
    text = """
        vars: {steps: [one_hot, {pca: $(features - 2)}], column: size}
        data: {source: {csv: sizes.csv}, target: y, preprocess: STEPS}
        model: {layers: [linear: $classes]}
        loss: cross_entropy
        optimizer: sgd
    """
    for steps in ("$steps", "[one_hot: {columns: $column}, pca: $(features - 2)]"):
        assert checked(tmp_path, text.replace("STEPS", steps)).plan.input_shapes == {"input": (2,)}


@pytest.mark.parametrize("step", ["impute", "one_hot", "standardize"])
def test_with_several_inputs_a_step_says_which_it_is_for(tmp_path: Path, step: str) -> None:
    lines = "".join(f"{i % 3},{'pqr'[i % 3]},{i % 2}\n" for i in range(60))
    (tmp_path / "sizes.csv").write_text("size,work,y\n" + lines)
    text = TWO.replace("PREPROCESS", f"{{one_hot: {{columns: work}}}}, {step}").replace("coded: size", "coded: work")
    with pytest.raises(SpecError, match=f"{step} does not say which input it is for") as caught:
        checked(tmp_path, text)
    assert f"there are coded, plain: `{step}: {{input: coded}}`" in str(caught.value)


ONE = """
data: {source: {csv: sizes.csv}, target: y, preprocess: PREPROCESS}
model: {layers: [linear: 2]}
loss: cross_entropy
optimizer: sgd
"""
FILLED = "impute: {columns: size, indicator: true}"


def test_a_columns_own_name_means_it_alone_and_a_fields_name_all_that_was_made_of_it(tmp_path: Path) -> None:
    (tmp_path / "sizes.csv").write_text(
        "size,work,y\n" + "".join(f"{i % 3 or ''},{'pqr'[i % 3]},{i % 2}\n" for i in range(60))
    )
    steps = f"[{FILLED}, one_hot, {{standardize: {{columns: NAME}}}}]"
    for name, places in (("size", (0,)), ('"size*"', (0, 1)), ("work", (2, 3, 4, 5)), ("work=q", (3,))):
        (step,) = checked(tmp_path, ONE.replace("PREPROCESS", steps.replace("NAME", name))).plan.preprocess
        assert step.columns == places, name


def test_two_columns_of_one_name_are_refused(tmp_path: Path) -> None:
    (tmp_path / "sizes.csv").write_text(
        "size,size missing,y\n" + "".join(f"{i % 3 or ''},{i % 5},{i % 2}\n" for i in range(60))
    )
    with pytest.raises(SpecError, match="impute makes a column 'size missing', and there is one of that name"):
        checked(tmp_path, ONE.replace("PREPROCESS", f"[{FILLED}]"))


def test_a_value_goes_with_constant_alone(tmp_path: Path) -> None:
    (tmp_path / "sizes.csv").write_text("size,y\n" + "".join(f"{i % 3},{i % 2}\n" for i in range(60)))
    with pytest.raises(SpecError, match="value is only for `with: constant`; received mean"):
        checked(tmp_path, ONE.replace("PREPROCESS", "[impute: {value: 3}]"))


def test_the_rows_that_were_read_are_freed_once_they_are_on_the_device(tmp_path: Path) -> None:
    (tmp_path / "sizes.csv").write_text("size,y\n" + "".join(f"{i % 3 or ''},{i % 2}\n" for i in range(60)))
    found = checked(tmp_path, ONE.replace("PREPROCESS", f"[{FILLED}]"))
    assert found.data_info is not None and found.data_info.made
    prepare_training(found)
    assert not found.data_info.made
    with pytest.raises(KeyError):
        found.data_info.table.numbers(["size"])
