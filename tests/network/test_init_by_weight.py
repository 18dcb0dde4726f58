"""`model.init` as a mapping: each weight starts from the first entry that fits it."""

from __future__ import annotations

import networks
import pytest
import torch
from pydantic import ValidationError

from dlrun.checks.reading import read
from dlrun.language.component import written
from dlrun.language.experiment import ModelSection
from dlrun.language.kinds import kinds
from dlrun.language.messages import setting_problems
from dlrun.language.resolved import as_yaml
from dlrun.language.text.document import parse_text

LAYERS = """
  layers:
    - gru: {hidden_size: 3, name: memory}
    - layer_norm
    - linear: {out_features: 4, name: first}
    - linear: {out_features: 4, name: own, init: {constant: 9}}
    - linear: {out_features: 2, name: last}
"""


def weights(init: str, seed: int = 3) -> dict[str, torch.Tensor]:
    torch.manual_seed(seed)
    return dict(networks.built(f"\n  input: [5, 2]\n  init: {init}{LAYERS}").state_dict())


def test_the_first_entry_that_fits_fills_a_weight() -> None:
    found = weights('{"*.weight_hh*": {constant: 1}, gru: {constant: 2}, last: {constant: 3}, linear: {constant: 4}}')
    values = {name: value.unique().tolist() for name, value in found.items() if name.rpartition(".")[2] != "bias"}
    assert values["memory.weight_hh_l0"] == [1]
    assert values["memory.weight_ih_l0"] == [2]
    assert values["last.weight"] == [3]
    assert values["first.weight"] == [4]
    assert values["own.weight"] == [9]


def test_what_no_entry_fits_starts_as_in_torch_and_so_do_biases_and_scales() -> None:
    found, plain = weights("{last: zeros}"), weights("{last: ones}")
    assert not found["last.weight"].any()
    for name in found:
        assert torch.equal(found[name], plain[name]) is (name != "last.weight")


def test_one_pattern_for_all_weights_gives_the_bits_of_the_plain_form() -> None:
    mapped, plain = weights('{"*": orthogonal}'), weights("orthogonal")
    assert all(torch.equal(mapped[name], plain[name]) for name in plain)


def test_a_weight_that_an_initializer_does_not_suit_goes_to_the_next_entry() -> None:
    torch.manual_seed(3)
    model = """
  input: [3, 8, 8]
  init: {"*": dirac, linear: {constant: 5}}
  layers: [{conv2d: {out_channels: 3, kernel_size: 3, name: kernels}}, flatten, {linear: {out_features: 2, name: last}}]
"""
    found = networks.built(model).state_dict()
    assert torch.equal(found["kernels.weight"], torch.nn.init.dirac_(torch.empty(3, 3, 3, 3)))
    assert (found["last.weight"] == 5).all()


@pytest.mark.parametrize("written_init", ["{uniform: {a: -1, b: 1}}", "{normal: 0.5}", "kaiming_normal"])
def test_an_initializer_with_settings_stays_one(written_init: str) -> None:
    reading = read(parse_text(f"model: {{input: 3, init: {written_init}, layers: [linear: 2]}}", "spec.yaml"))
    assert not reading.problems
    assert reading.sections["model"].init.family == "initializers"


def test_no_kind_of_layer_has_the_name_of_an_initializer() -> None:
    assert not set(kinds("layers")) & set(kinds("initializers"))


def test_a_mapping_that_is_written_again_reads_back_as_itself() -> None:
    text = 'model: {input: 3, init: {linear: {normal: 0.5}, "*": ones}, layers: [linear: 2]}'
    model = read(parse_text(text, "spec.yaml")).sections["model"]
    again = read(parse_text(as_yaml({"model": written(model)}), "spec.yaml")).sections["model"]
    assert again.init == model.init
    assert list(again.init) == ["linear", "*"]


@pytest.mark.parametrize("word", ["kaiming_norml", "HeNormal", "xavier"])
def test_a_misspelt_initializer_with_settings_is_told_as_one(word: str) -> None:
    with pytest.raises(ValidationError) as raised:
        ModelSection.read({"layers": ({"linear": 2},), "init": {word: {}}})
    assert f"unknown initializer '{word}'; did you mean" in setting_problems(raised.value)[0].message
