"""Any word names a layer, an input or an output: what torch reserves is changed inside its modules alone."""

from __future__ import annotations

import builtins
import copy
import keyword
import re
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from torch import fx, nn

from dlrun.checks.check import check
from dlrun.errors import SpecError
from dlrun.language.resolved import as_yaml, resolved
from dlrun.network.files import Weights, load_network, write_weights
from dlrun.network.names import torch_name
from dlrun.network.preprocessing import as_tensors
from dlrun.plan.weights import expected
from dlrun.runs import folder as run_folder
from dlrun.training.lifecycle.columns import columns
from dlrun.training.penalties import WeightPenalty
from tests.networks import built, plan_of, train, two_ways

PROBE = fx.GraphModule(nn.Module(), fx.Graph())
WORDS = {*dir(torch.Tensor), *dir(nn.Module()), *dir(PROBE), *keyword.kwlist, *keyword.softkwlist, *dir(builtins)}
WORDS |= {
    "self",
    "Self",
    "__self__",
    "device",
    "inf",
    "nan",
    "NoneType",
    "torch",
    "flatten_1",
    "given0",
    "v0",
    "computed",
}
WORDS |= {"input", "output", "preprocess", "to_", "To", "type_", "class_", "class__", "a", "A", "add_1", "relu_1"}
NAMES = sorted(word for word in WORDS if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,59}", word))
PARTS = [NAMES[start : start + 150] for start in range(0, len(NAMES), 150)]


def _spec(model: str, data: str = "features: x, target: y", loss: str = "mse", rest: str = "") -> str:
    return f"""
        data: {{source: {{npz: rows.npz}}, {data}, split: {{validation: 0.2, test: 0.2}}}}
        model: {model}
        loss: {loss}
        optimizer: {{sgd: 1e-3}}
        train: {{epochs: 3, batch_size: 8}}
        tracking: off
        {rest}
    """


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    draw = np.random.default_rng(0)
    np.savez(tmp_path / "rows.npz", x=draw.normal(size=(80, 2)), y=draw.normal(size=80), z=draw.normal(size=(80, 2)))
    return tmp_path


def _same_names(folder: Path, done) -> None:
    """Write what was trained; the files, the loaded network and the plan have the same names."""
    network, plan = done.ready.network, done.ready.plan
    assert expected(plan).keys() <= network.state_dict().keys()
    (folder / "run").mkdir()
    experiment, shapes = done.ready.checked.experiment, plan.input_shapes
    (folder / "run" / run_folder.RESOLVED).write_text(as_yaml(resolved(experiment, folder, shapes)))
    run_folder.write_tensors(folder / "run" / run_folder.FITTED, as_tensors(done.ready.fitted), {})
    held = Weights(network.state_dict(), 1)
    run_folder.write_json(folder / "run" / run_folder.COLUMNS, columns(done.ready))
    write_weights(folder / "run", plan, done.ready.fitted, held, held)
    stored = safetensors.torch.load_file(folder / "run" / run_folder.BEST)
    assert stored.keys() >= expected(plan).keys()
    loaded = load_network(folder / "run")
    assert loaded.state_dict().keys() == stored.keys()
    given = [torch.randn(3, *entry.raw) for entry in plan.inputs]
    assert all(torch.equal(loaded.state_dict()[name], value) for name, value in stored.items())
    twin = copy.deepcopy(loaded)
    twin.load_state_dict(stored)
    one, other = loaded(*given), twin(*given)
    by_name = {entry.name: value for entry, value in zip(plan.inputs, given, strict=True)}
    self_given = by_name.pop("self", None)  # in Python no call can give an argument of that name to a method
    again = loaded(**by_name) if self_given is None else one
    results = [next(iter(out.values())) if isinstance(out, dict) else out for out in (one, other, again)]
    assert torch.equal(results[0], results[1]) and torch.equal(results[0], results[2])


