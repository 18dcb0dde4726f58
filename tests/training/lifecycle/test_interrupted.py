"""Ctrl-C and SIGTERM at random moments, and a second one during the save.

DLRUN_FAULTS=2000 does it 200 times.
"""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from random import Random

import pytest
from whole_runs import MANY, TRAIN, Done, Program, Result, resumed, status_of, tell, the_run

pytestmark = pytest.mark.counts

CODES = {signal.SIGINT: 130, signal.SIGTERM: 143}
COUNT = MANY // 10 or 12


def hold_to(done: Done, numbers: list[int], folder: Path | None) -> str:
    """Exit code and status fit the signals; gives the status."""
    # Before training begins a signal does what it does to any program: the shell says 130 and 143 all the same.
    allowed = {0, *(CODES[signal.Signals(number)] for number in numbers), *(-number for number in numbers)}
    assert done.code in allowed, (done.code, done.said)
    assert "Traceback" not in done.said, done.said
    status = status_of(folder) if folder else ""
    if folder:
        assert status in (("FINISHED",) if done.code == 0 else ("KILLED", "FINISHED")), done.said
    if done.code in CODES.values() and folder and status == "KILLED":
        word = "interrupted" if done.code == 130 else "terminated"
        assert word in done.said or not done.said.count("run     "), done.said
    return status


def test_signals_at_random_moments_end_a_run_well_and_lose_nothing(
    program: Program, counted: Done, alone: Result, runs: Path
) -> None:
    random = Random(3)
    told = {"once": 0, "with a second one": 0, "interrupted twice": 0, "resumed": 0, "KILLED": 0, "FINISHED": 0, "": 0}
    took = counted.took
    for number in range(COUNT):
        own = runs / str(number)
        numbers = [random.choice([signal.SIGINT, signal.SIGTERM])]
        signals = [(took * random.uniform(0.1, 1.0), numbers[0])]
        if second := number % 3 == 1:
            numbers.append(random.choice([signal.SIGINT, signal.SIGTERM]))
            signals.append((random.uniform(0, 0.02), numbers[1]))
        told["with a second one" if second else "once"] += 1
        done = program(*TRAIN, own, signals=signals)
        took = min(took, done.took) if done.code == 0 else took * 1.03  # a machine is not always as busy
        if not own.exists():
            told[""] += 1
            continue
        told[hold_to(done, numbers, the_run(own))] += 1
        if number % 3 == 2 and (folder := the_run(own)) and status_of(folder) == "KILLED":
            told["interrupted twice"] += 1
            after = took * random.uniform(0.1, 0.7)
            hold_to(program("resume", "last", "--runs", own, signals=[(after, numbers[0])]), numbers, folder)
        told["resumed"] += bool(resumed(program, own, alone))
        shutil.rmtree(own)
    tell(
        f"signals: {COUNT}; " + ", ".join(f"{count} {what or 'before there was a run'}" for what, count in told.items())
    )
    assert told["KILLED"] and told["resumed"]


@pytest.mark.parametrize("number", CODES, ids=["ctrl-c", "terminated"])
@pytest.mark.parametrize("operation", ["write", "fsync", "rename"])
def test_a_second_signal_during_the_save_ends_at_once_and_the_run_is_resumable(
    program: Program, alone: Result, runs: Path, number: int, operation: str
) -> None:
    # The first comes in the ninth step, and the save that it asks for gets the second.
    before = f"""
import os, dlrun.training.lifecycle.checkpointing as k, dlrun.runs.durable as d
after, count = k.CheckpointPolicy.after_step, [0]
def after_step(self, training):
    if training.state.step == 9:
        os.kill(os.getpid(), {int(number)})
        real = getattr(d.os, {operation!r})
        def again(*args, **kwargs):
            setattr(d.os, {operation!r}, real)
            os.kill(os.getpid(), {int(number)})
            return real(*args, **kwargs)
        setattr(d.os, {operation!r}, again)
    after(self, training)
k.CheckpointPolicy.after_step = after_step
"""
    done = program(*TRAIN, runs, before=before)
    folder = the_run(runs)
    assert done.code == CODES[number] and folder is not None, done.said
    assert f"`dlrun resume {folder}` resumes it" in done.said
    assert not (folder / "last.safetensors").exists()  # nothing more was done
    assert status_of(folder) == "KILLED"
    assert "resumes after step 8," in resumed(program, runs, alone)


@pytest.mark.parametrize("number", CODES, ids=["ctrl-c", "terminated"])
def test_one_signal_ends_after_the_step_with_a_checkpoint_of_it(
    program: Program, alone: Result, runs: Path, number: int
) -> None:
    before = f"""
import os, dlrun.training.loop as l
step = l.Training._step
def stepping(self, rows):
    if self.state.step == 9:
        os.kill(os.getpid(), {int(number)})
    step(self, rows)
l.Training._step = stepping
"""
    done = program(*TRAIN, runs, before=before)
    folder = the_run(runs)
    assert done.code == CODES[number] and folder is not None, done.said
    assert f"`dlrun resume {folder}` resumes it" in done.said
    assert (folder / "last.safetensors").exists() and '"status": "KILLED"' in (folder / "run.json").read_text()
    assert "resumes after step 10," in resumed(program, runs, alone)


@pytest.mark.parametrize("number", CODES, ids=["ctrl-c", "terminated"])
def test_a_real_process_ends_with_the_code_that_a_shell_gives(program: Program, runs: Path, number: int) -> None:
    command = [sys.executable, "-m", "dlrun", *TRAIN, str(runs), "train.epochs=3000"]
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, cwd=program.folder, stdout=subprocess.DEVNULL, stderr=pipe)
    deadline = time.monotonic() + 60
    while not (begun := list(runs.glob("*/checkpoints/step-*"))) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert begun
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    assert process.returncode == CODES[number], said
    folder = the_run(runs)
    assert folder is not None and status_of(folder) == "KILLED"
    assert f"`dlrun resume {folder}` resumes it" in said.decode()
