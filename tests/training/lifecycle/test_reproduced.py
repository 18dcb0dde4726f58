"""A run that was killed is trained again as far as it went, and one that was resumed to its end as a whole."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from whole_runs import Program, differences, killed, result_of, status_of


def reproduced(program: Program, folder: Path) -> tuple[str, Path]:
    """The last line that is said of a run, and the folder of the run that trained it again."""
    done = program("reproduce", folder)
    assert done.code == 0, done.said
    (again,) = re.findall(r"^  run +(\S+) on cpu", done.said, re.MULTILINE)
    return done.said.splitlines()[-1], Path(again)


@pytest.mark.parametrize(("step", "epochs"), [(7, "1 epoch"), (12, "1 epoch"), (17, "2 epochs")])
def test_a_run_that_was_killed_is_reproduced_as_far_as_it_went_and_then_as_a_whole(
    program: Program, runs: Path, step: int, epochs: str
) -> None:
    folder = killed(program, runs, step)  # in an epoch, and in one case after its last step, before its metrics
    said, again = reproduced(program, folder)
    assert said == f"the same bits as {folder.name}: {epochs}, as far as it went"
    assert status_of(again) == "KILLED"
    assert program("resume", folder).code == 0
    said, again = reproduced(program, folder)
    assert said == f"the same bits as {folder.name}: 3 epochs, the test, the best and the last weights"
    differing = differences(result_of(again), result_of(folder))
    assert set(differing) <= {"files"}  # its baselines are not computed again
    assert program("resume", again).code == 0  # a reproduction is a run


def test_a_run_that_was_killed_in_its_first_epoch_cannot_be_reproduced(program: Program, runs: Path) -> None:
    folder = killed(program, runs, 5)
    done = program("reproduce", folder)
    assert (done.code, done.said.count("error: ")) == (1, 1)
    assert f"{folder.name} ended before its first epoch was complete: there is nothing to compare with" in done.said
