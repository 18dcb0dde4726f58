"""The cache: an array is made once, whole or not at all, and never used after its files changed."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Generator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from faults import faults, in_child
from places import ROOT

from dlrun import cache
from dlrun.cache import CacheError
from dlrun.stored import StoredArray, stamp

VALUES = np.arange(60, dtype=np.uint8).reshape(5, 3, 4)
NAME = "images-1"


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DLRUN_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def get(made: list[str] | None = None) -> cache.Cached:
    """The array, from the cache; `made` gets an entry each time that it is made."""

    def make() -> Generator[bytes]:
        if made is not None:
            made.append("made")
        yield VALUES[:2].tobytes()
        yield VALUES[2:].tobytes()

    return cache.cached(NAME, "five images", "|u1", VALUES.shape, make)


def entries(place: Path) -> list[str]:
    """What is in the cache, without the files of locks."""
    return sorted(entry.name for entry in place.iterdir() if not entry.name.endswith(".lock"))


def test_an_array_is_made_once_and_then_found(place: Path) -> None:
    made: list[str] = []
    for _ in range(3):
        found = get(made)
        assert isinstance(found.values, StoredArray)
        assert np.array_equal(found.values, VALUES) and found.values.dtype == np.uint8
        assert found.digest == hashlib.sha256(b"|u1 (5, 3, 4);" + VALUES.tobytes()).hexdigest()
    assert made == ["made"] and entries(place) == [NAME]
    assert np.array_equal(np.load(place / NAME / "values.npy"), VALUES)


def damage(entry: Path, how: str) -> None:
    values, about = entry / "values.npy", entry / "about.json"
    if how == "cut":
        os.truncate(values, values.stat().st_size - 1)
    elif how == "longer":
        values.write_bytes(values.read_bytes() + b"\0")
    elif how == "no values":
        values.unlink()
    elif how == "no description":
        about.unlink()
    elif how == "flipped":
        about.write_bytes(about.read_bytes().replace(b"five", b"nine"))
    else:
        shutil.rmtree(entry)
        entry.write_bytes(b"a file")


@pytest.mark.parametrize("how", ["cut", "longer", "no values", "no description", "flipped", "a file"])
def test_a_damaged_entry_is_made_again(how: str, place: Path) -> None:
    get()
    damage(place / NAME, how)
    made: list[str] = []
    assert np.array_equal(get(made).values, VALUES) and made == ["made"]
    assert get(made).digest and made == ["made"] and entries(place) == [NAME]


def test_an_array_of_another_shape_or_type_is_not_taken(place: Path) -> None:
    get()
    other = cache.cached(NAME, "others", "<u2", (5, 6), lambda: (one for one in [VALUES.tobytes()]))
    assert np.array_equal(other.values, VALUES.view("<u2").reshape(5, 6))


def operations() -> int:
    """How many operations it takes to make the entry."""
    with faults("count") as counting:
        get()
    return counting.count


@pytest.mark.parametrize("mode", ["enospc", "eio"])
def test_a_disk_that_is_full_or_fails_leaves_nothing_of_use(mode: str, place: Path) -> None:
    failures, count = 0, operations()
    for number in range(1, count + 1):
        shutil.rmtree(place)
        place.mkdir()
        try:
            with faults(mode, number):
                get()
        except CacheError as error:
            failures += 1
            assert str(place) in error.message and "five images" in error.message
            assert "No space" in error.message or "Input/output" in error.message
            assert error.hint == "set DLRUN_CACHE to a folder with room, or make room there"
        assert set(entries(place)) <= {NAME, f".{NAME}.part"}
        assert np.array_equal(get().values, VALUES) and entries(place) == [NAME]
    assert failures > count // 2


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a fork is killed")
@pytest.mark.parametrize("mode", ["kill", "torn"])
def test_a_kill_at_any_operation_leaves_no_half_entry(mode: str, place: Path) -> None:
    for number in range(1, operations() + 1):
        shutil.rmtree(place)
        assert not in_child(get, mode, number)
        assert np.array_equal(get().values, VALUES) and entries(place) == [NAME]


def run(program: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", program, *arguments], cwd=ROOT, stdout=subprocess.PIPE, text=True)


TWICE = """
import sys, time
from pathlib import Path
from dlrun import cache

