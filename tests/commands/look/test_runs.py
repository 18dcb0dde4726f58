"""`dlrun runs`: the runs of a folder in a table."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from run_folders import STARTED, complete_run, make_run

from dlrun.commands.look import runs_table
from dlrun.commands.look.diff import diff
from dlrun.commands.look.runs import runs as list_runs
from dlrun.errors import SpecError
from dlrun.runs.info import Record

Screen = pytest.CaptureFixture[str]
KNOWN: dict[str, Any] = {"greater_is_better": {"loss": False, "accuracy": True}, "monitor": "validation/loss"}
RUNS = {
    "first": (0.5, 0.70, {"optimizer": "adam", "optimizer.lr": "0.001", "optimizer.betas": "[0.9, 0.999]"}),
    "second": (0.3, 0.80, {"optimizer": "adam", "optimizer.lr": "0.01", "optimizer.betas": "[0.9, 0.999]"}),
    "third": (math.nan, 0.90, {"optimizer": "sgd", "optimizer.lr": "0.1", "optimizer.nesterov": "true"}),
}

TABLE = """\
                                                                                   validation/   test/     test/
run     status    started              took  seed  optimizer  lr     betas                loss    loss  accuracy
────────────────────────────────────────────────────────────────────────────────────────────────────────────────
first   FINISHED  2023-11-14 22:13   10.0 s  1     adam       0.001  [0.9, 0.999]       0.5000  1.0000    0.7000
second  FINISHED  2023-11-14 22:13   10.0 s  1     adam       0.01   [0.9, 0.999]       0.3000  0.6000    0.8000
third   FINISHED  2023-11-14 22:13   10.0 s  1     sgd        0.1    -                       -       -    0.9000
fourth  KILLED    2023-11-14 22:13  1.0 min  2     adam       0.001  -                  0.6000       -         -
not shown: nesterov; --json has all
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three runs that are complete, and one that died."""
    for number, (name, (loss, accuracy, params)) in enumerate(RUNS.items()):
        params = {"name": name, "seed": "1", **params}
        test = {"loss": 2 * loss, "accuracy": accuracy}
        started = STARTED + 60_000 * number
        complete_run(tmp_path / name, {"validation/loss": loss}, test, params=params, started=started, **KNOWN)
    records = [Record(1, 10, STARTED + 240_000, {"validation/loss": 0.6})]
    params = {"name": "fourth", "seed": "2", "optimizer": "adam", "optimizer.lr": "0.001"}
    make_run(tmp_path / "fourth", records, "RUNNING", params=params, started=STARTED + 180_000, **KNOWN)
    return tmp_path


def listed(capsys: Screen, **options: Any) -> list[str]:
    """The names in the table, from the first line on."""
    list_runs(**options)
    lines = capsys.readouterr().out.splitlines()
    rule = next(number for number, line in enumerate(lines) if line.startswith(("─", "-")))
    return [line.split()[0] for line in lines[rule + 1 :] if not line.startswith("not shown")]


def test_the_table_has_what_differs_and_the_figures(
    folder: Path, capsys: Screen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs_table, "_moment", lambda _: "2023-11-14 22:13")
    list_runs(runs=folder)
    assert capsys.readouterr().out == TABLE


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ({}, ["first", "second", "third", "fourth"]),
        ({"last": 2}, ["third", "fourth"]),
        ({"sort": "validation/loss"}, ["second", "first", "fourth", "third"]),
        ({"sort": "test/accuracy"}, ["third", "second", "first", "fourth"]),
        ({"sort": "lr"}, ["first", "fourth", "second", "third"]),
        ({"sort": "optimizer"}, ["first", "second", "fourth", "third"]),
        ({"sort": "nesterov"}, ["third", "first", "second", "fourth"]),
        ({"where": ["optimizer=adam"]}, ["first", "second", "fourth"]),
        ({"where": ["optimizer=adam"], "last": 1}, ["fourth"]),
        ({"where": ["optimizer!=adam"]}, ["third"]),
        ({"where": ["lr=1e-3"]}, ["first", "fourth"]),
        ({"where": ["lr=1e-3", "seed=2"]}, ["fourth"]),
        ({"where": ["optimizer.lr > 0.005"]}, ["second", "third"]),
        ({"where": ["lr<=0.01", "lr>=0.01"]}, ["second"]),
        ({"where": ["lr<0.01"]}, ["first", "fourth"]),
        ({"where": ["betas=[0.9,0.999]"]}, ["first", "second"]),
        ({"where": ["nesterov=true"]}, ["third"]),
        ({"where": ["nesterov=null"]}, ["first", "second", "fourth"]),
        ({"where": ["nesterov=1"]}, []),
        ({"where": ["validation/loss<0.55"]}, ["first", "second"]),
        ({"where": ["status!=FINISHED"]}, ["fourth"]),
        ({"where": ["experiment=digits"]}, ["first", "second", "third", "fourth"]),
    ],
    ids=str,
)
def test_the_runs_are_chosen_and_sorted(folder: Path, capsys: Screen, options: Any, names: list[str]) -> None:
    if names:
        assert listed(capsys, runs=folder, **options) == names
    else:
        list_runs(runs=folder, **options)
        assert capsys.readouterr().out == f"none of the 4 runs in {folder} is so\n"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sort": "loss"}, "--sort loss: no run has a setting or a metric of this name; did you mean validation/loss?"),
        ({"sort": "optimzer"}, "no run has a setting or a metric of this name; did you mean optimizer?"),
        ({"where": ["adam"]}, "--where adam is no condition; write it as optimizer=adam, lr<0.01 or status!=FINISHED"),
        ({"where": ["lr<much"]}, "--where lr<much: < compares numbers, and much is none"),
        ({"where": ["lr<"]}, "--where lr<: < compares numbers, and nothing is none"),
        ({"where": ["rate=1"]}, "--where rate: no run has a setting or a metric of this name"),
    ],
)
def test_what_names_nothing_is_one_error(folder: Path, options: Any, message: str) -> None:
    with pytest.raises(SpecError) as error:
        list_runs(runs=folder, **options)
    assert message in str(error.value)


def test_an_end_that_several_settings_have_is_an_error(tmp_path: Path) -> None:
    params = {"optimizer.0.lr": "0.1", "optimizer.1.lr": "0.2"}
    make_run(tmp_path / "a", params=params)
    with pytest.raises(SpecError, match=r"several settings end so: optimizer.0.lr, optimizer.1.lr\n  write more"):
        list_runs(runs=tmp_path, sort="lr")
    list_runs(runs=tmp_path, where=["optimizer[1].lr=0.2"])


def test_an_entry_of_a_list_is_named_by_its_kind_or_by_its_number(tmp_path: Path, capsys: Screen) -> None:
    first = {"regularizers.0": "l1", "regularizers.1": "l2", "regularizers.1.coefficient": "0.1"}
    second = {"regularizers.0": "l2", "regularizers.0.coefficient": "0.2"}
    for number, (name, params) in enumerate((("a", first), ("b", second))):
        make_run(tmp_path / name, params=params, started=STARTED + number)
    list_runs(runs=tmp_path)
    shown = capsys.readouterr().out.splitlines()
    assert shown[1].split() == ["run", "status", "started", "took", "regularizers", "coefficient", "loss"]
    assert "l1, l2" in shown[3]
    for condition, name in (
        ("l2.coefficient>0.1", "b"),
        ("regularizers=l2", "b"),
        ("regularizers.1.coefficient=0.1", "a"),
    ):
        assert listed(capsys, runs=tmp_path, where=[condition]) == [name]


def test_without_runs_there_is_one_line(tmp_path: Path, capsys: Screen) -> None:
    list_runs(runs=tmp_path, sort="validation/loss", where=["optimizer=adam"])
    assert capsys.readouterr().out == f"there are no runs in {tmp_path}\n"
    list_runs(runs=tmp_path, as_json=True)
    assert capsys.readouterr().out == "[]\n"
    with pytest.raises(SpecError, match=r"there is no folder .*; --runs says where the runs are"):
        list_runs(runs=tmp_path / "nowhere")


def test_a_damaged_run_is_a_note(folder: Path, capsys: Screen) -> None:
    (folder / "first" / "run.json").write_text("[")
    (folder / "fourth" / "metrics.jsonl").write_text("nothing\n")
    list_runs(runs=folder)
    out, err = capsys.readouterr()
    assert [line.split()[0] for line in out.splitlines()[3:6]] == ["second", "third", "fourth"]
    assert "note: " in err
    assert f"{folder / 'first' / 'run.json'} is not a valid run.json" in err
    assert f"{folder / 'fourth' / 'metrics.jsonl'}: line 1 is damaged" in err


def test_the_data_has_everything(folder: Path, capsys: Screen) -> None:
    list_runs(runs=folder, as_json=True, sort="started")
    found = json.loads(capsys.readouterr().out)
    assert [one["name"] for one in found] == ["first", "second", "third", "fourth"]
    assert found[0]["settings"]["optimizer.lr"] == "0.001"
    assert found[0]["metrics"] == {"validation/loss": 0.5, "test/loss": 1.0, "test/accuracy": 0.7}
    assert found[2]["metrics"]["validation/loss"] == "nan"
    assert (found[0]["path"], found[0]["seconds"], found[0]["best_epoch"]) == (str(folder / "first"), 10.0, 1)
    assert (found[0]["started"], found[3]["status"]) == ("2023-11-14T22:13:20+00:00", "KILLED")


def test_a_password_is_in_no_output(tmp_path: Path, capsys: Screen) -> None:
    for name in ("a", "b"):
        make_run(tmp_path / name, params={"data.source.path": f"http://me:secret@host/{name}"})
    list_runs(runs=tmp_path)
    list_runs(runs=tmp_path, as_json=True)
    diff(["a", "b"], runs=tmp_path)
    diff(["a", "b"], as_json=True, runs=tmp_path)
    out = capsys.readouterr().out
    assert out.count("http://me:***@host/a") == 4
    assert "secret" not in out


def test_on_a_narrow_terminal_the_columns_that_are_left_out_are_named(
    folder: Path, capsys: Screen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dlrun.commands.screen.width", lambda: 60)
    list_runs(runs=folder, sort="lr")
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines[:-1])) <= 60
    assert lines[1].split() == ["run", "status", "lr", "seed", "loss", "loss"]
    assert lines[-1] == "not shown: started, took, test/accuracy, optimizer and 2 more; --json has all"


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.31, "0.3 s"), (59.6, "59.6 s"), (90, "1.5 min"), (5400, "1.5 h"), (129600, "1.5 d")]
)
def test_a_time_is_shown_in_the_largest_unit(seconds: float, text: str) -> None:
    assert runs_table._span(seconds) == text
