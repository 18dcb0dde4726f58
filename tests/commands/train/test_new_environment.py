"""`dlrun reproduce --in-new-environment`: what is installed, what runs there, and what is one error.

The index is a folder with one package, which brings the packages of the tests into the new environment.
"""

from __future__ import annotations

import json
import os
import stat
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import typer
from run_folders import epochs, make_run

import dlrun
from dlrun.commands.train import new_environment
from dlrun.commands.train.reproduce import reproduce
from dlrun.errors import RunError

SPEC = """
name: circles
data: {source: {circles: 40}, split: {validation: 0.2, test: 0.2}}
model: {layers: [linear: 4, relu, linear: $classes]}
loss: cross_entropy
optimizer: adam
train: {epochs: 2}
baselines: off
tracking: off
"""
PYTHON = ".".join(map(str, sys.version_info[:3]))


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which pip finds the one package `typer`; environments are made in another one."""
    folder = tmp_path / "index"
    folder.mkdir()
    for name, value in {"NO_INDEX": "1", "FIND_LINKS": str(folder), "CONFIG_FILE": os.devnull}.items():
        monkeypatch.setenv(f"PIP_{name}", value)
    (tmp_path / "environments").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "environments"))
    monkeypatch.setattr("dlrun.commands.interrupts.raise_from_now_on", lambda: None)
    about = "typer-1.0.dist-info"
    trace = f"import pathlib, sys; pathlib.Path({str(tmp_path / 'prefix')!r}).write_text(sys.prefix)\n"
    with zipfile.ZipFile(folder / "typer-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("typer.pth", f"{Path(np.__file__).parent.parent}\n{trace}")
        wheel.writestr(f"{about}/METADATA", "Metadata-Version: 2.1\nName: typer\nVersion: 1.0\n")
        wheel.writestr(
            f"{about}/WHEEL", "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{about}/RECORD", "")
    return folder


def change_tags(folder: Path, **tags: str) -> Path:
    """Change what a run says of its versions; `_` in a name stands for a point."""
    content = json.loads((folder / "run.json").read_text())
    content["tags"].update({name.replace("_", "."): value for name, value in tags.items()})
    (folder / "run.json").write_text(json.dumps(content))
    return folder


def trained(folder: Path, **tags: str) -> Path:
    (folder / "spec.yaml").write_text(SPEC)
    return change_tags(dlrun.train(folder / "spec.yaml", runs=folder / "runs").folder, **tags)


def test_a_run_is_trained_again_with_the_versions_that_it_recorded(
    tmp_path: Path, index: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = trained(tmp_path, run_packages="typer==1.0")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))  # nothing of it is found there
    (tmp_path / "torch.py").write_text("raise ImportError")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(typer.Exit) as end:
        reproduce(str(folder), in_new_environment=True, as_json=True)
    out, err = capfd.readouterr()
    assert end.value.exit_code == 0, err
    assert json.loads(out)["same"] is True
    (line,) = [line for line in err.splitlines() if line.startswith("environment ")]
    place = Path((tmp_path / "prefix").read_text())
    assert line == f"environment  {place}: Python {PYTHON}, dlrun {dlrun.__version__}, 1 package"
    assert place.parent == tmp_path / "environments"
    assert not list((tmp_path / "environments").iterdir())
    assert len(list((tmp_path / "runs").glob("circles-reproduced-*"))) == 1


@pytest.mark.parametrize(
    ("tags", "said"),
    [
        ({"run_packages": "typer==2.0"}, "No matching distribution found for typer==2.0"),
        (
            {"run_packages": "torch==0.0.1+cpu"},
            "No matching distribution found for torch==0.0.1+cpu\n"
            "  PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu names the index that has torch 0.0.1+cpu",
        ),
        (
            {"run_packages": "typer==1.0", "dlrun_version": "0.0.9"},
            "No matching distribution found for dlrun==0.0.9",
        ),
    ],
    ids=["package", "torch", "dlrun"],
)
def test_a_version_that_no_index_has_is_one_error(tmp_path: Path, index: Path, tags: dict[str, str], said: str) -> None:
    tags = {"python_version": PYTHON, "dlrun_version": dlrun.__version__, **tags}
    make_run(tmp_path / "run", epochs(1), tags={})
    change_tags(tmp_path / "run", **tags)
    with pytest.raises(RunError) as error:
        reproduce(str(tmp_path / "run"), in_new_environment=True)
    assert str(error.value) == f"pip cannot install the versions that the run was trained with: {said}"
    assert not list((tmp_path / "environments").iterdir())


@pytest.mark.parametrize(
    "tags",
    [
        {"python.version": PYTHON},
        {"python.version": PYTHON, "dlrun.version": "0.1.0", "run.packages": "other==1.0"},
        {"python.version": "/../x", "dlrun.version": "0.1.0", "run.packages": "typer==1.0"},
        {"python.version": PYTHON, "dlrun.version": "@ http://x", "run.packages": "typer==1.0"},
    ],
)
def test_a_run_without_its_versions_is_one_error(tmp_path: Path, tags: dict[str, str]) -> None:
    make_run(tmp_path / "run", epochs(1), tags=tags)
    with pytest.raises(RunError, match=r"^run.json of run does not have the versions of the packages"):
        reproduce(str(tmp_path / "run"), in_new_environment=True)


def test_ctrl_c_while_packages_are_installed_leaves_nothing(
    tmp_path: Path, index: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(new_environment, "_install", interrupted)
    tags = {"python.version": PYTHON, "dlrun.version": dlrun.__version__, "run.packages": "typer==1.0"}
    make_run(tmp_path / "run", epochs(1), tags=tags)
    with pytest.raises(typer.Exit) as end:
        reproduce(str(tmp_path / "run"), in_new_environment=True)
    assert (end.value.exit_code, capsys.readouterr().err) == (130, "error: interrupted\n")
    assert not list((tmp_path / "environments").iterdir())


def program(folder: Path, name: str) -> None:
    """A program that notes its arguments, and makes an environment where the last one says."""
    folder.mkdir(exist_ok=True)
    text = f'#!/bin/sh\necho "$0 $@" >{folder}/called\nfor last; do :; done\nexec {sys.executable} -m venv "$last"\n'
    (folder / name).write_text(text)
    (folder / name).chmod(stat.S_IRWXU)


@pytest.mark.skipif(sys.platform == "win32", reason="the programs are of a shell")
def test_another_python_is_found_or_uv_installs_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bins = tmp_path / "bin"
    monkeypatch.setenv("PATH", str(bins))
    with pytest.raises(RunError, match=r"trained with Python 3\.7\.4, and here is 3\.\d+\n  a program python3\.7 on"):
        new_environment.make(tmp_path / "made", "3.7.4")
    monkeypatch.setenv("PATH", f"{bins}:{os.defpath}")
    for name, arguments in (("uv", "venv --seed --clear --quiet --python 3.7"), ("python3.7", "-m venv")):
        program(bins, name)
        made = new_environment.make(tmp_path / name, "3.7.4")
        assert made.exists()
        assert (bins / "called").read_text() == f"{bins / name} {arguments} {tmp_path / name}\n"


@pytest.mark.skipif(sys.platform == "win32", reason="it has no such signals")
@pytest.mark.parametrize(("signal", "code"), [("SIGTERM", 143), ("SIGINT", 3)])
def test_a_signal_is_for_the_program_in_the_environment(signal: str, code: int) -> None:
    text = f"import os, signal, time; os.kill(os.getppid(), signal.{signal}); time.sleep(0.5); raise SystemExit(3)"
    assert new_environment.run_there([sys.executable, "-c", text], os.environ) == code
