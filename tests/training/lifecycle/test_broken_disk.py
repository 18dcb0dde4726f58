"""A disk that is full or fails, and a memory that is: one error, the last checkpoint as it was, and resumable."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from faults import NEED_ROOM
from whole_runs import MANY, TRAIN, Done, Program, Result, of_each_kind, resumed, spread, status_of, tell, the_run

from dlrun.runs.checkpoints import Checkpoints

pytestmark = pytest.mark.counts


def has_failed(done: Done) -> None:
    """One error, in our words."""
    assert done.code == 1, done.said
    assert done.said.count("error: ") == 1 and "Traceback" not in done.said, done.said


@pytest.mark.parametrize("mode", ["enospc", "eio"])
def test_a_fault_at_any_durable_operation_is_one_error_and_loses_nothing(
    program: Program, counted: Done, alone: Result, runs: Path, mode: str
) -> None:
    every = range(1, len(counted.calls) + 1) if MANY else of_each_kind(counted.calls, 5)[mode == "eio" :: 9]
    chosen = [number for number in every if mode == "eio" or counted.calls[number - 1][0] in NEED_ROOM]
    failed = began = 0
    for number in chosen:
        own = runs / str(number)
        done = program(*TRAIN, own, mode=mode, at=number)
        folder = the_run(own)
        if done.code == 0:  # what could not be removed is removed later
            assert folder is not None and status_of(folder) == "FINISHED", done.said
        else:
            failed += 1
            has_failed(done)
            assert "No space left" in done.said or "Input/output error" in done.said, done.said
        if folder is not None and (folder / "checkpoints").exists():
            checkpoints = Checkpoints(folder)
            checkpoints.newest()
            assert not checkpoints.damaged
        began += bool(resumed(program, own, alone))
        shutil.rmtree(own)
    tell(f"{mode}: at {len(chosen)} of {len(counted.calls)} operations; {failed} errors, {began} resumed, all equal")
    assert failed and began


def test_a_disk_that_stays_full_is_one_error_each_time(
    program: Program, counted: Done, alone: Result, runs: Path
) -> None:
    has_failed(program(*TRAIN, runs, mode="enospc", at=len(counted.calls) // 2))
    for at in (1, 3, 40):
        has_failed(program("resume", "last", "--runs", runs, mode="enospc", at=at))
    assert resumed(program, runs, alone)


def test_a_disk_that_fills_while_a_resume_writes_loses_nothing(
    program: Program, counted: Done, alone: Result, runs: Path
) -> None:
    has_failed(program(*TRAIN, runs / "first", mode="enospc", at=len(counted.calls) // 2))
    shutil.copytree(runs / "first", runs / "counted")
    calls = program("resume", "last", "--runs", runs / "counted").calls
    needing = [number for number, call in enumerate(calls, 1) if call[0] in NEED_ROOM]
    chosen = needing if MANY else [needing[place - 1] for place in spread(len(needing), 4)]
    for number in chosen:
        own = runs / str(number)
        shutil.copytree(runs / "first", own)
        has_failed(program("resume", "last", "--runs", own, mode="enospc", at=number))
        resumed(program, own, alone)
        shutil.rmtree(own)
    tell(f"enospc in a resume: at {len(chosen)} of {len(needing)} operations that need room, all equal")


def test_a_runs_folder_that_is_no_folder_is_one_error(program: Program, runs: Path) -> None:
    (runs / "file").write_text("")
    has_failed(program(*TRAIN, runs / "file"))
    has_failed(program(*TRAIN, runs / "file" / "below"))


def test_a_runs_folder_that_is_read_only_is_one_error(program: Program, alone: Result, runs: Path) -> None:
    # Root may write anywhere, so the system's answer to others is given to the calls.
    refusing = """
import errno, os, faults
faults.FaultyOs._count = lambda *_: (_ for _ in ()).throw(OSError(errno.EROFS, os.strerror(errno.EROFS)))
"""
    has_failed(program(*TRAIN, runs / "own", before=refusing))
    has_failed(program(*TRAIN, runs, mode="enospc", at=100))
    has_failed(done := program("resume", "last", "--runs", runs, before=refusing))
    assert "Read-only" in done.said
    assert resumed(program, runs, alone)


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_runs_folder_without_the_right_to_write_is_one_error(program: Program, runs: Path) -> None:
    runs.chmod(0o500)
    has_failed(program(*TRAIN, runs))
    runs.chmod(0o700)


@pytest.mark.parametrize("error", ["MemoryError()", "torch.OutOfMemoryError('CUDA out of memory')"])
def test_memory_that_is_full_in_a_step_is_one_error_and_loses_nothing(
    program: Program, alone: Result, runs: Path, error: str
) -> None:
    done = program(*TRAIN, runs, before=failing_step(f"raise {error}"))
    has_failed(done)
    folder = the_run(runs)
    assert folder is not None and status_of(folder) == "FAILED"
    assert "not enough memory" in done.said and f"dlrun resume {folder}" in done.said
    assert "resumes after step 8," in resumed(program, runs, alone)


def test_memory_that_is_full_while_the_network_is_built_is_one_error(program: Program, runs: Path) -> None:
    failing = "import dlrun.training.lifecycle.setup as s\ndef build(*_): raise MemoryError\ns.build = build"
    has_failed(program(*TRAIN, runs, before=failing))


def failing_step(what: str) -> str:
    """The tenth step does something else."""
    return f"""
import torch, dlrun.training.loop as l
step = l.Training._step
def stepping(self, rows):
    if self.state.step == 9:
        {what}
    step(self, rows)
l.Training._step = stepping
"""
