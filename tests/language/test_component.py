"""The one rule: a component is its name, or its name with its settings; and every way to miss it."""

from __future__ import annotations

import subprocess
import sys
from typing import Any, get_args, get_type_hints

import pytest
from pydantic import ValidationError
from strategies import every_kind

from dlrun.language.component import Component, choose, written
from dlrun.language.experiment import Experiment
from dlrun.language.kinds import families, find, kinds, singular, synonyms
from dlrun.language.messages import SettingProblem, field_help, setting_problems
from dlrun.language.suggestions import snake_case
from dlrun.language.synonyms import SETTINGS


def problems_of(family: str, value: Any) -> list[SettingProblem]:
    with pytest.raises(ValidationError) as raised:
        choose(family, value)
    return setting_problems(raised.value)


def only_problem(family: str, value: Any) -> SettingProblem:
    (problem,) = problems_of(family, value)
    return problem


# -- what is right


@pytest.mark.parametrize(
    ("family", "value", "settings"),
    [
        ("layers", "relu", {}),
        ("layers", {"relu": None}, {}),
        ("layers", {"relu": {}}, {}),
        ("layers", {"dropout": 0.1}, {"p": 0.1}),
        ("layers", {"dropout": 1}, {"p": 1.0}),
        ("layers", {"linear": {"out_features": 3, "bias": False}}, {"out_features": 3, "bias": False}),
        ("layers", {"max_pool2d": (2, 3)}, {"kernel_size": (2, 3), "stride": None}),
        ("layers", {"reshape": (1, -1)}, {"shape": (1, -1)}),
        ("optimizers", {"adam": 0.1}, {"lr": 0.1, "betas": (0.9, 0.999)}),
        ("regularizers", {"l2": 1}, {"coefficient": 1.0}),
    ],
)
def test_a_name_or_a_name_with_settings_becomes_a_component(family: str, value: Any, settings: dict[str, Any]) -> None:
    component = choose(family, value)
    assert {name: getattr(component, name) for name in settings} == settings


def test_a_component_is_taken_as_it_is_and_cannot_be_changed() -> None:
    relu = choose("layers", "relu")
    assert choose("layers", relu) is relu
    with pytest.raises(ValidationError, match="frozen"):
        relu.name = "other"  # type: ignore[attr-defined]


def test_a_component_within_a_component_is_read_by_the_same_rule() -> None:
    settings = {"out_features": 2, "init": "zeros", "regularizers": ({"l2": 0.1},)}
    linear: Any = choose("layers", {"linear": settings})
    assert linear.init == choose("initializers", "zeros")
    assert linear.regularizers == (choose("regularizers", {"l2": 0.1}),)


# -- the wrong shape of things


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "a name, or a name with settings, is expected for a layer; received nothing"),
        (3, "a name, or a name with settings, is expected for a layer; received 3"),
        (True, "a name, or a name with settings, is expected for a layer; received true"),
        ({}, "a name, or a name with settings, is expected for a layer; received {}"),
        (("relu",), "a name, or a name with settings, is expected for a layer; received ['relu']"),
    ],
)
def test_what_is_no_name_and_no_mapping_is_refused(value: Any, message: str) -> None:
    assert only_problem("layers", value).message == message


def test_two_keys_are_refused_with_the_way_to_write_two_layers() -> None:
    problem = only_problem("layers", {"linear": 3, "relu": None})
    assert problem.message == "a layer is one name with its settings; found 2 keys: 'linear', 'relu'"
    assert problem.hint == "write each in an entry of its own: `- linear`, then `- relu`"
    assert (problem.path, problem.at_key) == (("relu",), True)


def test_settings_that_are_not_indented_are_refused_with_the_way_to_write_them() -> None:
    problem = only_problem("layers", {"conv2d": None, "out_channels": 3, "kernel_size": 3})
    assert problem.hint == "indent 'out_channels' below 'conv2d', or write `conv2d: {out_channels: …}`"


@pytest.mark.parametrize("value", [1, "x", (1, 2), False])
def test_a_kind_without_settings_takes_none(value: Any) -> None:
    problem = only_problem("metrics", {"accuracy": value})
    assert problem.message.startswith("accuracy has no settings; received ")
    assert problem.hint == "write `accuracy` alone"


# -- names


