"""Every component of every family: what it writes of itself reads back, and its docstring is complete."""

from __future__ import annotations

import re
from importlib import import_module
from typing import Any

import pytest
from hypothesis import given
from pydantic import ValidationError
from strategies import components, draws, every_kind

from dlrun.checks.reading import read
from dlrun.components.losses._binary import BinaryLoss
from dlrun.components.losses._classes import ClassesLoss
from dlrun.components.losses._compared import ComparingLoss
from dlrun.components.metrics._class_score import ClassScore
from dlrun.components.metrics._of_class import OfClass
from dlrun.language.component import choose
from dlrun.language.kinds import families, find, kinds
from dlrun.language.messages import field_help, setting_problems
from dlrun.language.resolved import as_yaml
from dlrun.language.text.document import parse_text
from dlrun.language.text.expansion import Expander
from dlrun.language.text.expressions import ExpressionError

EVERY_KIND = every_kind(*families())


def section(text: str, name: str) -> str:
    """What a docstring says after `name:`, up to the next such word."""
    found = re.search(rf"^{name}:\s*(.*?)(?=^[A-Z][a-z]+:|\Z)", text, re.MULTILINE | re.DOTALL)
    return found[1].strip() if found else ""


def documentation(family: str, kind: str) -> str:
    return find(family, kind).__doc__ or ""


def dedented(text: str) -> str:
    return "\n".join(line.removeprefix("    ") for line in text.split("\n"))


def read_section(text: str) -> Any:
    """The value of `it` in a document, expressions put in."""

    def no_data(name: str, of: str = "") -> int:
        raise ExpressionError(f"no data says ${name}")

    expander = Expander(parse_text(text, "spec.yaml").root, no_data)
    value = expander.section("it").plain()
    assert not expander.problems
    return value


@pytest.mark.parametrize(("family", "kind"), EVERY_KIND)
def test_what_a_component_writes_of_itself_reads_back_as_the_same_component(family: str, kind: str) -> None:
    @draws(60)
    @given(components(family, kind))
    def holds(component: Any) -> None:
        text = as_yaml({"it": component.written()})
        assert choose(family, read_section(text)) == component

    holds()


@pytest.mark.parametrize(("family", "kind"), EVERY_KIND)
def test_a_docstring_has_a_summary_a_reference_and_an_example(family: str, kind: str) -> None:
    text = dedented(documentation(family, kind))
    summary = text.split("\n\n")[0]
    assert summary.rstrip().endswith((".", ".)"))
    assert not re.match(r"[A-Z][a-z]+:", summary)
    assert section(text, "Reference")
    assert section(text, "Example")


@pytest.mark.parametrize("kind", kinds("layers"))
def test_a_layers_docstring_tells_its_shapes(kind: str) -> None:
    assert section(dedented(documentation("layers", kind)), "Shape")


@pytest.mark.parametrize(("family", "kind"), EVERY_KIND)
def test_every_setting_is_explained(family: str, kind: str) -> None:
    cls = find(family, kind)
    as_validation_error = field_help(cls)
    assert {name for name in cls.model_fields if not as_validation_error.get(name, "").endswith((".", ".)"))} == set()


@pytest.mark.parametrize(("family", "kind"), [pair for pair in EVERY_KIND if pair[0] != "layers"])
def test_the_example_is_a_component_of_its_kind(family: str, kind: str) -> None:
    example = section(dedented(documentation(family, kind)), "Example")
    indented = example.replace("\n", "\n  ")
    assert choose(family, read_section(f"it:\n  {indented}\n")).kind == kind


@pytest.mark.parametrize("kind", kinds("layers"))
def test_a_layers_example_is_right_in_a_list_of_layers(kind: str) -> None:
    example = section(dedented(documentation("layers", kind)), "Example").replace("\n", "\n      ")
    assert re.match(rf"{kind}\b", example)
    document = parse_text(f"model:\n  input: [8]\n  layers:\n    - {example}\n", "spec.yaml")
    reading = read(document)
    assert not reading.problems
    assert len(reading.sections["model"].layers) == 1


@pytest.mark.parametrize(("family", "kind"), EVERY_KIND)
def test_a_setting_that_no_kind_has_is_refused_at_its_name(family: str, kind: str) -> None:
    with pytest.raises(ValidationError) as raised:
        choose(family, {kind: {"no_such_setting": 1}})
    problems = setting_problems(raised.value)
    assert any(p.path == (kind, "no_such_setting") and p.at_key for p in problems)


@pytest.mark.parametrize(("family", "kind"), EVERY_KIND)
def test_the_main_setting_may_stand_alone_and_a_kind_without_settings_takes_none(family: str, kind: str) -> None:
    main = find(family, kind).main
    compared: list[Any] = []

    @draws(30)
    @given(components(family, kind))
    def holds(component: Any) -> None:
        (settings,) = component.written().values()
        value = settings.get(main)
        if value is not None and not isinstance(value, dict):
            by_name = attempt(family, read_section(as_yaml({"it": {kind: {main: value}}})))
            by_itself = attempt(family, read_section(as_yaml({"it": {kind: value}})))
            assert by_itself == by_name
            compared.append(by_name)

    if main is None:
        assert attempt(family, {kind: 1}) == [f"{kind} has no settings; received 1"]
    else:
        holds()
        assert compared


def attempt(family: str, value: Any) -> Any:
    """The component, or all that is wrong."""
    try:
        return choose(family, value)
    except ValidationError as error:
        return [problem.message for problem in setting_problems(error)]


@pytest.mark.parametrize(("family", "kind"), EVERY_KIND)
def test_the_main_setting_is_the_first_that_the_kind_has_beyond_its_family(family: str, kind: str) -> None:
    cls = find(family, kind)
    shared = import_module(f"dlrun.components.{family}").__dict__.values()
    bases = [base for base in cls.__mro__ if base in shared and base is not cls]
    bases += [base for base in (OfClass, ClassScore, ClassesLoss, ComparingLoss, BinaryLoss) if issubclass(cls, base)]
    common = {name for base in bases for name in base.model_fields} - {cls.main}
    own = [name for name in cls.model_fields if name not in common]
    assert cls.main == ((cls.model_fields[own[0]].alias or own[0]) if own else None)


@pytest.mark.parametrize(("family", "kind"), EVERY_KIND)
def test_no_setting_is_0_or_infinite_in_float32_alone(family: str, kind: str) -> None:
    @draws(5)
    @given(components(family, kind))
    def holds(component: Any) -> None:
        settings = {name: getattr(component, name) for name in component.model_fields_set}
        for name, value in component:
            for wrong in (1e-60, -1e-60, 1e300, -1e300):
                if isinstance(value, float):
                    changed: Any = wrong
                elif isinstance(value, tuple) and any(isinstance(entry, float) for entry in value):
                    changed = (*value[:-1], wrong)
                else:
                    continue
                assert choose(family, {kind: settings}) == component
                with pytest.raises(ValidationError) as caught:
                    choose(family, {kind: settings | {name: changed}})
                assert name in str(setting_problems(caught.value)), (name, wrong)

    holds()
