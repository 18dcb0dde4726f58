"""Weights that a run starts from."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

import dlrun

SPEC = """
data: {source: {sklearn: iris}, preprocess: [standardize]}
model:
  layers:
    - sequential: {name: trunk, layers: [linear: 6, batch_norm, relu]}
    - linear: {name: head, out_features: $classes}
loss: cross_entropy
optimizer: {sgd: {lr: 1e-12}}
train: {epochs: 1}
baselines: off
tracking: off
"""


@pytest.fixture
def spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "spec.yaml").write_text(SPEC, "utf-8")
    return tmp_path / "spec.yaml"


def weights_after(spec: Path, *overrides: str) -> dict[str, torch.Tensor]:
    return load_file(dlrun.train(spec, *overrides).folder / "last.safetensors")


def same(some: dict[str, torch.Tensor], others: dict[str, torch.Tensor], names: str) -> bool:
    """The weights, of which a learning rate of 1e-12 changes no bit; it does change those of a bias of 0."""
    chosen = [name for name in some if name.startswith(names) and name.endswith("weight")]
    return bool(chosen) and all(torch.equal(some[name], others[name]) for name in chosen)


@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), 1e39])
def test_weights_that_are_no_finite_numbers_are_refused_with_their_name(tmp_path: Path, wrong: float) -> None:
    weight = torch.zeros(3, 4, dtype=torch.float64)
    weight[1, 2] = wrong
    save_file({"linear_1.weight": weight, "linear_1.bias": torch.zeros(3)}, tmp_path / "start.safetensors")
    (tmp_path / "spec.yaml").write_text(
        "data: {source: {sklearn: iris}}\nmodel: {weights: start.safetensors, layers: [linear: $classes]}\n"
        "loss: cross_entropy\noptimizer: adam\ntrain: {epochs: 1}\ntracking: off\n",
        "utf-8",
    )
    with pytest.raises(dlrun.SpecError, match=re.escape(f"'linear_1.weight' holds {wrong:g} in")) as caught:
        dlrun.train(tmp_path / "spec.yaml", runs=tmp_path / "runs")
    assert caught.value.problems[0].place is not None
    assert not (tmp_path / "runs").exists()


def test_a_new_head_starts_on_the_trunk_of_the_last_run(spec: Path) -> None:
    first = dlrun.train(spec)
    before = load_file(first.folder / "best.safetensors")
    new_head = ("model.layers[1]={linear: {name: head, out_features: 3, bias: false}}", "seed=3")
    second = dlrun.train(spec, *new_head, "model.weights={from: last, only: 'trunk*'}")
    after = load_file(second.folder / "last.safetensors")
    assert same(after, before, "trunk")
    assert same(after, weights_after(spec, *new_head), "head")  # the same seed draws the same, with a file or without
    info = dlrun.read_run(second.folder).info
    file = (first.folder / "best.safetensors").resolve()
    assert info.params["model.weights.from"] == str(file)  # `last` is another run from now on
    assert info.tags["weights.hash"] == hashlib.sha256(file.read_bytes()).hexdigest()


@pytest.mark.parametrize("which", ["name", "folder", "path", "mapping"])
def test_a_run_is_named_in_each_way(spec: Path, which: str) -> None:
    first = dlrun.train(spec).folder
    wanted = load_file(first / "best.safetensors")
    given = {
        "name": first.name,
        "folder": f"runs/{first.name}",
        "path": str(first / "best.safetensors"),
        "mapping": f"{{from: {first.name}}}",
    }[which]
    dlrun.train(spec, "seed=5")
    assert same(weights_after(spec, f"model.weights={given}", "seed=3"), wanted, "trunk")


def test_a_path_starts_from_the_file_that_has_it_and_a_run_s_name_does_not(spec: Path) -> None:
    (spec.parent / "below").mkdir()
    folder = dlrun.train(spec).folder
    (spec.parent / "below" / "next.yaml").write_text(f"extends: ../spec.yaml\nmodel: {{weights: {folder.name}}}\n")
    (spec.parent / "below" / "path.yaml").write_text(f"extends: next.yaml\nmodel: {{weights: ../runs/{folder.name}}}\n")
    for name in ("next.yaml", "path.yaml"):
        checked = dlrun.check(spec.parent / "below" / name)
        assert checked.start is not None and len(checked.start.taken) == 9


def test_a_run_is_named_as_the_best_one_or_by_the_beginning_of_its_name(spec: Path) -> None:
    best = dlrun.train(spec, "optimizer.sgd.lr=0.1", "train.epochs=5", "name=longer").folder
    dlrun.train(spec)
    for name in ("best:train/loss", "best:train/loss@longer", "longer"):
        model = dlrun.check(spec, f"model.weights={name}").experiment.need("model")
        assert model.start is not None
        assert model.start.source == str(best.resolve() / "best.safetensors")
    with pytest.raises(
        dlrun.SpecError, match="no complete run in runs has the metric train/lss; did you mean train/loss"
    ):
        dlrun.check(spec, "model.weights=best:train/lss")


def test_a_run_of_another_folder_of_runs_is_found_there(spec: Path) -> None:
    name = dlrun.train(spec, runs="elsewhere").folder.name
    with pytest.raises(dlrun.SpecError, match=f"there is no run {name} in runs"):
        dlrun.train(spec, f"model.weights={name}")
    assert dlrun.train(spec, f"model.weights={name}", runs="elsewhere").status == "FINISHED"


@pytest.mark.parametrize("old", [False, True])
def test_a_file_of_torch_is_taken_with_other_names(spec: Path, old: bool) -> None:
    peer = torch.nn.Sequential(torch.nn.Linear(4, 6), torch.nn.BatchNorm1d(6), torch.nn.ReLU(), torch.nn.Linear(6, 9))
    torch.save(peer.state_dict(), "peer.pt", _use_new_zipfile_serialization=not old)
    start = 'model.weights={from: peer.pt, only: trunk, rename: {"0": trunk.linear_1, "1": trunk.batch_norm_1}}'
    after = weights_after(spec, start)
    assert torch.equal(after["trunk.linear_1.weight"], peer.state_dict()["0.weight"])
    assert torch.equal(after["trunk.batch_norm_1.weight"], peer.state_dict()["1.weight"])


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ("lst", "there is no run lst in runs"),
        ("{from: absent.pt}", "cannot read .*absent.pt: No such file or directory"),
        ("whole.pt", "whole.pt has more than weights in it: it names 'torch.nn.modules.linear.Linear'"),
        ("long.pt", "a name in .*long.pt is longer than 1000 characters: 'nnn"),
        ("cut.pt", "cut.pt is not a file of torch, or is damaged"),
        ("runs", "there is no run runs in runs"),
        ("./empty", "empty has no best.safetensors"),
        ("{from: 3}", "'from' must be a text"),
        ("{only: trunk}", "'from' is missing"),
        ("{from: whole.pt, rename: {a: 'b*'}}", r"'b\*' has more `\*` than 'a'"),
    ],
)
def test_a_wrong_place_to_start_from_is_an_error_before_anything_runs(spec: Path, weights: str, message: str) -> None:
    torch.save(torch.nn.Linear(2, 3), "whole.pt")
    torch.save(torch.nn.Linear(2, 3).state_dict(), "cut.pt")
    Path("cut.pt").write_bytes(Path("cut.pt").read_bytes()[:-40])
    torch.save({"n" * 1001: torch.zeros(2)}, "long.pt")
    Path("empty").mkdir()
    for command in (dlrun.check, dlrun.train):
        with pytest.raises(dlrun.SpecError, match=message) as caught:
            command(spec, f"model.weights={weights}")
        assert caught.value.problems[0].place is not None
    assert not Path("runs").exists()


def test_a_run_of_several_folds_has_no_weights_of_its_own_and_last_is_not_for_folds(spec: Path) -> None:
    folds = ("data.split={folds: 2}", "train.steps=1", "train.epochs=null")
    whole = dlrun.train(spec, *folds).folder
    with pytest.raises(dlrun.SpecError, match="is a run of several folds, and each has a network of its own"):
        dlrun.check(spec, f"model.weights={whole.name}")
    assert dlrun.check(spec, f"model.weights={whole}/fold-2").start is not None
    with pytest.raises(dlrun.SpecError, match="`last` is another run for each of the folds"):
        dlrun.train(spec, *folds, "model.weights=last")