@pytest.mark.parametrize(
    ("family", "name", "meant"),
    [
        ("layers", "rely", "relu"),
        ("layers", "ReLU", "relu"),
        ("layers", "Conv2D", "conv2d"),
        ("layers", "conv_2d", "conv2d"),
        ("layers", "BatchNorm2d", "batch_norm"),
        ("layers", "MaxPooling2D", "max_pool2d"),
        ("layers", "Dense", "linear"),
        ("layers", "dense", "linear"),
        ("layers", "LSTM", "lstm"),
        ("layers", "GlobalAveragePooling2D", "global_avg_pool"),
        ("layers", "Conv1D", "conv1d"),
        ("layers", "Conv3DTranspose", "conv_transpose3d"),
        ("layers", "DepthwiseConv2D", "depthwise_conv2d"),
        ("layers", "SeparableConv2D", "separable_conv2d"),
        ("layers", "MaxPooling1D", "max_pool1d"),
        ("layers", "AveragePooling3D", "avg_pool3d"),
        ("layers", "GlobalMaxPooling1D", "global_max_pool"),
        ("layers", "UpSampling2D", "upsample"),
        ("layers", "ZeroPadding2D", "pad"),
        ("layers", "Cropping2D", "crop"),
        ("losses", "categorical_crossentropy", "cross_entropy"),
        ("losses", "BCEWithLogitsLoss", "binary_cross_entropy"),
        ("optimizers", "AdamW", "adamw"),
        ("optimizers", "RMSProp", "rmsprop"),
        ("optimizers", "L-BFGS", "lbfgs"),
        ("optimizers", "LBFGS-B", "lbfgs"),
        ("schedules", "CosineAnnealingLR", "cosine_annealing"),
        ("initializers", "glorot_uniform", "xavier_uniform"),
        ("initializers", "HeNormal", "kaiming_normal"),
        ("regularizers", "ridge", "l2"),
    ],
)
def test_another_librarys_word_for_a_kind_is_answered_with_ours(family: str, name: str, meant: str) -> None:
    for value, path in ((name, ()), ({name: 3}, (name,))):
        problem = only_problem(family, value)
        assert problem.message.endswith(f" '{name}'; did you mean '{meant}'?")
        assert (problem.path, problem.at_key) == (path, True)


def test_a_word_like_no_other_gets_no_guess() -> None:
    problem = only_problem("layers", "xyzzy")
    assert (problem.message, problem.hint) == (
        "unknown layer 'xyzzy'",
        "`dlrun kinds layers` lists what there is",
    )


@pytest.mark.parametrize(
    ("family", "kind", "setting", "meant"),
    [
        ("layers", "linear", "units", "out_features"),
        ("layers", "linear", "out_feature", "out_features"),
        ("layers", "linear", "outFeatures", "out_features"),
        ("layers", "linear", "use_bias", "bias"),
        ("layers", "conv2d", "filters", "out_channels"),
        ("layers", "conv2d", "strides", "stride"),
        ("layers", "dropout", "rate", "p"),
        ("layers", "leaky_relu", "alpha", "negative_slope"),
        ("layers", "softmax", "axis", "dim"),
        ("layers", "lstm", "units", "hidden_size"),
        ("optimizers", "adam", "learning_rate", "lr"),
        ("optimizers", "adam", "beta_1", "betas"),
        ("optimizers", "adam", "epsilon", "eps"),
        ("optimizers", "rmsprop", "rho", "alpha"),
        ("regularizers", "l2", "lambda", "coefficient"),
        ("schedules", "cosine_annealing", "t_max", "T_max"),
    ],
)
def test_another_librarys_word_for_a_setting_is_answered_with_ours_alone(
    family: str, kind: str, setting: str, meant: str
) -> None:
    problem = only_problem(family, {kind: {setting: 1, **_needed_beside(family, kind, meant)}})
    assert problem.message == f"unknown setting '{setting}'; did you mean '{meant}'?"
    assert (problem.path, problem.at_key) == ((kind, setting), True)


def _needed_beside(family: str, kind: str, given: str) -> dict[str, Any]:
    fields = find(family, kind).model_fields
    return {name: 3 for name, field in fields.items() if field.is_required() and name != given}


@pytest.mark.parametrize(
    ("kind", "setting", "hint"),
    [
        ("linear", "in_features", "input sizes are inferred and never written"),
        ("conv2d", "in_channels", "input sizes are inferred and never written"),
        ("linear", "activation", "an activation is a layer of its own: put it on the next line, `- relu`"),
        ("dropout", "keep_prob", "`dropout: p` gives the share that is dropped: write p = 1 - keep"),
    ],
)
def test_a_setting_that_has_no_place_here_is_explained(kind: str, setting: str, hint: str) -> None:
    assert only_problem("layers", {kind: {setting: 1, **_needed_beside("layers", kind, "")}}).hint == hint