log = Path(sys.argv[1])

def make():
    with log.open("a") as file:
        file.write("made ")
    time.sleep(0.5)
    yield bytes(range(60))

with cache.watching(lambda what, share: print(what, share)):
    found = cache.cached("images-1", "five images", "|u1", (5, 3, 4), make)
print(found.values[:].sum(), found.digest)
"""


def test_two_processes_at_once_make_it_once_and_the_second_says_that_it_waits(place: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    first = run(TWICE, str(log))
    while not log.exists():
        time.sleep(0.01)
    second = run(TWICE, str(log))
    answers = [process.communicate(timeout=60)[0].splitlines() for process in (first, second)]
    assert log.read_text() == "made "
    assert answers[0] == [f"{VALUES.sum()} {get().digest}"]
    assert (
        answers[1]
        == [f"waiting for another process, which prepares five images {share}" for share in (0, 1)] + answers[0]
    )


def test_the_key_is_another_one_for_whatever_changes(tmp_path: Path) -> None:
    file = tmp_path / "a.png"

    def key(kind: str = "images", size: int = 8, name: str = "a.png") -> str:
        return cache.key(kind, {"size": size, "version": 1}, [(name, stamp(file.stat()))])

    file.write_bytes(b"one")
    before = file.stat()
    first = key()
    again = cache.key("images", {"version": 1, "size": 8}, [("a.png", stamp(file.stat()))])
    assert key() == again == first
    others = {key(kind="tokens"), key(size=9), key(name="b.png")}
    time.sleep(0.02)
    file.write_bytes(b"two")
    others.add(key())
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))  # as if it had never changed
    others.add(key())
    file.write_bytes(b"three")
    others.add(key())
    (tmp_path / "copy").write_bytes(b"three")
    (tmp_path / "copy").rename(file)
    others.add(key())
    assert len(others) == 7 and first not in others


def test_the_folder_is_the_first_that_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache.folder() == tmp_path / "cache"
    monkeypatch.delenv("DLRUN_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache.folder() == tmp_path / "xdg" / "dlrun"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert cache.folder() == tmp_path / ".cache" / "dlrun"


def test_too_little_room_is_found_before_anything_is_made(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=100))
    made: list[str] = []
    with pytest.raises(CacheError) as caught:
        get(made)
    assert caught.value.message == f"the cache {place} has 100 B free, and needs 188 B for five images"
    assert made == [] and entries(place) == []


def test_a_cache_that_cannot_be_written_is_one_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("DLRUN_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(CacheError) as caught:
        get()
    assert caught.value.message == (
        f"the cache {tmp_path}/file/cache cannot be written, for five images: Not a directory"
    )


def test_what_makes_an_array_is_closed_when_the_disk_is_full(place: Path) -> None:
    ended = []

    def make() -> Generator[bytes]:
        try:
            yield VALUES[:2].tobytes()
            yield VALUES[2:].tobytes()
        except GeneratorExit:
            ended.append("closed")
            raise

    with faults("count") as counting:
        get()
    shutil.rmtree(place)
    write = counting.names.index("write") + 2  # the first block, after the header
    with pytest.raises(CacheError) as caught, faults("enospc", write):
        cache.cached(NAME, "five images", "|u1", VALUES.shape, make)
    assert caught.value and ended == ["closed"]


def test_what_making_raises_comes_through_and_leaves_nothing(place: Path) -> None:
    def make() -> Generator[bytes]:
        yield b"1"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cache.cached(NAME, "five images", "|u1", VALUES.shape, make)
    assert entries(place) == []
