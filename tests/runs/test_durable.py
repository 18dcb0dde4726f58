"""Durable operations: whole or not at all, whatever happens in the middle."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from faults import faults, in_child
from power import disk

from dlrun.runs import durable

OLD, NEW = b"old" * 50, [b"new" * 40, b"er" * 30]


def operations(tmp_path: Path) -> int:
    """How many it takes to replace a file."""
    (tmp_path / "counted").write_bytes(OLD)
    with faults("count") as counted:
        durable.replace_file(tmp_path / "counted", NEW)
    return counted.count


def test_a_file_is_replaced_by_all_blocks_in_order(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_bytes(OLD)
    durable.replace_file(file, NEW)
    assert file.read_bytes() == b"".join(NEW)
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("mode", ["kill", "torn"])
def test_a_kill_at_any_operation_leaves_the_old_file_or_the_new_one(tmp_path: Path, mode: str) -> None:
    file, count = tmp_path / "a", operations(tmp_path)
    outcomes = []
    for at in range(1, count + 2):
        file.write_bytes(OLD)
        through = in_child(lambda: durable.replace_file(file, NEW), mode, at)
        assert through == (at > count)
        outcomes.append(file.read_bytes())
        durable.replace_file(file, [OLD])  # what was left does not disturb
        assert file.read_bytes() == OLD
    assert set(outcomes) == {OLD, b"".join(NEW)}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "counted"]


@pytest.mark.parametrize("mode", ["enospc", "eio"])
def test_a_fault_at_any_operation_is_raised_and_leaves_no_half_file(tmp_path: Path, mode: str) -> None:
    file, raised = tmp_path / "a", 0
    for at in range(1, operations(tmp_path) + 1):
        file.write_bytes(OLD)
        try:
            with faults(mode, at):
                durable.replace_file(file, NEW)
        except OSError:
            raised += 1
        assert file.read_bytes() in (OLD, b"".join(NEW))
        assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "counted"]
    assert raised >= 4  # opening, both blocks and renaming need room


@pytest.mark.parametrize("mode", ["enospc", "eio"])
def test_a_file_is_created_whole_or_not_at_all_whatever_fails(tmp_path: Path, mode: str) -> None:
    file, at = tmp_path / "a", 0
    through = False
    while not through:
        at += 1
        with faults(mode, at) as faulty, contextlib.suppress(OSError):
            durable.create_file(file, NEW)
        through = faulty.count < at
        assert not file.exists() or file.read_bytes() == b"".join(NEW)
        assert [path for path in tmp_path.iterdir() if path != file] == []
        file.unlink(missing_ok=True)
    assert at == 7  # opening, two blocks, syncing, removing the hidden name, syncing the folder; there is no seventh


def test_a_file_that_is_there_is_not_created(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(OLD)
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for name in ("a", "link"):
        with pytest.raises(FileExistsError):
            durable.create_file(tmp_path / name, NEW)
    assert (tmp_path / "a").read_bytes() == OLD
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "link"]


def test_processes_that_write_the_same_file_at_the_same_time_do_not_mix(tmp_path: Path) -> None:
    file = tmp_path / "a"

    def write(blocks: list[bytes]) -> Iterator[bytes]:
        yield blocks[0]
        assert in_child(lambda: durable.replace_file(file, [OLD], shared=True), "count")
        assert file.read_bytes() == OLD
        yield from blocks[1:]

    durable.replace_file(file, write(NEW), shared=True)
    assert file.read_bytes() == b"".join(NEW)
    assert list(tmp_path.iterdir()) == [file]


def test_a_disk_that_takes_a_part_at_a_time_gets_all(tmp_path: Path, monkeypatch) -> None:
    write = os.write
    monkeypatch.setattr(durable.os, "write", lambda descriptor, data: write(descriptor, data[:7]))
    durable.replace_file(tmp_path / "a", NEW)
    monkeypatch.undo()
    assert (tmp_path / "a").read_bytes() == b"".join(NEW)


def test_a_power_cut_at_any_moment_leaves_the_old_file_or_the_new_one(tmp_path: Path) -> None:
    root, random, seen = tmp_path / "root", Random(7), set()
    root.mkdir()
    with disk(root) as modelled:
        durable.replace_file(root / "a", [OLD])
        first = modelled.now
        durable.replace_file(root / "a", NEW)
        last = modelled.now
    for number, moment in enumerate(range(first, last + 1)):
        for again in range(20):
            at = tmp_path / f"{number}-{again}"
            modelled.cut_power(moment, at, random)
            seen.add((moment == last, (at / "a").read_bytes()))
    assert seen == {(False, OLD), (False, b"".join(NEW)), (True, b"".join(NEW))}


def test_the_power_cut_finds_what_is_not_synced(tmp_path: Path) -> None:
    root, random = tmp_path / "root", Random(7)
    root.mkdir()
    with disk(root, deaf=True) as modelled:
        durable.replace_file(root / "a", NEW)
    found = set()
    for number in range(50):
        at = tmp_path / str(number)
        modelled.cut_power(modelled.now, at, random)
        found.add((at / "a").read_bytes() if (at / "a").exists() else None)
    assert None in found
    assert len(found) > 2


def test_folders_are_removed_with_all_that_is_in_them_and_links_are_not_followed(tmp_path: Path) -> None:
    keep = tmp_path / "keep"
    keep.mkdir()
    (keep / "file").write_text("kept")
    folder = tmp_path / "folder"
    (folder / "inner").mkdir(parents=True)
    (folder / "inner" / "file").write_text("goes")
    (folder / "link").symlink_to(keep)
    durable.remove_folders([folder])
    assert list(tmp_path.iterdir()) == [keep]
    assert (keep / "file").read_text() == "kept"


def test_a_kill_while_a_folder_is_removed_leaves_it_whole_or_hidden(tmp_path: Path) -> None:
    folder, at = tmp_path / "folder", 0
    through = False
    while not through:
        at += 1
        folder.mkdir()
        for name in "abc":
            (folder / name).write_text(name)
        through = in_child(lambda: durable.remove_folders([folder]), "kill", at)
        assert not folder.exists() or len(list(folder.iterdir())) == 3
        durable.remove_folders(tmp_path.iterdir())
        assert not list(tmp_path.iterdir())
    assert at == 7  # renaming, syncing, three files and the folder; the seventh time there is no seventh