def test_a_setting_like_no_other_lists_those_there_are() -> None:
    problem = only_problem("layers", {"dropout": {"xyzzy": 1}})
    assert problem.message == "unknown setting 'xyzzy'"
    assert problem.hint == "dropout has name, p"


# -- values


@pytest.mark.parametrize(
    ("value", "message", "path"),
    [
        ({"linear": {}}, "linear needs 'out_features'", ("linear", "out_features")),
        ("linear", "linear needs 'out_features'", ("linear", "out_features")),
        (
            {"linear": "ten"},
            "'out_features' must be a whole number; received 'ten'",
            ("linear", "out_features"),
        ),
        (
            {"linear": "10"},
            "'out_features' must be a whole number; received '10'",
            ("linear", "out_features"),
        ),
        ({"linear": 1.0}, "'out_features' must be a whole number; received 1.0", ("linear", "out_features")),
        (
            {"linear": True},
            "'out_features' must be a whole number; received true",
            ("linear", "out_features"),
        ),
        ({"linear": 0}, "'out_features' must be greater than 0; received 0", ("linear", "out_features")),
        ({"dropout": "half"}, "'p' must be a number; received 'half'", ("dropout", "p")),
        ({"dropout": True}, "'p' must be a number; received true", ("dropout", "p")),
        ({"dropout": 1.5}, "'p' must be at most 1; received 1.5", ("dropout", "p")),
        ({"dropout": float("nan")}, "'p' must be a finite number; received nan", ("dropout", "p")),
        ({"elu": float("inf")}, "'alpha' must be a finite number; received inf", ("elu", "alpha")),
        (
            {"linear": {"out_features": 1, "bias": 1}},
            "'bias' must be true or false; received 1",
            ("linear", "bias"),
        ),
        ({"relu": {"name": 3}}, "'name' must be a text; received 3", ("relu", "name")),
        ({"relu": {"name": "a.b"}}, "'name' cannot be 'a.b'", ("relu", "name")),
        ({"relu": {"name": "a\n"}}, "'name' cannot be 'a\n'", ("relu", "name")),
        ({"max_pool2d": 0}, "a positive whole number is expected; received 0", ("max_pool2d", "kernel_size")),
        (
            {"max_pool2d": (1, 2, 3)},
            "a positive whole number, or a list of 2 of them, is expected; received [1, 2, 3]",
            ("max_pool2d", "kernel_size"),
        ),
        ({"reshape": 3}, "'shape' must be a list; received 3", ("reshape", "shape")),
        ({"reshape": ()}, "'shape' needs at least 1 entry", ("reshape", "shape")),
        ({"reshape": (3, -2)}, "'shape' must be at least -1; received -2", ("reshape", "shape", 1)),
        (
            {"lstm": {"hidden_size": 3, "output": "lst"}},
            "'output' must be 'last' or 'sequence'; received 'lst'; did you mean 'last'?",
            ("lstm", "output"),
        ),
        (
            {"linear": {"out_features": 1, "init": {"normal": {"std": -1}}}},
            "'std' must be at least 0; received -1",
            ("linear", "init", "normal", "std"),
        ),
        (
            {"linear": {"out_features": 1, "regularizers": ({"l2": 1}, {"l1": "x"})}},
            "'coefficient' must be a number; received 'x'",
            ("linear", "regularizers", 1, "l1", "coefficient"),
        ),
        (
            {"residual": {"layers": ({"linear": 3}, "rely")}},
            "unknown layer 'rely'; did you mean 'relu'?",
            ("residual", "layers", 1),
        ),
        (
            {"concat": (("relu",), ({"linear": 0},))},
            "'out_features' must be greater than 0; received 0",
            ("concat", "branches", 1, 0, "linear", "out_features"),
        ),
    ],
)
def test_a_wrong_value_is_reported_in_our_words_at_its_path(value: Any, message: str, path: tuple[Any, ...]) -> None:
    problem = only_problem("layers", value)
    assert problem.message == message
    assert problem.path == path


def test_all_that_is_wrong_with_a_component_is_reported_at_once() -> None:
    value = {"conv2d": {"out_channels": 0, "stride": "x", "dilate": 1, "groups": 1.5}}
    messages = [problem.message for problem in problems_of("layers", value)]
    assert len(messages) == 5
    assert sum("'kernel_size'" in message for message in messages) == 1


# -- discovery


@pytest.mark.parametrize(("family", "kind"), every_kind(*families()))
def test_a_file_holds_the_kind_that_it_is_named_after(family: str, kind: str) -> None:
    cls = find(family, kind)
    assert (cls.family, cls.kind) == (family, kind)
    assert cls.__module__ == ".".join(["dlrun.components", family, *filter(None, [cls.room]), kind])
    assert issubclass(cls, Component)
    assert cls.main is None or cls.main in {field.alias or name for name, field in cls.model_fields.items()}


