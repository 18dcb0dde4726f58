"""`dlrun diff`: what differs between runs or specs."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path
from typing import Any

import pytest
from run_folders import complete_run

import dlrun
from dlrun.commands.look.diff import diff
from dlrun.errors import SpecError
from dlrun.runs.info import Record
from dlrun.runs.journal import Journal

Screen = pytest.CaptureFixture[str]
SPEC = """
name: rings
data: {source: {circles: 60}, split: {validation: 0.2, test: 0.2}}
model: {layers: [linear: 4, relu, linear: $classes]}
loss: cross_entropy
metrics: [accuracy]
optimizer: {adam: {lr: 0.01}}
train: {epochs: 3}
baselines: off
tracking: off
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a spec, its run `first`, and `second`, in which settings and layers differ."""
    folder = tmp_path_factory.mktemp("trained")
    (folder / "spec.yaml").write_text(SPEC)
    wide = SPEC.replace("linear: 4", "linear: 6, dropout: 0.1").replace("[accuracy]", "[f1, accuracy]")
    (folder / "wide.yaml").write_text(wide)
    for spec, name, changes in (
        ("spec.yaml", "first", ()),
        ("wide.yaml", "second", ("optimizer.adam.lr=0.1", "seed=3", "train.epochs=4")),
    ):
        place = dlrun.train(folder / spec, *changes, runs=folder / "made").folder
        (folder / "runs").mkdir(exist_ok=True)
        shutil.move(place, folder / "runs" / name)
    return folder


def data(capsys: Screen, *compared: str, runs: Path) -> dict[str, Any]:
    diff(list(compared), as_json=True, runs=runs)
    return json.loads(capsys.readouterr().out)


def test_the_settings_the_layers_the_data_and_the_figures_are_compared(trained: Path, capsys: Screen) -> None:
    found = data(capsys, "first", "second", runs=trained / "runs")
    assert found["compared"] == ["first", "second"]
    assert found["settings"] == {
        "seed": ["0", "3"],
        "metrics": ["accuracy", "f1, accuracy"],
        "optimizer.lr": ["0.01", "0.1"],
        "train.epochs": ["3", "4"],
    }
    changed = [(one["change"], one["layer"]) for one in found["layers"][0]]
    assert changed == [("changed", "linear_1"), ("added", "dropout_1"), ("changed", "linear_2")]
    assert set(found["data"]) == {"split"}  # the seed draws it; the points have a seed of their own
    assert found["versions"] == {}
    first, second = (dlrun.read_run(trained / "runs" / name) for name in ("first", "second"))
    assert found["metrics"]["test/loss"] == [first.metric("test/loss")[0], second.metric("test/loss")[0]]
    assert found["metrics"]["test/f1"] == ["nan", second.metric("test/f1")[0]]
    assert found["metrics"]["validation/loss"] == [
        min(first.metric("validation/loss")),
        min(second.metric("validation/loss")),
    ]


def test_the_screen_has_a_table_for_each_subject_and_the_curves(trained: Path, capsys: Screen) -> None:
    diff(["first", "second"], runs=trained / "runs")
    out = capsys.readouterr().out
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert lines[0].startswith("A first rings-")
    assert lines[1] == "B second rings lr=0.1 seed=3 epochs=4"
    for line in (
        "lr 0.01 0.1",
        "~ linear_1 linear: out_features 4; 12 weights linear: out_features 6; 18 weights",
        "+ dropout_1 dropout: p 0.1",
        "~ linear_2 linear; 10 weights linear; 14 weights",
        "all weights 22 32",
        "versions: the same",
        "status FINISHED FINISHED",
    ):
        assert line in lines
    plot = out[out.index("\nvalidation/loss\n") :].splitlines()
    assert plot[-2:] == ["         *  A", "         o  B"]
    assert any("*" in line for line in plot[:-2])
    assert any("o" in line for line in plot[2:-3])


def test_a_run_and_its_own_spec_do_not_differ(trained: Path, capsys: Screen) -> None:
    diff([str(trained / "spec.yaml"), "first"], runs=trained / "runs")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"A  {trained / 'spec.yaml'}"
    assert lines[1].startswith("B  first  rings-")
    assert lines[2:] == ["settings: the same", "layers: the same"]


def test_more_than_two_are_compared_with_the_first(trained: Path, capsys: Screen) -> None:
    diff(["first", "second", "first"], runs=trained / "runs")
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert "layers of A and B A B" in lines
    assert "layers of A and C: the same" in lines
    assert "metrics A B C B - A C - A" in lines
    assert "lr 0.01 0.1 0.01" in lines


def test_differences_are_those_from_the_first_with_their_sign(tmp_path: Path, capsys: Screen) -> None:
    known = {"greater_is_better": {"loss": False, "accuracy": True}, "monitor": "validation/loss"}
    for name, loss, accuracy in (("a", 0.5, 0.75), ("b", 0.25, 0.5)):
        complete_run(tmp_path / name, {"validation/loss": loss}, {"accuracy": accuracy}, **known)
    (tmp_path / "a" / "resolved.yaml").write_text("model: {layers: 3}\n")
    diff(["a", "b"], runs=tmp_path)
    out, err = capsys.readouterr()
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert "validation/loss 0.5000 0.2500 -0.2500" in lines
    assert "test/accuracy 0.7500 0.5000 -0.2500" in lines
    assert "the layers of a are compared by number, as they cannot be planned" in err
    assert "the layers of b are compared by number, as they cannot be planned" in err


def test_a_curve_has_gaps_where_a_value_is_not_a_number_or_a_run_has_no_epoch(tmp_path: Path, capsys: Screen) -> None:
    for name, losses in (("a", (1.0, math.nan, 0.0)), ("b", (0.5, 0.5))):
        complete_run(tmp_path / name, {"validation/loss": losses[0]}, {}, monitor="validation/loss")
        (tmp_path / name / "metrics.jsonl").unlink()
        with Journal(tmp_path / name / "metrics.jsonl") as journal:
            for epoch, loss in enumerate(losses, 1):
                journal.write(Record(epoch, epoch, epoch, {"validation/loss": loss}))
    diff(["a", "b"], runs=tmp_path)
    out = capsys.readouterr().out
    plot = [line.partition("|")[2] for line in out[out.index("\nvalidation/loss\n") :].splitlines() if "|" in line]
    wide = (80 - 13) // 3
    assert plot[0] == "*" * wide  # 1 in the first epoch
    assert plot[-1] == " " * 2 * wide + "*" * wide  # 0 in the third; the second is a gap
    assert [line for line in plot if "o" in line] == ["o" * 2 * wide]


def test_a_damaged_journal_is_a_note(trained: Path, tmp_path: Path, capsys: Screen) -> None:
    shutil.copytree(trained / "runs", tmp_path / "runs")
    (tmp_path / "runs" / "first" / "metrics.jsonl").write_text("nothing\n")
    diff(["first", "second"], runs=tmp_path / "runs")
    out, err = capsys.readouterr()
    assert "metrics.jsonl: line 1 is damaged" in err
    assert "  lr " in out


def test_what_cannot_be_compared_is_one_error(trained: Path) -> None:
    with pytest.raises(SpecError, match="name two runs or specs, or more, up to 26"):
        diff(["first"], runs=trained / "runs")
    with pytest.raises(SpecError) as error:
        diff(["thrid", str(trained / "spce.yaml")], runs=trained / "runs")
    assert [problem.message.partition(";")[0] for problem in error.value.problems] == [
        f"there is no run thrid in {trained / 'runs'}",
        f"cannot read {trained / 'spce.yaml'}: No such file or directory",
    ]


def test_on_a_narrow_terminal_the_figures_are_in_several_tables(
    trained: Path, capsys: Screen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dlrun.commands.screen.width", lambda *_, **__: 60)
    diff(["first", "second", "first", "second"], runs=trained / "runs")
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    heads = [line for line in lines[lines.index("versions: the same") :] if line.startswith("metrics ")]
    assert " ".join(line.removeprefix("metrics ") for line in heads) == "A B C D B - A C - A D - A"
    assert len(heads) == 3
    assert sum(line.startswith("test/loss ") for line in lines) == 3


def test_the_versions_and_the_threads_that_differ_are_shown(tmp_path: Path, capsys: Screen) -> None:
    old = {"run.packages": "numpy==2.3.0\nrich==15.0.0\ntyper==0.29.1", "threads": "1", "torch.version": "2.12.0"}
    complete_run(tmp_path / "old", {"validation/loss": 0.5}, {}, tags=old)
    now = {"run.packages": "numpy==2.4.6\nrich==15.0.0", "threads": "8", "torch.version": "2.12.0"}
    complete_run(tmp_path / "now", {"validation/loss": 0.5}, {}, tags=now)
    found = data(capsys, "old", "now", runs=tmp_path)
    assert found["versions"] == {"numpy": ["2.3.0", "2.4.6"], "threads": ["1", "8"]}
