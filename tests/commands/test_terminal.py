"""What is printed controls no terminal, and any terminal can show it; only the screen prints."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from places import SPECS
from typer.testing import CliRunner

import dlrun
from dlrun.commands import screen
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
    with pytest.raises(SpecError, match="cannot be the path"):
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
        ["runs", "--runs", "?"],
        ["diff", "?.yaml", "spec.yaml"],
        ["diff", "last", "spec.yaml", "--runs", "?"],
        ["ui", "--runs", "?"],
        ["evaluate", "last", "--data", "?.csv"],
        ["evaluate", "last", "--html", "?.html"],
        ["predict", "last", "?.csv"],
        ["predict", "last", "rows.csv", "--out", "?.csv"],
        ["predict", "last", "rows.csv", "--runs", "?"],
        ["serve", "last", "--runs", "?"],
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


LONG = "a rather long description with many words, so that it does not fit in a line of a narrow terminal"
NET = f"""name: a-net-of-two-outputs
description: {LONG}
data: {{source: {{sklearn: iris}}}}
model:
  outputs: [the_kind_of_the_flower, the_flower_itself]
  layers: [linear: 8, relu: {{name: trunk}}, linear: {{name: the_kind_of_the_flower, out_features: $classes}},
    input: trunk, linear: {{name: the_flower_itself, out_features: $features}}]
loss: [cross_entropy: {{output: the_kind_of_the_flower}}, mse: {{output: the_flower_itself, target: input}}]
metrics: [accuracy: {{output: the_kind_of_the_flower}}, f1: {{output: the_kind_of_the_flower}}]
optimizer: {{adam: 0.01}}
train: {{epochs: 2}}
"""
COMMANDS = {
    "new": ["new", "other.yaml"],
    "kinds": ["kinds", "lstm"],
    "schema": ["schema"],
    "check": ["check", "net.yaml"],
    "params": ["params", "net.yaml", "--explain"],
    "data": ["data", "net.yaml"],
    "draw": ["draw", "net.yaml", "-o", "net.svg"],
    "train": ["train", "net.yaml"],
    "resume": ["resume", "last"],
    "reproduce": ["reproduce", "last"],
    "evaluate": ["evaluate", "last"],
    "predict": ["predict", "last", "rows.csv", "--out", "out.csv"],
    "serve": ["serve", "last", "--host", "no.such.host"],
    "export": ["export", "last", "--to", "onnx"],
    "runs": ["runs", "--sort", "validation/loss", "--where", "optimizer=adam"],
    "diff": ["diff", "net.yaml", "last", "best:test/loss"],
    "sync": ["sync", "last"],
    "ui": ["ui", "--runs", "nowhere"],
}
WRONG = ["check", "net.yaml", "optimizer.adam.momentum=0.1", "model.layers[0].linear.out_feature=3", "seed=x"]


def on_a_terminal(folder: Path, columns: int, arguments: list[str], **environment: str) -> str:
    """What a command writes to a terminal of some columns, without what controls it."""
    import fcntl
    import pty
    import struct
    import termios

    parent, child = pty.openpty()
    fcntl.ioctl(child, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    own = {**os.environ, "PYTHONPATH": str(Path(dlrun.__file__).parent.parent), "TERM": "xterm", **environment}
    own.pop("COLUMNS", None)
    program = [sys.executable, "-m", "dlrun", *arguments]
    with subprocess.Popen(program, cwd=folder, env=own, stdin=child, stdout=child, stderr=child) as process:
        os.close(child)
        written = b""
        while True:
            try:
                part = os.read(parent, 65536)
            except OSError:  # the other end is closed
                break
            if not part:
                break
            written += part
        os.close(parent)
    assert process.returncode in (0, 2)
    return written.decode()


def plain_lines(written: str) -> list[str]:
    """The lines without colours; of a line that changes, what it was last."""
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", written).replace("\r\n", "\n")
    return [line.rpartition("\r")[2].rstrip() for line in text.split("\n")]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("terminal")
    (folder / "net.yaml").write_text(NET)
    assert dlrun_in(folder, "train", "net.yaml").returncode == 0
    (columns,) = folder.glob("runs/*/columns.json")
    names = list(json.loads(columns.read_text())["inputs"]["input"]["fields"])
    (folder / "rows.csv").write_text(f"{','.join(names)}\n{','.join('1' for _ in names)}\n")
    return folder


def test_every_command_is_looked_at_on_a_terminal() -> None:
    assert set(COMMANDS) == {command.callback.__name__ for command in app.registered_commands if command.callback}


@pytest.mark.skipif(sys.platform == "win32", reason="it has no pseudo-terminals")
@pytest.mark.parametrize("arguments", [*COMMANDS.values(), WRONG], ids=[*COMMANDS, "wrong"])
def test_every_command_writes_to_every_terminal_and_breaks_no_word(trained: Path, arguments: list[str]) -> None:
    simple = on_a_terminal(trained, 60, arguments, TERM="dumb", PYTHONIOENCODING="ascii")
    assert simple.isascii() and "\x1b" not in simple and "Traceback" not in simple
    colourless = on_a_terminal(trained, 60, arguments, NO_COLOR="1")
    assert not re.search(r"\x1b\[(?:\d+;)*(?:3|4|9)\d", colourless)
    if arguments == ["schema"]:  # JSON, for programs
        return
    for line in plain_lines(colourless):
        assert len(line) <= 60 or len(line.split()) == 1 or line.lstrip().startswith(("-->", "run ")), line
    if arguments[0] == "train":
        assert "the_kind_of_the_flower" in colourless and "elapsed" in colourless


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
@pytest.mark.parametrize("command", [["kinds"], ["schema"], ["params", str(SPECS / "digits_mlp.yaml")]])
def test_output_that_cannot_be_written_is_one_error(command: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run([sys.executable, "-m", "dlrun", *command], stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1
    assert done.stderr == "error: the output cannot be written: No space left on device\n"


@pytest.mark.parametrize("last", [1, 7, 8, 40])
def test_the_columns_of_a_table_that_fit_are_not_broken(last: int, capsys: pytest.CaptureFixture[str]) -> None:
    columns, row = ("猫" * 5, "b" * 95, "c" * last), ("1", "2", "3")  # 猫 is two wide
    fitting = screen.fitting(columns, [row])
    assert fitting == (3 if last <= 7 else 2)
    screen.table(columns[:fitting], [row[:fitting]])
    shown = [line.split() for line in capsys.readouterr().out.splitlines() if line.strip() and "─" not in line]
    assert shown == [list(columns[:fitting]), list(row[:fitting])]
    screen.table(columns, [row])
    assert (len(capsys.readouterr().out.split()) == 7) == (fitting == 3)
