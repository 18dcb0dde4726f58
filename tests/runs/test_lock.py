"""A run is locked for as long as the process that trains it lives."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from dlrun.errors import RunError
from dlrun.runs import lock as locking
from dlrun.runs.lock import is_locked, lock, lock_beside

HOLDER = """
import sys, time
from pathlib import Path
from dlrun.runs.lock import lock
with lock(Path(sys.argv[1])):
    {inside}
    print("held", flush=True)
    time.sleep(600)
"""


def holder(folder: Path, inside: str = "pass") -> tuple[subprocess.Popen[str], str]:
    """A process that holds the lock, and the line it printed."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER.format(inside=inside), str(folder)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    return process, process.stdout.readline()


def end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait()
    assert process.stdout is not None
    process.stdout.close()


@pytest.fixture(autouse=True)
def _impatient(monkeypatch) -> None:
    monkeypatch.setattr(locking, "MAX_WAIT", 0.02)


def test_a_run_that_was_never_locked_is_free(tmp_path: Path) -> None:
    assert not is_locked(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_second_one_is_refused_by_the_number_of_the_first_until_it_is_killed(tmp_path: Path) -> None:
    process, _ = holder(tmp_path)
    try:
        assert is_locked(tmp_path)
        message = f"the run {tmp_path.name} is being trained by process {process.pid}$"
        with pytest.raises(RunError, match=message), lock(tmp_path):
            pass
        assert is_locked(tmp_path)
    finally:
        end(process)
    assert not is_locked(tmp_path)
    with lock(tmp_path):
        assert is_locked(tmp_path)
    assert not is_locked(tmp_path)
    assert (tmp_path / "lock").exists()


def test_a_lock_is_released_when_its_block_raises(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), lock(tmp_path):
        raise ZeroDivisionError
    assert not is_locked(tmp_path)


@pytest.mark.parametrize(
    "inside",
    [
        "import subprocess; print(subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']).pid)",
        "import os; child = os.fork(); print(child) if child else time.sleep(600)",
    ],
    ids=["subprocess", "fork"],
)
def test_a_child_that_outlives_a_killed_run_does_not_hold_its_lock(tmp_path: Path, inside: str) -> None:
    process, line = holder(tmp_path, inside)
    child = int(line)
    try:
        assert is_locked(tmp_path)
        process.kill()
        process.wait()
        os.kill(child, 0)  # it lives
        assert not is_locked(tmp_path)
    finally:
        os.kill(child, signal.SIGKILL)
        end(process)


def test_a_child_that_ends_does_not_free_the_lock_of_its_parent(tmp_path: Path) -> None:
    program = f"""
import os, sys
from pathlib import Path
from dlrun.runs.lock import is_locked, lock
with lock(Path({str(tmp_path)!r})):
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        print(is_locked(Path({str(tmp_path)!r})))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "True\n"


def test_testing_the_lock_does_not_keep_a_run_from_starting(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(locking, "MAX_WAIT", 60)
    looking, looked = threading.Event(), threading.Event()

    def look() -> None:
        with lock(tmp_path):
            looking.set()
            looked.wait()

    thread = threading.Thread(target=look)
    thread.start()
    looking.wait()
    threading.Timer(0.05, looked.set).start()
    with lock(tmp_path):
        assert looked.is_set()
    thread.join()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": "x", "host": ""}', "[" * 4096])
def test_a_lock_file_without_a_valid_holder_still_locks(tmp_path: Path, text: str) -> None:
    with lock(tmp_path):
        (tmp_path / "lock").write_text(text)
        with pytest.raises(RunError, match="is being trained by another process"), lock(tmp_path):
            pass


def test_a_holder_on_another_machine_is_named_with_it(tmp_path: Path) -> None:
    with lock(tmp_path):
        (tmp_path / "lock").write_text('{"pid": 17, "host": "node-3.cluster"}')
        with pytest.raises(RunError, match=r"process 17 on node-3\.cluster"), lock(tmp_path):
            pass


def test_a_full_disk_does_not_hinder_a_lock(tmp_path: Path, monkeypatch) -> None:
    def full(*_args: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(locking.os, "write", full)
    with lock(tmp_path):
        assert is_locked(tmp_path)


def test_a_folder_that_is_gone_is_reported(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"cannot write .*No such file"), lock(tmp_path / "gone"):
        pass


def test_a_file_is_for_one_at_a_time(tmp_path: Path) -> None:
    file = tmp_path / "a"
    with lock_beside(file) as first, lock_beside(file, wait=False) as second, lock_beside(tmp_path / "b") as other:
        assert (first, second, other) == (True, False, True)
    with lock_beside(file, wait=False) as third:
        assert third
    assert sorted(path.name for path in tmp_path.iterdir()) == [".a.lock", ".b.lock"]


def test_who_waits_for_a_file_gets_it(tmp_path: Path) -> None:
    held, release = threading.Event(), threading.Event()

    def hold() -> None:
        with lock_beside(tmp_path / "a"):
            held.set()
            release.wait()

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait()
    threading.Timer(0.05, release.set).start()
    with lock_beside(tmp_path / "a") as mine:
        assert mine and release.is_set()
    thread.join()


def test_a_file_where_none_can_be_written_needs_no_lock(tmp_path: Path) -> None:
    with lock_beside(tmp_path / "gone" / "a", wait=False) as mine:
        assert mine
