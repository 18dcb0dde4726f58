"""What a resolved spec says is what the spec says that it was made of."""

from decimal import Decimal
from pathlib import Path
from typing import Any, get_args

import pytest
import safetensors.torch
from hypothesis import assume, given
from hypothesis import strategies as st
from networks import built
from pydantic import ValidationError
from strategies import draws, settings_of

from dlrun.checks.check import check
from dlrun.errors import SpecError
from dlrun.language.component import Component, Settings, choose, written
from dlrun.language.experiment import Checkpoint, Experiment
from dlrun.language.resolved import as_yaml, flattened, resolved
from dlrun.language.text.document import parse_text
from dlrun.language.text.expansion import Expander
from dlrun.language.text.expressions import ExpressionError

DATA = """
data: {source: {sklearn: iris}, preprocess: [%s]}
loss: cross_entropy
optimizer: adam
train: {epochs: 1}
"""
SPECS = {
    "without the input's shape": (DATA % "", "model: {layers: [{linear: $classes}]}"),
    "with it": (DATA % "", "model: {input: [2, 2], layers: [flatten, {linear: $classes}]}"),
    "behind a projection": (DATA % "pca: 2", "model: {layers: [{linear: $classes}]}"),
    "with weights to start from": (DATA % "", "model: {weights: w.safetensors, layers: [{linear: $classes}]}"),
}


@pytest.mark.parametrize("case", SPECS)
def test_settings_are_the_same_once_a_spec_is_resolved(case: str, tmp_path: Path) -> None:
    weights = built("{input: [4], layers: [{linear: 3}]}").state_dict()
    safetensors.torch.save_file(weights, tmp_path / "w.safetensors")
    first = tmp_path / "spec.yaml"
    first.write_text("".join(SPECS[case]))
    (tmp_path / "elsewhere").mkdir()
    second = tmp_path / "elsewhere" / "resolved.yaml"
    settings = []
    for file in (first, second):
        checked = check(file, training=True)
        given = checked.experiment, checked.reading.folder, checked.plan.input_shapes
        second.write_text(as_yaml(resolved(*given)))
        settings.append(flattened(*given))
    assert settings[0] == settings[1]
    assert settings[0]["model.input"] == {"with it": "[2, 2]", "behind a projection": "[2]"}.get(case, "[4]")


def read_back(value: Any, file: Path = Path("resolved.yaml")) -> Any:
    """A value once it was written as YAML and read, expressions put in."""

    def no_data(name: str, of: str = "") -> int:
        raise ExpressionError(f"no data says ${name}")

    expander = Expander(parse_text(as_yaml({"it": value}), file.name, file).root, no_data)
    found = expander.section("it").plain()
    assert not expander.problems
    return found


SPECIAL = "\x00\x07\x1b\t\n\r \x7f\x85\xa0\u2028\u2029\ufeff\ufffe\uffff\U0001f600'\"\\:#-?$()&*!|>%@`,[]{}0.e~ny"
TEXTS = st.text(st.sampled_from(SPECIAL) | st.characters(exclude_categories=("Cs",)), max_size=200)


@draws(2000)
@given(TEXTS)
def test_every_text_is_read_back_as_value_and_as_key(text: str) -> None:
    assert read_back([text]) == (text,)
    assert read_back({text.replace("$", "")[:20]: 1}) == {text.replace("$", "")[:20]: 1}


@pytest.mark.parametrize("character", [*map(chr, range(0x100)), *"\u2027\u2028\u2029\u202e\ud7ff\ue000\ufeff\ufffd"])
def test_every_character_is_read_back_alone_and_at_the_end_of_a_long_line(character: str) -> None:
    texts = [character, f"a{character}", f"{character}a", f"a {character} b", 60 * "word " + character, character * 3]
    assert read_back(texts) == tuple(texts)


@draws(500)
@given(st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**63), 2**64) | st.booleans() | st.none())
def test_every_number_is_read_back_with_all_its_digits(number: Any) -> None:
    found = read_back([number])[0]
    assert (type(found), repr(found)) == (type(number), repr(number))


def test_texts_that_look_like_something_else_stay_texts() -> None:
    texts = [
        "true",
        "yes",
        "null",
        "~",
        "",
        "1",
        "1e3",
        "0x1f",
        ".inf",
        "2026-01-01",
        "1_000",
        "- a",
        "a: b",
        "$x",
        "$$",
    ]
    assert read_back(texts) == tuple(texts)
    import yaml

    assert yaml.safe_load(as_yaml({"it": texts[:-2]})) == {"it": texts[:-2]}


