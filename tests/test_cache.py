"""The cache: an array is made once, whole or not at all, and never used after its files changed."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

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

    def make(writer: cache.Writer) -> dict[str, Any]:
        if made is not None:
            made.append("made")
        writer.add("images", VALUES[:2])
        writer.add("images", VALUES[2:])
        return {"classes": ["a", "b"]}

    found = cache.entry(NAME, "five images", VALUES.nbytes, make)
    assert found.name == NAME and found.known == {"classes": ["a", "b"]} and list(found.arrays) == ["images"]
    return found.arrays["images"]


def entries(place: Path) -> list[str]:
    """What is in the cache, without the files of locks."""
    return sorted(entry.name for entry in place.iterdir() if not entry.name.endswith(".lock"))


def test_an_array_is_made_once_and_then_found(place: Path) -> None:
    made: list[str] = []
    for _ in range(3):
        found = get(made)
        assert isinstance(found.values, StoredArray)
        assert np.array_equal(found.values, VALUES) and found.values.dtype == np.uint8
        assert found.digest == hashlib.sha256(VALUES.tobytes() + b";|u1 (5, 3, 4)").hexdigest()
    assert made == ["made"] and entries(place) == [NAME]
    assert np.array_equal(np.load(place / NAME / "images.npy"), VALUES)


def damage(entry: Path, how: str) -> None:
    values, about = entry / "images.npy", entry / "about.json"
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


def test_an_entry_has_arrays_that_grow_together_and_a_reader_may_begin_again(place: Path) -> None:
    numbers, codes = np.arange(30.0).reshape(10, 3), np.arange(10, dtype=np.int32)

    def make(writer: cache.Writer) -> dict[str, Any]:
        writer.add("numbers", numbers[:7] + 1)
        writer.clear()
        for start in (0, 4, 8):
            writer.add("numbers", numbers[start : start + 4])
            writer.add("codes", codes[start : start + 4])
        return {}

    found = cache.entry("table-1", "a table", 280, make).arrays
    assert np.array_equal(found["numbers"].values, numbers) and np.array_equal(found["codes"].values, codes)
    assert found["codes"].values.shape == (10,) and found["codes"].values.dtype == np.int32
    for name, values in (("numbers", numbers), ("codes", codes)):
        assert np.array_equal(np.load(place / "table-1" / f"{name}.npy"), values)
        described = f";{values.dtype.str} {values.shape}".encode()
        assert found[name].digest == hashlib.sha256(values.tobytes() + described).hexdigest()


def test_what_was_not_used_for_ninety_days_is_removed_when_something_new_is_made(place: Path) -> None:
    get()
    cache.remember("survey", {"file": "old"}, {"lowest": 0})
    cache.remember("survey", {"file": "used"}, {"lowest": 1})
    long_ago = time.time() - 91 * 86400
    for path in place.iterdir():
        os.utime(path / "about.json" if path.is_dir() else path, (long_ago, long_ago))
    assert cache.recall("survey", {"file": "used"}) == {"lowest": 1}  # which makes it used today
    cache.entry("images-2", "others", 1, lambda writer: {})
    assert cache.recall("survey", {"file": "used"}) == {"lowest": 1}
    assert cache.recall("survey", {"file": "old"}) is None and NAME not in entries(place)


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
import numpy as np
from dlrun import cache

log = Path(sys.argv[1])

def make(writer):
    with log.open("a") as file:
        file.write("made ")
    while not log.with_name("waits").exists():
        time.sleep(0.01)
    writer.add("images", np.arange(60, dtype=np.uint8).reshape(5, 3, 4))
    return {"classes": ["a", "b"]}

def said(what, share):
    print(what, share)
    if what.startswith("waiting"):
        log.with_name("waits").touch()

with cache.watching(said):
    found = cache.entry("images-1", "five images", 60, make).arrays["images"]
print(found.values[:].sum(), found.digest)
"""


def test_two_processes_at_once_make_it_once_and_the_second_says_that_it_waits(place: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    first = run(TWICE, str(log))
    while not log.exists():
        assert first.poll() is None
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


def test_what_was_used_longest_ago_makes_room(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def make(writer: cache.Writer) -> dict[str, Any]:
        writer.add("numbers", np.zeros(10_000))
        return {}

    for number, hours in ((1, 3), (2, 2), (3, 0)):
        cache.entry(f"table-{number}", "a table", 80_000, make)
        used = time.time() - hours * 3600
        os.utime(place / f"table-{number}" / "about.json", (used, used))
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=300_000))
    cache.entry("table-4", "a table", 80_000, make)  # 541 kB in all, half of which holds three tables
    assert entries(place) == ["table-2", "table-3", "table-4"]
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=90_000))
    cache.entry("table-5", "a table", 80_000, make)  # all of the last hour stay
    assert entries(place) == ["table-3", "table-4", "table-5"]


def test_too_little_room_is_found_before_anything_is_made(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=50))
    made: list[str] = []
    with pytest.raises(CacheError) as caught:
        get(made)
    assert caught.value.message == f"the cache {place} has 50 B free, and needs 60 B for five images"
    assert made == [] and entries(place) == []


def test_a_cache_that_cannot_be_written_is_one_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("DLRUN_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(CacheError) as caught:
        get()
    assert caught.value.message == (
        f"the cache {tmp_path}/file/cache cannot be written, for five images: Not a directory"
    )


def test_a_full_disk_is_no_error_of_the_files_that_are_read(place: Path) -> None:
    read: list[OSError] = []

    def make(writer: cache.Writer) -> dict[str, Any]:
        try:
            writer.add("images", VALUES)
        except OSError as error:  # a reader takes this for an error of its own file
            read.append(error)
        return {}

    with faults("count") as counting:
        get()
    shutil.rmtree(place)
    write = counting.names.index("write") + 2  # the first block, after the header
    with pytest.raises(CacheError), faults("enospc", write):
        cache.entry(NAME, "five images", 60, make)
    assert not read and entries(place) == []


def test_what_making_raises_comes_through_and_leaves_nothing(place: Path) -> None:
    def make(writer: cache.Writer) -> dict[str, Any]:
        writer.add("images", VALUES)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cache.entry(NAME, "five images", 60, make)
    assert entries(place) == []
