"""A run that was killed, anywhere and however often, and resumed is the run that was left alone.

DLRUN_FAULTS=2000 kills at every durable operation, at as many random moments, and in a tenth as many chains of six.
"""

from __future__ import annotations

import shutil
import signal
from pathlib import Path
from random import Random

import pytest
from whole_runs import (
    CAPTURED,
    KILLED,
    MANY,
    TRAIN,
    Done,
    Program,
    Result,
    differences,
    of_each_kind,
    result_of,
    resumed,
    spread,
    tell,
    the_run,
)

pytestmark = pytest.mark.counts


@pytest.mark.parametrize("mode", ["kill", "torn"])
def test_a_kill_at_any_durable_operation_loses_nothing(
    program: Program, counted: Done, alone: Result, runs: Path, mode: str
) -> None:
    chosen = list(range(1, len(counted.calls) + 1)) if MANY else of_each_kind(counted.calls, 10)
    if mode == "torn":
        chosen = [number for number in chosen if counted.calls[number - 1][0] == "write"]
    chosen = chosen if MANY else chosen[::6]
    began, ends = 0, set()
    for number in chosen:
        own = runs / str(number)
        assert program(*TRAIN, own, mode=mode, at=number).code == KILLED
        said = resumed(program, own, alone)
        began += bool(said)
        ends.add(next((line for line in said.splitlines() if line.startswith("note: resumes")), ""))
        shutil.rmtree(own)
    assert len(ends) > 3 or mode == "torn"
    tell(f"{mode}: {len(chosen)} of {len(counted.calls)} durable operations; {began} runs resumed, all equal")


def test_a_kill_at_any_durable_operation_of_a_resume_loses_nothing(
    program: Program, counted: Done, alone: Result, runs: Path
) -> None:
    half = len(counted.calls) // 2
    assert program(*TRAIN, runs / "first", mode="kill", at=half).code == KILLED
    shutil.copytree(runs / "first", runs / "counted")
    calls = program("resume", "last", "--runs", runs / "counted").calls
    chosen = range(1, len(calls) + 1) if MANY else of_each_kind(calls, 3)[::16]
    for number in chosen:
        own = runs / str(number)
        shutil.copytree(runs / "first", own)
        assert program("resume", "last", "--runs", own, mode="kill", at=number).code == KILLED
        resumed(program, own, alone)
        shutil.rmtree(own)
    tell(f"kill in a resume: {len(chosen)} of {len(calls)} durable operations, all equal")


def test_a_kill_at_a_random_moment_loses_nothing(program: Program, counted: Done, alone: Result, runs: Path) -> None:
    random, began, killed, took = Random(1), 0, 0, counted.took
    for number in range(MANY or 8):
        own = runs / str(number)
        done = program(*TRAIN, own, signals=[(took * random.uniform(0.1, 1.0), signal.SIGKILL)])
        took = min(took, done.took) if done.code == 0 else took * 1.03  # a machine is not always as busy
        assert done.code in (0, KILLED), done.said
        killed += done.code == KILLED
        if own.exists():
            began += bool(resumed(program, own, alone))
            shutil.rmtree(own)
    assert killed
    tell(f"kill at a random moment: {MANY or 8}; {killed} killed before the end, {began} resumed, all equal")


def test_six_kills_in_a_row_lose_nothing(program: Program, counted: Done, alone: Result, runs: Path) -> None:
    random, killed, chains = Random(2), 0, MANY // 10 or 2
    begins = next(number for number, call in enumerate(counted.calls, 1) if call[1].endswith("metrics.jsonl"))
    for chain in range(chains):
        own = runs / str(chain)
        done = program(*TRAIN, own, mode="kill", at=random.randint(begins, len(counted.calls)))
        for _ in range(5):
            assert done.code == KILLED, done.said
            killed += 1
            at = random.choice([random.randint(1, 20), random.randint(1, 120)])
            done = program("resume", "last", "--runs", own, mode=random.choice(["kill", "torn"]), at=at)
            if done.code != KILLED:  # there were not so many left
                break
        killed += done.code == KILLED
        resumed(program, own, alone)
        shutil.rmtree(own)
    tell(f"chains of up to six kills in a row: {chains}, {killed} kills, all equal")


TELL_OF_CAPTURES = """
import sys, dlrun.training.speed.capture as capturing
own = capturing.capture
def reported(*given):
    found = own(*given)
    sys.stderr.write("captured" if found[1] else "not captured")
    return found
capturing.capture = reported
"""


@pytest.mark.parametrize("network", CAPTURED)
def test_a_kill_loses_nothing_where_steps_are_captured(program: Program, runs: Path, network: str) -> None:
    # Killed once its steps are captured, a run resumes with twenty steps that are not.
    train = "train", f"{network}.yaml", "--runs"
    whole = program(*train, runs / "alone", before=TELL_OF_CAPTURES)
    folder = the_run(runs / "alone")
    assert whole.code == 0 and folder is not None, whole.said
    assert "captured" in whole.said and "not captured" not in whole.said
    assert ("computed once for each of 240 rows" in whole.said) == (network in ("trunk", "unfreezing"))
    alone, random, began = result_of(folder), Random(3), 0
    for number in range(MANY // 20 or 3):
        own = runs / str(number)
        at = random.randint(len(whole.calls) // 2, len(whole.calls))
        assert program(*train, own, mode="kill", at=at).code == KILLED
        began += bool(resumed(program, own, alone))
        shutil.rmtree(own)
    assert began
    tell(f"kill of captured steps, {network}: {MANY // 20 or 3}, {began} resumed, all equal")


def test_a_run_that_was_killed_before_it_began_is_trained_again_in_the_same_second(
    program: Program, alone: Result, runs: Path
) -> None:
    for number in spread(20, 3):
        assert program(*TRAIN, runs, mode="kill", at=number).code == KILLED
    assert the_run(runs) is None
    done = program(*TRAIN, runs)
    folder = the_run(runs)
    assert done.code == 0 and folder is not None, done.said
    assert not differences(result_of(folder), alone)
