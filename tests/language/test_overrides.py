"""`extends` and `section.key=value`: two ways to change a document before it is read on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dlrun.errors import Problem, SpecError
from dlrun.language.kinds import find, kinds
from dlrun.language.text.document import parse_text, read_document
from dlrun.language.text.overrides import MAX_EXTENDS, with_bases, with_overrides

SPEC = """
name: first
seed: 1
model:
  input: [1, 8, 8]
  layers:
    - flatten
    - linear: {out_features: 10, bias: false}
    - dropout: 0.5
    - relu
optimizer: {adam: {lr: 1e-3, betas: [0.9, 0.99]}}
loss: mse
train: {epochs: 3}
"""


def overridden(*overrides: str, text: str = SPEC) -> Any:
    return with_overrides(parse_text(text, "spec.yaml"), overrides).root.plain()


def problems_of(*overrides: str, text: str = SPEC) -> list[Problem]:
    with pytest.raises(SpecError) as raised:
        overridden(*overrides, text=text)
    return raised.value.problems


# -- overrides


@pytest.mark.parametrize(
    ("override", "path", "value"),
    [
        ("seed=7", ["seed"], 7),
        ("name=other", ["name"], "other"),
        ("name='7'", ["name"], "7"),
        ("name=", ["name"], None),
        ("name=a=b", ["name"], "a=b"),
        ("train.epochs=50", ["train", "epochs"], 50),
        ("train.batch_size=64", ["train", "batch_size"], 64),
        ("train={steps: 5}", ["train"], {"steps": 5}),
        ("tracking=off", ["tracking"], "off"),
        ("schedule.step.gamma=1e-3", ["schedule", "step", "gamma"], 0.001),
        ("optimizer.adam.lr=0.1", ["optimizer", "adam"], {"lr": 0.1, "betas": (0.9, 0.99)}),
        ("optimizer.adam.betas[1]=0.5", ["optimizer", "adam", "betas"], (0.9, 0.5)),
        (
            "model.layers[1].linear.out_features=3",
            ["model", "layers", 1],
            {"linear": {"out_features": 3, "bias": False}},
        ),
        ("model.layers.1.linear.bias=true", ["model", "layers", 1, "linear", "bias"], True),
        ("model.layers[2].dropout=0.1", ["model", "layers", 2], {"dropout": 0.1}),
        ("model.layers[3]=tanh", ["model", "layers", 3], "tanh"),
        ("model.layers[0]={linear: 4}", ["model", "layers", 0], {"linear": 4}),
        ("model.input=[3]", ["model", "input"], (3,)),
        # another kind replaces the first one
        ("optimizer.sgd.lr=0.1", ["optimizer"], {"sgd": {"lr": 0.1}}),
        ("optimizer=sgd", ["optimizer"], "sgd"),
        ("loss.cross_entropy.label_smoothing=0.1", ["loss"], {"cross_entropy": {"label_smoothing": 0.1}}),
        # a kind written alone gets settings
        ("loss.mse.x=1", ["loss"], {"mse": {"x": 1}}),
        ("model.layers[3].relu.name=last", ["model", "layers", 3], {"relu": {"name": "last"}}),
    ],
)
def test_an_override_sets_one_value_and_leaves_the_rest(override: str, path: list[Any], value: Any) -> None:
    found, before = overridden(override), parse_text(SPEC, "spec.yaml").root.plain()
    inner = found
    for step in path:
        inner = inner[step]
    assert inner == value
    others = {name: section for name, section in found.items() if name != path[0]}
    assert others == {name: section for name, section in before.items() if name != path[0]}


def test_overrides_are_applied_in_order_and_the_last_one_holds() -> None:
    found = overridden("train.epochs=5", "train.steps=9", "train.epochs=6")
    assert found["train"] == {"epochs": 6, "steps": 9}
    assert overridden("optimizer=sgd", "optimizer.sgd.lr=0.5")["optimizer"] == {"sgd": {"lr": 0.5}}


def test_overrides_begin_a_document_that_is_empty() -> None:
    assert overridden("model.input=3", "model.layers=[relu]", text="") == {"model": {"input": 3, "layers": ("relu",)}}


def test_the_document_itself_is_left_as_it_was() -> None:
    document = parse_text(SPEC, "spec.yaml")
    before = document.root.plain()
    with_overrides(document, ["model.layers[1].linear.out_features=3", "optimizer.sgd.lr=1", "name=x"])
    assert document.root.plain() == before


@pytest.mark.parametrize(
    ("override", "message", "column", "length"),
    [
        ("epochs", "an override is written section.key=value", 1, 6),
        ("=5", "an override is written section.key=value", 1, 2),
        ("a b=5", "an override is written section.key=value", 1, 5),
        (".seed=5", "an override is written section.key=value", 1, 7),
        ("train..epochs=5", "an override is written section.key=value", 1, 15),
        ("extends=other.yaml", "an override cannot change `extends`", 1, 7),
        ("extends=", "an override cannot change `extends`", 1, 7),
        ("vars.width=3", "nothing uses 'vars.width'", 6, 5),
        ("vars={width: 3}", "nothing uses 'vars.width'", 7, 5),
        ("blocks.unit={layers: [relu]}", "nothing uses 'blocks.unit'", 8, 4),
        ("model.layers[-1]=relu", "an override is written section.key=value", 1, 21),
        ("model.layers[4]=relu", "there is no entry 4: the list ends at 3, counted from 0", 14, 1),
        ("model.layers[99999999999]=relu", "there is no entry 999999999: the list ends at 3", 14, 11),
        ("model.layers.linear=3", "this is a list and has no entry 'linear'", 14, 6),
        ("name.last=a", "'name' is 'first' and has no setting 'last'", 6, 4),
        ("model.layers[2].dropout.q=0.1", "'model.layers[2].dropout' is 0.5 and has no setting 'q'", 25, 1),
        ("train.epochs={a: 1", "this is not YAML", 19, 1),
        ("train.epochs=!!int 3", "tags are not part of the language: '!!int'", 14, 7),
    ],
)
def test_a_wrong_override_is_reported_at_its_place_on_the_command_line(
    override: str, message: str, column: int, length: int
) -> None:
    (problem,) = problems_of(override)
    assert problem.message.startswith(message)
    assert problem.place is not None
    place = problem.place
    assert (place.source.name, place.line, place.column, place.length) == ("command line", 1, column, length)


def test_a_name_that_an_override_defines_may_be_used_by_another_one() -> None:
    for overrides in (
        ["vars.rate=0.1", "optimizer.adam.lr=$rate"],
        ["optimizer.adam.lr=$(rate / 2)", "vars={rate: 0.1}"],
        ["blocks.unit={layers: [relu]}", "model.layers[1]=unit"],
        ["blocks.unit={parameters: {n: 1}, layers: [linear: $n]}", "model.layers[1]={unit: {n: 2}}"],
    ):
        assert overridden(*overrides) != overridden()


def test_a_misspelt_name_leads_to_the_one_that_is_used(tmp_path: Path) -> None:
    file = tmp_path / "spec.yaml"
    file.write_text("vars: {width: 3}\nmodel: {input: [3], layers: [linear: $width]}\n")
    with pytest.raises(SpecError) as caught:
        with_overrides(read_document(file), ["vars.widht=4"])
    assert [problem.message for problem in caught.value.problems] == [
        "nothing uses 'vars.widht'; did you mean 'width'?"
    ]


def test_all_wrong_overrides_are_reported_at_once() -> None:
    assert len(problems_of("epochs", "model.layers[9]=relu", "seed=1", "name.x=1")) == 3


def test_a_value_from_the_command_line_is_shown_there_when_it_is_wrong_later() -> None:
    document = with_overrides(parse_text(SPEC, "spec.yaml"), ["train.epochs=ten"])
    place = document.root.locate(("train", "epochs"))
    assert str(place) == "command line"
    assert (place.line, place.column, place.length) == (1, 14, 3)
    rendered = Problem("no number", place).render()
    assert rendered.splitlines() == [
        "error: no number",
        "  --> command line  train.epochs",
        "   |",
        "   | train.epochs=ten",
        "   |              ^^^",
    ]
    assert str(document.root.locate(("seed",))) == "spec.yaml:3:7"


# -- extends


def files(folder: Path, **texts: str) -> None:
    for name, text in texts.items():
        (folder / f"{name}.yaml").write_text(text)


def extended(folder: Path, name: str) -> Any:
    return with_bases(read_document(folder / f"{name}.yaml")).root.plain()


def extending_fails(folder: Path, name: str) -> Problem:
    with pytest.raises(SpecError) as raised:
        extended(folder, name)
    (problem,) = raised.value.problems
    return problem


def test_mappings_merge_and_everything_else_replaces(tmp_path: Path) -> None:
    files(
        tmp_path,
        base="seed: 1\nvars: {a: 1, b: 2}\ntrain: {epochs: 3, batch_size: 8}\nmetrics: [f1, accuracy]\n",
        over="extends: base.yaml\nvars: {b: 3, c: 4}\ntrain: {epochs: 5}\nmetrics: [mse]\n",
    )
    assert extended(tmp_path, "over") == {
        "extends": "base.yaml",
        "seed": 1,
        "vars": {"a": 1, "b": 3, "c": 4},
        "train": {"epochs": 5, "batch_size": 8},
        "metrics": ("mse",),
    }


@pytest.mark.parametrize(
    ("base", "over", "expected"),
    [
        ("optimizer: {adam: {lr: 1, eps: 2}}", "optimizer: {adam: {lr: 3}}", {"adam": {"lr": 3, "eps": 2}}),
        ("optimizer: {adam: {lr: 1}}", "optimizer: {sgd: {momentum: 3}}", {"sgd": {"momentum": 3}}),
        ("optimizer: {adam: {lr: 1}}", "optimizer: sgd", "sgd"),
        ("optimizer: adam", "optimizer: {adam: {lr: 3}}", {"adam": {"lr": 3}}),
    ],
)
def test_another_kind_takes_the_place_of_the_first(tmp_path: Path, base: str, over: str, expected: Any) -> None:
    files(tmp_path, base=base, over=f"extends: base.yaml\n{over}\n")
    assert extended(tmp_path, "over")["optimizer"] == expected


def test_a_nested_component_is_replaced_too(tmp_path: Path) -> None:
    files(
        tmp_path,
        base="data: {source: {sklearn: digits}, split: {test: 0.1}}\nmodel: {init: {normal: 0.1}, input: 3}\n",
        over="extends: base.yaml\ndata: {source: {csv: a.csv}}\nmodel: {init: {uniform: {a: 0}}}\n",
    )
    found = extended(tmp_path, "over")
    assert found["data"] == {"source": {"csv": "a.csv"}, "split": {"test": 0.1}}
    assert found["model"] == {"init": {"uniform": {"a": 0}}, "input": 3}


def test_a_chain_of_bases_is_followed_from_folder_to_folder(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    files(
        tmp_path / "inner",
        base="seed: 1\nname: base\ndescription: d\n",
        middle="extends: base.yaml\nname: middle\n",
    )
    files(tmp_path, over="extends: inner/middle.yaml\nseed: 3\n")
    found = extended(tmp_path, "over")
    assert (found["seed"], found["name"], found["description"]) == (3, "middle", "d")


def test_a_value_knows_which_of_the_files_it_came_from(tmp_path: Path) -> None:
    files(tmp_path, base="seed: 1\nname: a\n", over="extends: base.yaml\nname: b\n")
    root = with_bases(read_document(tmp_path / "over.yaml")).root
    assert str(root.locate(("seed",))) == f"{tmp_path / 'base.yaml'}:1:7"
    assert str(root.locate(("name",))) == f"{tmp_path / 'over.yaml'}:2:7"


def test_null_takes_a_value_of_the_base_away(tmp_path: Path) -> None:
    files(
        tmp_path,
        base="schedule: cosine_annealing\nextends: null\n",
        over="extends: base.yaml\nschedule: null\n",
    )
    assert extended(tmp_path, "over")["schedule"] is None


@pytest.mark.parametrize(
    "texts",
    [
        {"a": "extends: a.yaml\n"},
        {"a": "extends: b.yaml\n", "b": "extends: a.yaml\n"},
        {"a": "extends: b.yaml\n", "b": "extends: c.yaml\n", "c": "extends: ./b.yaml\n"},
    ],
)
def test_a_file_that_extends_itself_in_the_end_is_refused(tmp_path: Path, texts: dict[str, str]) -> None:
    files(tmp_path, **texts)
    assert extending_fails(tmp_path, "a").message == "circular `extends`"


def test_a_chain_as_long_as_allowed_is_read_and_a_longer_one_is_not_called_a_loop(tmp_path: Path) -> None:
    files(tmp_path, f0="seed: 1\n", **{f"f{i}": f"extends: f{i - 1}.yaml\n" for i in range(1, MAX_EXTENDS + 3)})
    assert extended(tmp_path, f"f{MAX_EXTENDS}")["seed"] == 1
    assert (
        extending_fails(tmp_path, f"f{MAX_EXTENDS + 2}").message == f"more than {MAX_EXTENDS} files extend each other"
    )


@pytest.mark.parametrize(
    ("text", "message", "place"),
    [
        ("extends: missing.yaml\n", "cannot read", (1, 10)),
        ("seed: 1\nextends: [a, b]\n", "`extends` names one file", (2, 10)),
        ("extends: 3\n", "`extends` names one file", (1, 10)),
        ("extends: list.yaml\n", "the file it extends is not a spec", (1, 10)),
        ("extends: .\n", "", (1, 10)),
        ('extends: "a\\0b"\n', "cannot read", (1, 10)),
    ],
)
def test_a_base_that_cannot_be_is_reported_at_its_name(
    tmp_path: Path, text: str, message: str, place: tuple[int, int]
) -> None:
    files(tmp_path, over=text, list="- 1\n")
    problem = extending_fails(tmp_path, "over")
    assert problem.message.startswith(message)
    assert problem.place is not None
    assert (problem.place.line, problem.place.column) == place


def test_a_mistake_in_a_base_is_shown_in_the_base(tmp_path: Path) -> None:
    files(tmp_path, base="seed: 1\nseed: 2\n", over="extends: base.yaml\n")
    problem = extending_fails(tmp_path, "over")
    assert problem.message == "'seed' is written twice"
    assert str(problem.place) == f"{tmp_path / 'base.yaml'}:2:1"


# -- settings without their section or kind


@pytest.mark.parametrize(
    ("override", "meant"),
    [
        ("lr=0.1", "optimizer.adam.lr=0.1"),
        ("learning_rate=0.1", "optimizer.adam.lr=0.1"),
        ("optimizer.lr=0.1", "optimizer.adam.lr=0.1"),
        ("optimizer.weight_decay=0.1", "optimizer.adam.weight_decay=0.1"),
        ("epochs=4", "train.epochs=4"),
        ("batch_size=16", "train.batch_size=16"),
        ("freeze=[a]", "model.freeze=[a]"),
        ("features=[a]", "data.features=[a]"),
    ],
)
def test_a_setting_without_its_section_or_kind_leads_to_the_override_that_was_meant(override: str, meant: str) -> None:
    [problem] = problems_of(override)
    assert problem.hint == f"write {meant}"
    assert overridden(meant) != overridden()


def _short_forms() -> list[tuple[str, str, str]]:
    """A section's path, a kind of it, and its main setting, for each family that a section takes one of."""
    families = {
        "data.source": "sources",
        "optimizer": "optimizers",
        "schedule": "schedules",
        "loss": "losses",
        "model.init": "initializers",
        "tracking": "trackers",
        "decision": "decisions",
        "train.average": "averages",
    }
    found = []
    for path, family in families.items():
        for kind in kinds(family):
            main = find(family, kind).main
            if main is not None:
                found.append((path, kind, main))
    return found


