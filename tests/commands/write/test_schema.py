"""The JSON Schema of the language: it accepts valid specs and refuses the mistakes that an editor can see."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
import typer
from jsonschema import Draft202012Validator
from places import ROOT, SHIPPED
from typer.testing import CliRunner

from dlrun.commands.write.schema import schema
from dlrun.language.text.document import parse_text, read_document
from dlrun.views.reference.json_schema import language_schema
from dlrun.views.reference.reference import all_kinds, describe_kind

VALIDATOR = Draft202012Validator(language_schema())
WHOLE = """
name: digits-cnn
seed: 7

data:
  source: {sklearn: digits}
  split: {validation: 0.15, test: 0.15, stratify: true}
  preprocess: [minmax]

model:
  input: [1, 8, 8]
  layers:
    - conv2d: {out_channels: 32, kernel_size: 3, padding: same}
    - batch_norm
    - relu
    - max_pool2d: 2
    - flatten
    - linear: {out_features: 64, regularizers: [l2: 1e-4]}
    - relu
    - dropout: 0.5
    - linear: $classes

loss: cross_entropy
metrics: [accuracy, f1]
optimizer: {adam: {lr: 1e-3}}
schedule: {cosine_annealing: {warmup: 2 epochs}}
train:
  epochs: 30
  batch_size: 64
  early_stopping: {monitor: validation/loss, patience: 5}
"""
PLACES = {
    "layers": "model: {{layers: [{example}]}}",
    "losses": "{{extends: a.yaml, loss: {example}}}",
    "metrics": "{{extends: a.yaml, metrics: [{example}]}}",
    "regularizers": "{{extends: a.yaml, regularizers: [{example}]}}",
    "constraints": "{{extends: a.yaml, constraints: [{example}]}}",
    "optimizers": "{{extends: a.yaml, optimizer: {example}}}",
    "schedules": "{{extends: a.yaml, schedule: {example}}}",
    "initializers": "model: {{layers: [relu], init: {example}}}",
    "preprocess": "{{extends: a.yaml, data: {{preprocess: [{example}]}}}}",
    "augment": "{{extends: a.yaml, data: {{augment: [{example}]}}}}",
    "sources": "{{extends: a.yaml, data: {{source: {example}}}}}",
    "averages": "{{extends: a.yaml, train: {{average: {example}}}}}",
    "trackers": "{{extends: a.yaml, tracking: {example}}}",
    "decisions": "{{extends: a.yaml, decision: {example}}}",
    "baselines": "{{extends: a.yaml, baselines: [{example}]}}",
}


def errors(text: str) -> list[str]:
    """The errors that the schema finds in a YAML text."""
    data = json.loads(json.dumps(parse_text(text, "test").root.plain()))
    return [error.message for error in VALIDATOR.iter_errors(data)]


def with_line(line: str, instead_of: str) -> str:
    assert instead_of in WHOLE
    return WHOLE.replace(instead_of, line)


def model(layers: str) -> str:
    return f"model: {{input: 4, layers: {layers}}}"


def test_it_is_a_schema():
    Draft202012Validator.check_schema(language_schema())


def test_every_reference_in_it_leads_somewhere():
    whole = language_schema()
    pending, seen = [whole], set()
    while pending:
        item = pending.pop()
        if isinstance(item, dict):
            if isinstance(item.get("$ref"), str):
                seen.add(item["$ref"].removeprefix("#/$defs/"))
            pending += item.values()
        elif isinstance(item, list):
            pending += item
    assert seen == whole["$defs"].keys()


def test_the_command_prints_it():
    app = typer.Typer()
    app.command()(schema)
    result = CliRunner().invoke(app, [], catch_exceptions=False)
    assert json.loads(result.output) == language_schema()


def test_a_whole_spec_is_valid():
    assert errors(WHOLE) == []


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_every_shipped_spec_is_valid(path):
    data = json.loads(json.dumps(read_document(path).root.plain()))
    assert [error.message for error in VALIDATOR.iter_errors(data)] == []


@pytest.mark.parametrize(
    "path", sorted((ROOT / "dlrun/commands/write/templates").glob("*.yaml")), ids=lambda path: path.name
)
def test_every_template_is_valid(path):
    assert errors(path.read_text("utf-8")) == []


@pytest.mark.parametrize(("family", "kind"), all_kinds())
def test_each_kinds_example_is_valid(family, kind):
    example = describe_kind(family, kind).example
    written = "{" + example + "}" if ":" in example else example
    assert errors(PLACES[family].format(example=written)) == []


@pytest.mark.parametrize(("family", "kind"), all_kinds())
def test_the_settings_of_a_kind_may_be_an_expression(family, kind):
    assert errors(PLACES[family].format(example=f"{{{kind}: $settings}}")) == []


@pytest.mark.parametrize("path", sorted((ROOT / "specs").glob("*.yaml")), ids=lambda path: path.name)
def test_any_value_of_the_sections_may_be_an_expression(path):
    data = json.loads(json.dumps(read_document(path).root.plain()))
    for section in data.keys() - {"vars", "blocks", "extends"}:
        for changed in with_an_expression(data[section]):
            found = [error.message for error in VALIDATOR.iter_errors(data | {section: changed})]
            assert found == [], changed


def with_an_expression(value: object) -> Iterator[object]:
    """The value with an expression in place of each of its parts, one at a time."""
    yield "$x"
    if isinstance(value, dict):
        for key, part in value.items():
            yield from ({**value, key: changed} for changed in with_an_expression(part))
    elif isinstance(value, list):
        for index, part in enumerate(value):
            yield from ([*value[:index], changed, *value[index + 1 :]] for changed in with_an_expression(part))


def test_what_only_the_language_can_do_is_valid():
    text = """
