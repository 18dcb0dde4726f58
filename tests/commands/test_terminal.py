"""What is printed controls no terminal, and any terminal can show it; only the screen prints."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest
from places import SPECS
from typer.testing import CliRunner

import dlrun
from dlrun.commands.app import app
from dlrun.commands.write.check import is_override
from dlrun.errors import SpecError, visible
from dlrun.runs.find import find_run

SPEC = "description: é 世 \\u2028\nmodel: {input: [3], layers: [linear: 2]}\n"
BIDI = "a\x1b[31m\a\u202e\u2066b"
BAD = 'name: x\n"\\e[31m\\a\\u202e\\u200b": 1\nmodel: {input: [3], layers: [linear: 2]}\n'


def dlrun_in(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    own = {**os.environ, "PYTHONPATH": str(Path(dlrun.__file__).parent.parent), **environment}
    program = [sys.executable, "-m", "dlrun", *arguments]
    return subprocess.run(program, cwd=folder, env=own, capture_output=True, text=True, errors="replace")


@pytest.mark.parametrize(
    "environment",
    [{"PYTHONIOENCODING": "ascii"}, {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}],
    ids=["ascii", "C"],
)
def test_every_terminal_can_show_what_is_printed(tmp_path: Path, environment: dict[str, str]) -> None:
    (tmp_path / "spec.yaml").write_text(SPEC, encoding="utf-8")
    for command in (["params", "spec.yaml", "--explain"], ["schema"], ["kinds"], ["kinds", "conv2d"], ["--help"]):
        done = dlrun_in(tmp_path, *command, **environment)
        assert done.returncode == 0 and "Traceback" not in done.stderr, (command, done.stderr)


def test_an_error_shows_the_characters_that_control_a_terminal(tmp_path: Path) -> None:
    (tmp_path / "spec.yaml").write_text(BAD)
    done = dlrun_in(tmp_path, "check", "spec.yaml", "x.\x1b]0;y\x07=1", "model.\u202ex=\x1b[2J")
    shown = done.stdout + done.stderr
    assert done.returncode == 2
    assert visible(shown) == shown
    assert "\\x1b" in shown


def test_characters_that_nobody_sees_are_shown() -> None:
    assert visible("a\x1b[0m\a\r\x7f\x9b\u202e\u200b\u2028\ud800é\n\t") == (
        "a\\x1b[0m\\x07\\x0d\\x7f\\x9b\\u202e\\u200b\\u2028\\ud800é\n\t"
    )


def test_only_the_screen_prints() -> None:
    for file in Path(dlrun.__file__).parent.rglob("*.py"):
        if file.name == "screen.py":
            continue
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                assert called not in ("print", "typer.echo", "click.echo", "sys.stdout.write", "sys.stderr.write"), file


@pytest.mark.parametrize("text", ["a" * 300, "a" * 5000, "a\0", "\ud800"])
def test_a_text_that_can_be_no_path_is_no_traceback(tmp_path: Path, text: str) -> None:
    assert is_override(f"x={text}")
    with pytest.raises(SpecError, match="there is no run"):
        find_run(text, tmp_path)
    with pytest.raises(SpecError, match="there are no runs"):
        dlrun.read_run("last", text)


@pytest.mark.parametrize(
    "arguments",
    [
        [f"{BIDI}"],
        [f"--{BIDI}"],
        ["check", f"--{BIDI}"],
        ["train", "x", "--every", BIDI],
        ["ui", BIDI],
        ["params", "--json"],
    ],
)
def test_an_error_of_usage_shows_what_controls_a_terminal(tmp_path: Path, arguments: list[str]) -> None:
    done = dlrun_in(tmp_path, *arguments)
    assert done.returncode == 2
    assert visible(done.stderr) == done.stderr


@pytest.mark.parametrize(
    ("text", "why"),
    [("a" * 300, "File name too long"), ("a\udcff", "it is not UTF-8 text")],
    ids=["long", "surrogate"],
)
@pytest.mark.parametrize(
    "command",
    [
        ["new", "?.yaml"],
        ["new", "?/x.yaml"],
        ["check", "?.yaml"],
        ["params", "?.yaml"],
        ["draw", "?.yaml"],
        ["draw", "spec.yaml", "-o", "?.svg"],
        ["train", "?.yaml"],
        ["train", "spec.yaml", "--runs", "?"],
        ["resume", "last", "--runs", "?"],
        ["sync", "last", "--runs", "?"],
        ["sync", "--all", "--runs", "?"],
        ["ui", "--runs", "?"],
    ],
    ids="_".join,
)
def test_a_text_that_can_be_no_path_is_one_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: list[str], text: str, why: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("spec.yaml").write_text(SPEC, encoding="utf-8")
    result = CliRunner().invoke(app, [part.replace("?", text) for part in command])
    assert isinstance(result.exception, SpecError)
    (problem,) = result.exception.problems
    assert problem.message.endswith(f" cannot be the path of a file: {why}")
    assert [file.name for file in tmp_path.iterdir()] == ["spec.yaml"]


@pytest.mark.parametrize("command", [["new", "a\0.yaml"], ["check", "a\0"], ["draw", "a\0"], ["ui", "--runs", "a\0"]])
def test_a_path_with_a_null_byte_is_one_error(command: list[str]) -> None:
    result = CliRunner().invoke(app, command)
    if isinstance(result.exception, SpecError):
        assert "embedded null byte" in str(result.exception)
    else:  # typer has found it
        assert (result.exit_code, "Invalid value" in result.stderr) == (2, True)


@pytest.mark.parametrize(
    ("file", "name"), [("データ", "experiment"), ("été", "ete"), ("データ_v2", "v2"), ("../.x", "x"), ("a b", "a-b")]
)
def test_a_run_has_a_plain_name_whatever_its_file_is_called(tmp_path: Path, file: str, name: str) -> None:
    folder = tmp_path / "specs"
    folder.mkdir()
    (folder / f"{file}.yaml").write_text(SPEC, encoding="utf-8")
    assert dlrun.check(folder / f"{file}.yaml").experiment.name == name


def test_a_name_that_cannot_be_is_told_what_can(tmp_path: Path) -> None:
    (tmp_path / "spec.yaml").write_text(SPEC, encoding="utf-8")
    with pytest.raises(SpecError, match="at most 100 of a-z, A-Z, 0-9"):
        dlrun.check(tmp_path / "spec.yaml", "name=データ")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
@pytest.mark.parametrize("command", [["kinds"], ["schema"], ["params", str(SPECS / "digits_mlp.yaml")]])
def test_output_that_cannot_be_written_is_one_error(command: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run([sys.executable, "-m", "dlrun", *command], stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1
    assert done.stderr == "error: the output cannot be written: No space left on device\n"
