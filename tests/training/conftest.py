from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from whole_runs import TRAIN, Done, Program, Result, result_of, the_run

MEMORY = Path("/dev/shm")
"""A kill loses nothing that a system call has done, so the runs need no disk, which is slow to sync."""


@pytest.fixture(scope="session")
def program() -> Iterator[Program]:
    folder = Path(tempfile.mkdtemp(dir=MEMORY if MEMORY.is_dir() else None))
    made = Program(folder)
    yield made
    made.close()
    shutil.rmtree(folder)


@pytest.fixture
def runs(program: Program) -> Iterator[Path]:
    """A new folder of runs."""
    folder = Path(tempfile.mkdtemp(dir=program.folder, prefix="runs-"))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def counted(program: Program) -> Done:
    """The run that nobody touched."""
    done = program(*TRAIN, "alone")
    assert done.code == 0, done.said
    return done


@pytest.fixture(scope="session")
def alone(program: Program, counted: Done) -> Result:
    """What it has left."""
    folder = the_run(program.folder / "alone")
    assert folder is not None
    return result_of(folder)
