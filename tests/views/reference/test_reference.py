"""The reference: docstrings and fields as data, and the pages made of them."""

from __future__ import annotations

import importlib.util

import pytest
from places import DOCS

from dlrun.language.kinds import kinds
from dlrun.language.settings_schema import sections
from dlrun.language.text.document import parse_text
from dlrun.views.reference.reference import all_kinds, describe_kind, describe_section
from dlrun.views.reference.type_names import type_name, yaml_name


@pytest.fixture(scope="module")
def pages():
    spec = importlib.util.spec_from_file_location("make_reference", DOCS / "make_reference.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_reference_page_is_current(pages):
    written = (DOCS / "reference.md").read_text("utf-8")
    assert written == pages.reference_text(), "python docs/make_reference.py"


def test_the_schema_in_docs_is_current(pages):
    assert (DOCS / "schema.json").read_text("utf-8") == pages.schema_text(), "python docs/make_reference.py"


@pytest.mark.parametrize(("family", "kind"), all_kinds())
def test_every_kind_has_a_summary_a_reference_and_an_example(family, kind):
    entry = describe_kind(family, kind)
    assert entry.summary.endswith((".", ":"))
    assert entry.reference
    assert entry.example
    node = parse_text(entry.example, kind).root
    named = node.value if isinstance(node.value, str) else next(iter(node.value))
    assert named == kind


@pytest.mark.parametrize(("family", "kind"), all_kinds())
def test_every_setting_has_help_and_a_type_in_words(family, kind):
    entry = describe_kind(family, kind)
    for setting in (*entry.settings, *entry.common):
        assert setting.help, setting.name
        assert setting.type not in ("", "anything"), setting.name
        if setting.default is not None:
            parse_text(setting.default, setting.name)


def test_every_setting_of_every_section_has_help():
    for section in sections():
        assert describe_section(section).summary
        for setting in describe_section(section).settings:
            assert setting.help, f"{section}.{setting.name}"


def test_the_docstrings_parts_are_separated():
    entry = describe_kind("losses", "binary_cross_entropy")
    assert entry.summary == "Minus the log of the predicted probability of the correct label, for binary targets."
    assert entry.description.startswith("After a final `sigmoid` the outputs are probabilities")
    assert entry.shape.endswith("-(pos_weight*y*log(p) + (1 - y)*log(1 - p))")
    assert entry.example == "binary_cross_entropy: {pos_weight: 2}"


def test_the_shared_settings_of_a_family_are_separate_from_a_kinds_own():
    entry = describe_kind("layers", "linear")
    assert [setting.name for setting in entry.settings] == ["out_features", "bias", "tied_to"]
    assert [setting.name for setting in entry.common] == ["name", "init", "bias_init", "regularizers", "constraints"]
    merge = describe_kind("layers", "concat")
    assert [setting.name for setting in merge.settings] == ["branches", "dim"]
    assert merge.settings[0].main
    penalty = describe_kind("regularizers", "orthogonal")
    assert [setting.name for setting in penalty.settings] == ["coefficient"]


def test_a_setting_is_called_as_a_spec_writes_it():
    names = [setting.name for setting in describe_kind("layers", "repeat").settings]
    assert "as" in names and "counter" not in names


def test_all_families_are_described():
    assert {family for family, _ in all_kinds()} >= {"layers", "losses", "optimizers", "sources", "metrics"}
    assert len(all_kinds()) == len(set(all_kinds()))
    assert kinds("layers")


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "integer", "exclusiveMinimum": 0}, "positive whole number"),
        ({"type": "integer", "minimum": 1}, "positive whole number"),
        ({"type": "integer", "minimum": 0}, "whole number from 0 on"),
        ({"type": "integer"}, "whole number"),
        ({"type": "number", "exclusiveMinimum": 0}, "positive number"),
        ({"type": "number", "minimum": 0, "exclusiveMaximum": 1}, "number from 0 to below 1"),
        ({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}, "positive number below 1"),
        ({"type": "number", "maximum": 3}, "number up to 3"),
        ({"type": "boolean"}, "true or false"),
        ({"enum": ["a", "b", "c"]}, "a, b or c"),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, "text"),
        ({"type": "array", "items": {"$ref": "#/$defs/losses"}}, "list of losses"),
        ({"type": "array", "items": {"type": "number", "minimum": 0}}, "list of numbers from 0 on"),
        (
            {"type": "object", "additionalProperties": {"type": "integer"}},
            "mapping from names to whole numbers",
        ),
        ({}, "anything"),
        (
            {
                "anyOf": [
                    {"type": "integer", "minimum": 1},
                    {
                        "type": "array",
                        "items": {"type": "integer", "minimum": 1},
                        "minItems": 3,
                        "maxItems": 3,
                    },
                ]
            },
            "positive whole number, or a list of 3",
        ),
    ],
)
def test_a_type_is_described_in_words(schema, words):
    assert type_name(schema) == words


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1e-5, "1e-5"),
        (1e16, "1e16"),
        (0.1, "0.1"),
        (True, "true"),
        (None, "null"),
        ("*", '"*"'),
        ("", '""'),
        ("no", "no"),
        ("1", '"1"'),
        ("validation/loss", "validation/loss"),
        ([0.9, 0.999], "[0.9, 0.999]"),
        ({"a": [1]}, "{a: [1]}"),
    ],
)
def test_a_value_is_written_as_yaml_and_read_back_the_same(value, text):
    assert yaml_name(value) == text
    plain = parse_text(text, "test").root.plain()
    assert (list(plain) if isinstance(value, list) else plain) == value or isinstance(value, dict)
