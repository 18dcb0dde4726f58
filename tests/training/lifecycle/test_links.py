"""A run's folder that came from elsewhere: no link in it leads a command to a file or a folder of the user."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from whole_runs import KILLED, TRAIN, Done, Program, Result, the_run

from dlrun.runs.run_json import closed_run
from dlrun.tracking.delivery_state import DeliveryState, recall, remember

pytestmark = pytest.mark.skipif(os.name == "nt", reason="links need rights there")

KINDS: dict[str, Callable[[Path, Path], None]] = {
    "symbolic": lambda link, victim: link.symlink_to(victim),
    "hard": lambda link, victim: link.hardlink_to(victim),
    "dangling": lambda link, victim: link.symlink_to(victim.with_name("new")),
    "pipe": lambda link, victim: os.mkfifo(link),
}
TEXT = "a file of the user"


def files_of(calls: list[tuple[str, str]]) -> set[str]:
    """The files that were opened in the folder of the run itself."""
    opened = [Path(target) for name, target in calls if name == "open"]
    return {path.name for path in opened if path.parent.name.startswith("digits-")}


@pytest.fixture
def first(program: Program, counted: Done, runs: Path) -> Path:
    """A run that was killed with three checkpoints."""
    assert program(*TRAIN, runs / "first", mode="kill", at=int(len(counted.calls) * 0.8)).code == KILLED
    folder = the_run(runs / "first")
    assert folder is not None
    return folder


@pytest.mark.parametrize("kind", KINDS)
def test_every_file_that_a_resume_opens_is_no_link(
    program: Program, alone: Result, runs: Path, first: Path, kind: str
) -> None:
    victim = runs / "victim"
    shutil.copytree(first.parent, runs / "counted")
    names = files_of(program("resume", "last", "--runs", runs / "counted").calls)
    assert {"lock", "metrics.jsonl", ".run.json.part", ".resolved.yaml.part", ".best.safetensors.part"} <= names
    refused = set()
    for number, name in enumerate(sorted(names)):
        victim.write_text(TEXT)
        folder = runs / str(number) / first.name
        shutil.copytree(first, folder)
        (folder / name).unlink(missing_ok=True)
        KINDS[kind](folder / name, victim)
        done = program("resume", folder)
        assert victim.read_text() == TEXT, name
        assert not victim.with_name("new").exists(), name
        assert done.code in (0, 1) and "Traceback" not in done.said, done.said
        if done.code:
            refused.add(name)
            assert "is a link" in done.said or "not a regular file" in done.said, done.said
    assert refused == {"lock", "metrics.jsonl"}  # the others are replaced


def test_every_folder_that_a_resume_writes_or_removes_is_no_link(program: Program, runs: Path, first: Path) -> None:
    last = max(path.name for path in (first / "checkpoints").iterdir())
    names = ["", ".step-000000001.part", ".step-000000001.old", f".{last}.old", f".{last}-2.part", "step-000000001"]
    names += [f".step-{number:09d}.part" for number in range(10, 19)]
    for number, name in enumerate(names):
        victim = runs / f"victim-{number}"
        victim.mkdir()
        (victim / ".step-000000002.part").mkdir()
        (victim / ".step-000000002.part" / "file").write_text(TEXT)
        (victim / "file").write_text(TEXT)
        folder = runs / str(number) / first.name
        shutil.copytree(first, folder)
        link = folder / "checkpoints" / name if name else folder / "checkpoints"
        if link.is_dir():
            shutil.rmtree(link)
        link.symlink_to(victim)
        done = program("resume", folder)
        assert done.code == (0 if name else 1), done.said
        assert name or "is a link" in done.said, done.said
        assert sorted(path.name for path in victim.iterdir()) == [".step-000000002.part", "file"]
        assert [path.name for path in (victim / ".step-000000002.part").iterdir()] == ["file"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", [".tracking.json.part", "tracking.json", ".run.json.part", "run.json", "lock"])
def test_what_a_delivery_writes_is_no_link(runs: Path, first: Path, name: str, kind: str) -> None:
    victim = runs / "victim"
    victim.write_text(TEXT)
    before = (first / "run.json").read_bytes()
    (first / name).unlink(missing_ok=True)
    if name != "run.json":
        KINDS[kind](first / name, victim)
    elif kind != "pipe":  # the link leads to a valid description of the run
        victim.write_bytes(before)
        KINDS["symbolic" if kind == "dangling" else kind](first / name, victim)
    else:
        (first / name).write_bytes(before)
    text = victim.read_bytes()
    if name == "lock":
        with pytest.raises(Exception, match=r"is a link|not a regular file|No such file"):
            closed_run(first)
    else:
        closed = closed_run(first)
        assert closed is not None and closed.status == "KILLED"
        remember(first, "http://host", DeliveryState("a", 1, False))
        assert recall(first, "http://host") == DeliveryState("a", 1, False)
    assert victim.read_bytes() == text
    assert not victim.with_name("new").exists()
