"""Every command line in the handwritten pages is one: its command and its options are there, and what is quick runs."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
import tomllib

import pytest
import typer
from places import BENCHMARKS, DOCS, ROOT
from test_docs import PAGES, blocks

from dlrun.checks.check import check
from dlrun.commands.app import app

COMMANDS = typer.main.get_command(app).commands  # type: ignore[attr-defined]
QUICK = re.compile(r"dlrun ((check|params|draw) .*\.yaml|kinds|schema)(?!.*[A-Z]{3})")
"""Run as they stand, unless a word such as SPEC stands for a file."""


def lines_of(program: str) -> list[str]:
    """The command lines of a program: in text between backticks, indented, and in blocks without a language."""
    found = []
    for page in PAGES:
        text = page.read_text("utf-8")
        found += re.findall(rf"`({program} [^`\n]*)`", text)
        found += re.findall(rf"^(?: {{4}}(?:\$ |.* && )?)({program} .*)$", text, re.MULTILINE)
        for block in re.findall(r"^```\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
            found += re.findall(rf"^({program} .*)$", block, re.MULTILINE)
    return sorted(set(found))


def words(line: str) -> list[str]:
    """The arguments, without a comment and without the file that the output goes to."""
    return shlex.split(line.partition(" > ")[0], comments=True)[1:]


@pytest.mark.parametrize("line", lines_of("dlrun"))
def test_the_command_and_its_options_are_there(line):
    name, *arguments = words(line)
    if name != "--install-completion":
        assert COMMANDS[name].make_context(name, arguments, resilient_parsing=not arguments)


@pytest.mark.parametrize("line", [line for line in lines_of("dlrun") if QUICK.match(line)])
def test_a_quick_command_does_what_the_page_says(line, tmp_path):
    shutil.copytree(ROOT / "specs", tmp_path / "specs")
    (tmp_path / "docs" / "pictures").mkdir(parents=True)
    command = [sys.executable, "-m", "dlrun", *words(line)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout


@pytest.mark.parametrize("line", [line for line in lines_of("dlrun train") if ".yaml" in line])
def test_the_changes_of_a_training_are_right(line, tmp_path):
    _, spec, *changes = words(line)
    if not (ROOT / spec).exists():
        (tmp_path / spec).write_text(blocks(DOCS / "language.md")[0], "utf-8")
    assert check(ROOT / spec if (ROOT / spec).exists() else tmp_path / spec, changes)


def test_the_readme_has_a_row_for_every_command():
    rows = re.findall(r"^\| `dlrun (\w+)", (ROOT / "README.md").read_text("utf-8"), re.MULTILINE)
    assert set(rows) == set(COMMANDS)


def test_the_options_of_the_benchmarks_are_there():
    done = subprocess.run([sys.executable, BENCHMARKS / "peers", "--help"], capture_output=True, text=True, timeout=60)
    options = set(re.findall(r"--[a-z-]+", done.stdout))
    page = (DOCS / "benchmarks.md").read_text("utf-8") + (ROOT / "README.md").read_text("utf-8").split("## Speed")[1]
    assert set(re.findall(r"--[a-z-]+", page)) - {"---", "----"} <= options
    for line in lines_of("python benchmarks"):
        assert (ROOT / words(line)[0]).exists(), line


def test_the_extras_and_the_targets_of_make_are_there():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    for page in PAGES:
        text = page.read_text("utf-8")
        for names in re.findall(r"'(?:\.|dlrun)\[([\w,]+)\]'", text):
            assert set(names.split(",")) <= set(extras)
        assert set(re.findall(r"`make (\w+)`", text)) <= set(targets)