vars: {width: 8, sizes: [1, 2], kind: relu, rest: [relu, {linear: 2}]}
blocks:
  stage:
    description: two layers
    parameters: {channels: null, kernel: 3}
    layers:
      - conv2d: {out_channels: $channels, kernel_size: [$kernel, 3], name: c-$(1)}
      - $kind
  plain: {layers: [relu]}
model:
  input: [1, 8, 8]
  layers:
    - stage: $width
    - stage: {channels: $(2 * width), name: second}
    - plain
    - plain:
    - residual: [{conv2d: {out_channels: 16, kernel_size: 1, name: inner}}]
    - residual: {layers: [relu], shortcut: $rest}
    - concat: [[], [relu], second, {from: second, layers: [relu]}, {from: second}]
    - concat: {branches: [[]], dim: 0}
    - repeat: {times: 3, as: i, layers: [{linear: $(8 * (i + 1))}]}
    - relu:
    - linear: {out_features: $(4 * width), bias_init: zeros, init: {uniform: {a: -1, b: 1}}}
    - use: second
  freeze: [second.*]
schedule: {step: 10 epochs}
train: {batch_size: full, steps: 100}
"""
    assert errors(text) == []


def test_a_file_that_extends_another_may_be_incomplete_and_no_other():
    partial = "data: {split: {test: 0.2}}\nschedule: {step: {gamma: 0.5}}\nblocks: {b: {parameters: {x: 1}}}\n"
    assert errors("extends: base.yaml\n" + partial) == []
    assert errors(partial + "model: {layers: [relu]}\n")
    assert errors("name: a")
    assert errors(with_line("", "loss: cross_entropy\n"))
    assert errors(with_line("schedule: {step: {gamma: 0.5}}", "schedule: {cosine_annealing: {warmup: 2 epochs}}"))
    assert errors(with_line("  source: csv", "  source: {sklearn: digits}"))


@pytest.mark.parametrize(
    ("line", "instead_of"),
    [
        ("sed: 7", "seed: 7"),
        ("seed: seven", "seed: 7"),
        ("seed: -1", "seed: 7"),
        ("losss: cross_entropy", "loss: cross_entropy"),
        ("loss: cross_entropi", "loss: cross_entropy"),
        ("loss: {cross_entropy: {}, mse: {}}", "loss: cross_entropy"),
        ("loss: {cross_entropy: {smoothing: 0.1}}", "loss: cross_entropy"),
        ("loss: {cross_entropy: {label_smoothing: 2}}", "loss: cross_entropy"),
        ("loss: {mse: [3]}", "loss: cross_entropy"),
        ("optimizer: {adam: {learning_rate: 1e-3}}", "optimizer: {adam: {lr: 1e-3}}"),
        ("optimizer: {adam: {lr: fast}}", "optimizer: {adam: {lr: 1e-3}}"),
        ("optimizer: {adam: {lr: 0}}", "optimizer: {adam: {lr: 1e-3}}"),
        ("optimizer: {adam: {betas: [0.9]}}", "optimizer: {adam: {lr: 1e-3}}"),
        (
            "schedule: {cosine_annealing: {warmup: 2 weeks}}",
            "schedule: {cosine_annealing: {warmup: 2 epochs}}",
        ),
        ("  split: {valid: 0.15}", "  split: {validation: 0.15, test: 0.15, stratify: true}"),
        ("  split: {validation: 1.5}", "  split: {validation: 0.15, test: 0.15, stratify: true}"),
        ("  preprocess: minmax", "  preprocess: [minmax]"),
        ("  source: {sklearn: mnist}", "  source: {sklearn: digits}"),
        ("    - conv2d", "    - batch_norm"),
        ("    - conv2d: 32", "    - batch_norm"),
        ("    - conv2d: {out_channels: 32}", "    - batch_norm"),
        ("    - conv2d: {out_channels: 32, kernel_size: 3, pading: same}", "    - batch_norm"),
        ("    - conv2d: {out_channels: 32, kernel_size: 3, padding: half}", "    - batch_norm"),
        ("    - conv2d: {out_channels: 32, kernel_size: [3, 3, 3]}", "    - batch_norm"),
        ("    - relu: {slope: 1}", "    - relu\n    - max_pool2d: 2"),
        ("    - linear: true", "    - batch_norm"),
        ("    - linear: 1.5", "    - batch_norm"),
        ("    - linear: {out_features: 64, regularizers: [l3: 1]}", "    - batch_norm"),
        ("    - dropout: 1.5", "    - dropout: 0.5"),
        ("    - {relu: , dropout: 0.5}", "    - dropout: 0.5"),
        ("    - concat: [{layers: []}]", "    - dropout: 0.5"),
        ("    - concat: []", "    - dropout: 0.5"),
        ("    - residual: {layers: [relu], shortcuts: []}", "    - dropout: 0.5"),
        ("    - 3", "    - batch_norm"),
        ("  epochs: 0", "  epochs: 30"),
        ("  epochs: many", "  epochs: 30"),
        ("  epoch: 30", "  epochs: 30"),
        ("  batch_size: half", "  batch_size: 64"),
        ("  early_stopping: {pacience: 5}", "  early_stopping: {monitor: validation/loss, patience: 5}"),
    ],
)
def test_a_misspelling_or_a_wrong_type_is_refused(line, instead_of):
    assert errors(with_line(line, instead_of))


def test_the_name_of_a_block_is_not_checked():
    assert errors(model("[{my_block: {anything: [1]}}]")) == []
    assert errors(model("[my_block]")) == []
    assert errors(model("['my block']"))
    assert errors(model("[{'my block': 1}]"))


def test_each_setting_carries_its_help():
    conv2d = language_schema()["$defs"]["layers"]["anyOf"][1]["properties"]["conv2d"]
    assert conv2d["description"].startswith("Slide `out_channels` kernels over an image.")
    settings = conv2d["anyOf"][0]["properties"]
    assert settings["kernel_size"]["description"] == "Height and width of a kernel; one number for both."
    assert settings["stride"]["default"] == [1, 1]