@pytest.mark.parametrize(("path", "kind", "main"), _short_forms())
def test_the_main_setting_of_every_kind_may_be_named_where_the_spec_has_its_value_alone(
    path: str, kind: str, main: str
) -> None:
    found = overridden(f"{path}.{kind}=1", f"{path}.{kind}.{main}=2")
    for step in path.split("."):
        found = found[step]
    assert found == {kind: {main: 2}}


@pytest.mark.parametrize("kind", [kind for kind in kinds("layers") if find("layers", kind).main])
def test_so_may_that_of_every_layer_and_another_setting_keeps_it(kind: str) -> None:
    cls = find("layers", kind)
    assert cls.main is not None
    spec = "model: {layers: [{" + kind + ": 1}]}"
    found = overridden(f"model.layers[0].{kind}.{cls.main}=2", text=spec)
    assert found["model"]["layers"] == ({kind: {cls.main: 2}},)
    other = next((name for name in cls.model_fields if name != cls.main), None)
    if other is not None:
        found = overridden(f"model.layers[0].{kind}.{other}=2", text=spec)
        assert found["model"]["layers"] == ({kind: {cls.main: 1, other: 2}},)


SHORT = {
    "patience=3": "train.early_stopping.patience=3",
    "csv=y.csv": "data.source.csv=y.csv",
    "data.path=y.csv": "data.source.csv.path=y.csv",
    "source.csv=y.csv": "data.source.csv=y.csv",
    "stratify=true": "data.split.stratify=true",
    "split.test=0.1": "data.split.test=0.1",
    "sgd=0.1": "optimizer.sgd=0.1",
    "layers[0]=relu": "model.layers[0]=relu",
    "model.layers[0].out_features=3": "model.layers[0].linear.out_features=3",
    "model.layers[0].Linear=3": "model.layers[0].linear=3",
    "optimizer.Adam.lr=1": "optimizer.adam.lr=1",
    "label_smoothing=0.1": "loss.cross_entropy.label_smoothing=0.1",
    "gamma=0.5": "schedule.step.gamma=0.5",
    "tracking.uri=sqlite:///x.db": "tracking.mlflow.uri=sqlite:///x.db",
    "width=8": "vars.width=8",
}