def sections() -> list[type[Settings]]:
    """The sections of a spec, and the groups of settings within them."""
    found: list[type[Settings]] = [Experiment]
    for section in found:
        for field in section.model_fields.values():
            for kind in (field.annotation, *get_args(field.annotation)):
                if isinstance(kind, type) and issubclass(kind, Settings) and not issubclass(kind, Component):
                    found.append(kind)
    return [section for section in found if section is not Experiment]


@pytest.mark.parametrize("section", sections(), ids=lambda section: section.__name__)
def test_every_section_with_any_settings_is_read_back_as_it_was(section: type[Settings]) -> None:
    @draws(150)
    @given(settings_of(section))
    def holds(value: Settings) -> None:
        assert section.read(read_back(written(value))) == value

    holds()


@pytest.mark.parametrize(
    "every",
    ["1 epoch", "7 steps", "1 step", "90 seconds", "0.1 seconds", "2.5 minutes", "5 minutes", "1 hour", "1.5 hours",
     "100000 hours", "100000.7 minutes", "123456789.123456789 seconds", "0.00000000000000000000000000001234567 hours",
     "2562047788015215 hours", "9223372036854775807 steps"],
)  # fmt: skip
def test_an_interval_is_read_back_as_it_was(every: str) -> None:
    section = Checkpoint.read({"every": every})
    assert Checkpoint.read(read_back(written(section))) == section


@draws(1000)
@given(st.integers(0, 10**13) | st.floats(0, 10**13), st.sampled_from(["second", "minute", "hour", "step", "epoch"]))
def test_every_interval_is_read_back_as_it_was(count: float, unit: str) -> None:
    count = int(count) if unit in ("step", "epoch") else count
    assume(count > 0)
    section = Checkpoint.read({"every": f"{Decimal(repr(count)):f} {unit}s"})
    assert Checkpoint.read(read_back(written(section))) == section


@draws(1000)
@given(st.integers(0, 2**62) | st.floats(0, 10**15))
def test_every_duration_is_read_back_as_it_was(count: float) -> None:
    warmup = choose("schedules", {"exponential": {"gamma": 0.9, "warmup": count}})
    assert choose("schedules", read_back(warmup.written())) == warmup


@pytest.mark.parametrize("every", ["1e3 steps", "0 hours", f"{10**400} steps", "9300000000000000000 seconds"])
def test_an_interval_that_is_none_is_refused(every: str) -> None:
    with pytest.raises(ValidationError):
        Checkpoint.read({"every": every})


LONG = "name: x\nmodel: {input: 4, layers: [{repeat: {times: 6000, layers: [{linear: 4}, relu]}}]}"
DEEP = "".join(f"  b{index}:\n    layers:\n      - b{index + 1}\n" for index in range(60))
DEEP = f"name: x\nblocks:\n{DEEP}  b60: {{layers: [relu]}}\nmodel: {{input: 4, layers: [b0]}}"
LATE = "".join(DATA) % "pca: 0.95" + "model: {layers: [{linear: 5}, {linear: $classes}]}"


@pytest.mark.parametrize("text", [LONG, DEEP], ids=["long", "deep"])
def test_a_resolved_spec_may_be_longer_and_deeper_than_one_that_is_written_by_hand(text: str, tmp_path: Path) -> None:
    first, second = tmp_path / "spec.yaml", tmp_path / "resolved.yaml"
    first.write_text(text)
    checked = check(first)
    again = as_yaml(resolved(checked.experiment, tmp_path, checked.plan.input_shapes))
    second.write_text(again)
    read = check(second)
    assert as_yaml(resolved(read.experiment, tmp_path, read.plan.input_shapes)) == again
    third = tmp_path / "other.yaml"
    third.write_text(again)
    with pytest.raises(SpecError, match=r"larger than 1 MiB|nested more than 100 levels deep"):
        check(third)


def test_a_size_that_fitting_decides_may_be_written_up_to_the_largest(tmp_path: Path) -> None:
    file = tmp_path / "spec.yaml"
    for size in (1, 2, 4):
        file.write_text(LATE.replace("{layers", f"{{input: {size}, layers"))
        assert check(file, training=True).plan.input_shapes == {"input": (size,)}
    file.write_text(LATE.replace("{layers", "{input: 5, layers"))
    with pytest.raises(SpecError, match="has 5 numbers, and a row has at most 4"):
        check(file, training=True)