@pytest.mark.parametrize("names", PARTS, ids=lambda names: names[0])
def test_any_word_names_a_layer(names: list[str], rows: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    layers = ", ".join(f"{{scaled_tanh: {{name: '{name}'}}}}" for name in names)
    model = f"{{layers: [{layers}, linear: 1]}}"
    assert any(code is not None for code in two_ways(rows, _spec(model), monkeypatch))
    assert [step.name for step in plan_of(f"{{input: [2], layers: [{layers}]}}").layers] == names


@pytest.mark.parametrize("names", PARTS, ids=lambda names: names[0])
def test_the_weights_of_a_layer_have_its_name(names: list[str], rows: Path) -> None:
    layers = ", ".join(f"{{linear: {{name: '{name}', out_features: 2}}}}" for name in names)
    penalty = f"regularizers: [l2: {{coefficient: 1e-4, weights: '{names[3]}.weight'}}]"
    model = f"{{freeze: ['{names[0]}', '{names[1]}.w*'], layers: [{layers}, linear: 1]}}"
    done = train(rows, _spec(model, rest=penalty))
    frozen = [f"{names[0]}.weight", f"{names[0]}.bias", f"{names[1]}.weight"]
    assert done.ready.plan.frozen == set(frozen)
    held = done.ready.network.state_dict(keep_vars=True)
    assert [name for name, value in held.items() if not value.requires_grad] == frozen
    (penalty,) = done.ready.task.penalties
    assert isinstance(penalty, WeightPenalty)
    ((_, penalized),) = penalty.weights
    assert penalized is held[f"{names[3]}.weight"]
    assert {f"{name}.weight" for name in names} <= held.keys()
    _same_names(rows, done)


@pytest.mark.parametrize("names", PARTS, ids=lambda names: names[0])
def test_any_word_names_a_block_and_is_used_again(names: list[str], rows: Path) -> None:
    inner = zip(names, reversed(names), strict=True)
    layers = ", ".join(f"{{sequential: {{name: '{a}', layers: [{{prelu: {{name: '{b}'}}}}]}}}}" for a, b in inner)
    used = f"{{use: '{names[0]}'}}, {{residual: [{{input: '{names[1]}'}}, {{use: {{layer: '{names[2]}'}}}}]}}"
    done = train(rows, _spec(f"{{layers: [{layers}, {used}, linear: 1]}}"))
    assert f"{names[0]}.{names[-1]}.weight" in done.ready.network.state_dict()
    _same_names(rows, done)


def test_any_word_names_a_layer_in_repeats_and_branches(rows: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["class", "in", "from", "forward", "self", "training", "__dict__", "flatten_1"]
    layers = ", ".join(f"{{linear: {{name: '{word}', out_features: 2}}}}" for word in words)
    model = (
        f"{{layers: [{{repeat: {{times: 2, layers: [{layers}, flatten]}}}}, {{concat: [[{layers}], []]}}, linear: 1]}}"
    )
    assert any(code is not None for code in two_ways(rows, _spec(model), monkeypatch))
    assert "concat_1.class.weight" in train(rows, _spec(model)).ready.network.state_dict()


@pytest.mark.parametrize("names", PARTS, ids=lambda names: names[0])
def test_any_word_names_an_input_and_an_output(names: list[str], rows: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    features = ", ".join(f"'{name}': {'x' if index % 2 else 'z'}" for index, name in enumerate(names))
    outs = [f"out_{index}" for index in range(len(names))]
    first = f"{{input: '{names[0]}'}}, {{concat: [{', '.join(repr(name) for name in names)}]}}"
    model = f"{{layers: [{first}, linear: 1]}}"
    codes = two_ways(rows, _spec(model, f"features: {{{features}}}, target: y"), monkeypatch)
    assert any(code is not None for code in codes)
    done = train(rows, _spec(model, f"features: {{{features}}}, target: y"))
    values = [torch.full((1, 2), float(index)) for index in range(len(outs))]
    weight = done.ready.network.state_dict()["linear_1.weight"].double()
    bias = done.ready.network.state_dict()["linear_1.bias"].double()
    wanted = torch.cat(values, 1).double() @ weight.T + bias  # each argument reaches its own place
    torch.testing.assert_close(done.ready.network(*values).double(), wanted, rtol=1e-5, atol=1e-5)
    _same_names(rows, done)


@pytest.mark.parametrize("names", PARTS, ids=lambda names: names[0])
def test_any_word_names_an_output(names: list[str], rows: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = names[::5]
    layers = ", ".join(f"{{input: stem}}, {{linear: {{name: '{name}', out_features: 1}}}}" for name in names)
    stem = "linear: {name: stem, out_features: 3}"
    model = f"{{outputs: [{', '.join(map(repr, names))}], layers: [{stem}, {layers}]}}"
    losses = ", ".join(f"mse: {{output: '{name}'}}" for name in names)
    text = _spec(model, loss=f"[{losses}]", rest=f"metrics: [mae: {{output: '{names[0]}'}}]")
    assert any(code is not None for code in two_ways(rows, text, monkeypatch))
    done = train(rows, text)
    assert list(done.ready.network(torch.ones(1, 2))) == names
    assert f"validation/{names[0]}/mae" in done.epochs[0]
    _same_names(rows, done)


def test_a_layer_named_like_the_preprocessing_stays_apart_from_it(rows: Path) -> None:
    inner = "{sequential: {name: preprocess, layers: [{linear: {name: standardize_1, out_features: 2}}]}}"
    model = f"{{layers: [{inner}, {{linear: {{name: preprocess_, out_features: 2}}}}, linear: 1]}}"
    done = train(rows, _spec(model, "features: x, target: y, preprocess: [standardize]"))
    _same_names(rows, done)


def test_different_names_stay_different_in_torch() -> None:
    names = [name + "_" * more for name in NAMES for more in range(4)]
    assert len({torch_name(name) for name in set(names)}) == len(set(names))
    assert torch_name("linear_1") == "linear_1"
    assert not any(keyword.iskeyword(torch_name(name)) or hasattr(PROBE, torch_name(name)) for name in names)


def test_a_name_that_would_be_automatic_may_be_given_before_or_after() -> None:
    for layers in ("flatten, {linear: {name: flatten_1, out_features: 2}}", "{relu: {name: flatten_1}}, flatten"):
        names = [step.name for step in plan_of(f"{{input: [2], layers: [{layers}, flatten]}}").layers]
        assert len(set(names)) == 3
        assert "flatten_1" in names


def test_a_name_is_given_once(tmp_path: Path) -> None:
    file = tmp_path / "spec.yaml"
    file.write_text("model: {inputs: {class: [2]}, layers: [{linear: {name: class, out_features: 2}}]}")
    with pytest.raises(SpecError, match="the name 'class' is given twice"):
        check(file)


def test_a_tied_weight_is_found_by_any_name() -> None:
    layers = "{embedding: {name: class, num_embeddings: 5, embedding_dim: 3}}"
    network = built(f"{{input: [4], layers: [{layers}, {{linear: {{out_features: 5, tied_to: class, bias: false}}}}]}}")
    held = network.state_dict(keep_vars=True)
    assert held["linear_1.weight"] is held["class.weight"]