def test_listing_the_kinds_imports_none_of_them_and_no_torch() -> None:
    program = (
        "import sys; from dlrun.language.kinds import families, kinds\n"
        "assert 'conv2d' in kinds('layers') and len(families()) > 5\n"
        "print([m for m in sys.modules if m == 'torch' or m.startswith('dlrun.components.layers.')])"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"


def test_every_word_of_other_libraries_leads_to_a_kind_or_a_setting_that_there_is() -> None:
    for family in families():
        words = synonyms(family)
        assert {meant.split(":")[0] for meant in words.values()} <= set(kinds(family)), family
        assert not words.keys() & set(kinds(family)), family
        assert all(word == snake_case(word) for word in words), family


def test_every_setting_that_is_suggested_is_a_setting_of_something() -> None:
    there = set(Experiment.model_fields)
    for family, kind in every_kind(*families()):
        there |= {field.alias or name for name, field in find(family, kind).model_fields.items()}
    for section in ("data", "model", "train"):
        there |= set(_section(section).model_fields)
    there |= set(_section("data").model_fields["split"].annotation.model_fields)
    there |= {"patience", "monitor", "min_delta", "vars", "blocks", "extends"}
    suggested = {name for names in SETTINGS.values() for name in names}
    assert suggested - there == set()


def _section(name: str) -> Any:
    annotation = get_type_hints(Experiment)[name]
    return next((inner for inner in get_args(annotation) if inner is not type(None)), annotation)


@pytest.mark.parametrize(
    ("family", "words"),
    [
        ("layers", "a layer"),
        ("losses", "a loss"),
        ("optimizers", "an optimizer"),
        ("initializers", "an initializer"),
        ("preprocess", "a preprocessing step"),
        ("augment", "an augmentation"),
        ("sources", "a data source"),
    ],
)
def test_a_family_has_a_word_for_one_of_its_kinds(family: str, words: str) -> None:
    assert singular(family) == words


# -- writing


def test_a_component_writes_every_setting_that_has_a_value() -> None:
    linear = choose("layers", {"linear": {"out_features": 3, "init": "zeros", "name": "last"}})
    assert linear.written() == {"linear": {"name": "last", "init": {"zeros": {}}, "out_features": 3, "bias": True}}


def test_durations_and_names_of_python_are_written_as_a_spec_has_them() -> None:
    step = choose("schedules", {"step": "10 epochs"})
    assert written(step) == {"of": ["lr"], "warmup": "0 epochs", "step_size": "10 epochs", "gamma": 0.1}
    repeat = choose("layers", {"repeat": {"times": 2, "as": "i", "layers": ("relu",)}})
    assert repeat.written() == {"repeat": {"times": 2, "as": "i", "layers": [{"relu": {}}]}}


def test_the_help_of_a_setting_is_the_text_below_it() -> None:
    help_texts = field_help(find("layers", "dropout"))
    assert help_texts["p"] == "The share that is dropped; 1 - p is kept."
    assert (
        help_texts["name"]
        == "A name for this layer, used in tables, in weight names and in references; it begins with a letter."
    )


@pytest.mark.parametrize(
    ("value", "line"),
    [
        ({"_target_": "torch.nn.Linear", "in_features": 3, "out_features": 4}, "write `linear: {out_features: 4}`"),
        ({"type": "Linear", "out_features": 4}, "write `linear: {out_features: 4}`"),
        ({"class_name": "Dense", "config": {"units": 4}}, "write `linear: {out_features: 4}`"),
        ({"name": "relu"}, "write `relu`"),
        ({"type": "Conv2d", "out_channels": 8, "kernel_size": 3}, "write `conv2d: {out_channels: 8, kernel_size: 3}`"),
    ],
)
def test_another_tools_style_gets_the_line_to_write(value: dict[str, Any], line: str) -> None:
    with pytest.raises(ValidationError) as raised:
        choose("layers", value)
    [problem] = setting_problems(raised.value)
    assert problem.hint == line


def test_a_length_may_be_a_list_of_one_number_as_in_torch() -> None:
    from dlrun.language.resolved import written

    one = choose("layers", {"conv1d": {"out_channels": 2, "kernel_size": [3], "padding": [1]}})
    assert written(one) == written(choose("layers", {"conv1d": {"out_channels": 2, "kernel_size": 3, "padding": 1}}))