@pytest.mark.parametrize("short", SHORT)
def test_a_setting_without_its_section_or_kind_is_found_wherever_it_belongs(tmp_path: Path, short: str) -> None:
    file = tmp_path / "spec.yaml"
    file.write_text(
        "vars: {width: 4}\n"
        "data: {source: {csv: x.csv}, target: y}\n"
        "model: {layers: [linear: $width, linear: $classes]}\n"
        "loss: cross_entropy\noptimizer: adam\nschedule: {step: {step_size: 2}}\ntracking: {mlflow: {experiment: x}}\n",
        "utf-8",
    )
    document = read_document(file)
    with pytest.raises(SpecError) as caught:
        with_overrides(document, [short])
    (problem,) = caught.value.problems
    assert problem.hint == f"write {SHORT[short]}"
    with_overrides(document, [SHORT[short]])


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        ("model.layers[-1]=relu", "such as train.epochs=50 or model.layers[0]=relu; entries are counted from 0"),
        ("data.preprocess[0]=standardize", "write all of it: data.preprocess=[standardize]"),
    ],
)
def test_an_entry_that_there_is_not_has_a_way_out(tmp_path: Path, wrong: str, hint: str) -> None:
    file = tmp_path / "spec.yaml"
    file.write_text("data: {target: y}\nmodel: {layers: [relu]}\n", "utf-8")
    with pytest.raises(SpecError) as caught:
        with_overrides(read_document(file), [wrong])
    assert [problem.hint for problem in caught.value.problems] == [hint]
