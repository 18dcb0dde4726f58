"""A model of a disk after a power cut: only what was synced is certain to be there.

A file's content is safe once the file is synced, a name once its folder is. Everything else may be lost, in any
order, and a file may be short or full of zeros. Common file systems lose less.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any


class Entry:
    """A file or a folder; its name is in its parent."""

    def __init__(self, folder: bool):
        self.folder = folder
        self.history: list[tuple[int, Any]] = []
        """Changes and their times: a file's whole content, or (names removed, a name added, its entry)."""
        self.synced: list[int] = []


class Disk:
    """Replaces `os` in `dlrun.runs.durable`: does the same, and records what is safe at which moment."""

    def __init__(self, root: Path, deaf: bool = False):
        """With `deaf`, syncing makes nothing safe."""
        self.root, self.deaf = root, deaf
        self.now = 0
        self._entries = {root: Entry(True)}
        self._opened: dict[int, Path] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def _place(self, name: str | Path, folder: int | None) -> Path:
        return Path(name) if folder is None else self._opened[folder] / name

    def open(self, name: str | Path, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        path = self._place(name, dir_fd)
        new = not path.exists()
        descriptor = os.open(name, flags, mode, dir_fd=dir_fd)
        self._opened[descriptor] = path
        if new:
            self._entries[path] = Entry(False)
            self._note(path.parent, ((), path.name, self._entries[path]))
        self._note_content(path)
        return descriptor

    def write(self, descriptor: int, data: Any) -> int:
        written = os.write(descriptor, data)
        self._note_content(self._opened[descriptor])
        return written

    def ftruncate(self, descriptor: int, size: int) -> None:
        os.ftruncate(descriptor, size)
        self._note_content(self._opened[descriptor])

    def fsync(self, descriptor: int) -> None:
        os.fsync(descriptor)
        self.now += 1
        if not self.deaf:
            self._entries[self._opened[descriptor]].synced.append(self.now)

    def close(self, descriptor: int) -> None:
        self._opened.pop(descriptor, None)
        os.close(descriptor)

    def mkdir(self, name: str | Path, *, dir_fd: int | None = None) -> None:
        path = self._place(name, dir_fd)
        os.mkdir(path)
        self._entries[path] = Entry(True)
        self._note(path.parent, ((), path.name, self._entries[path]))

    def rename(
        self, before: str | Path, after: str | Path, *, src_dir_fd: int | None = None, dst_dir_fd: int | None = None
    ) -> None:
        old, new = self._place(before, src_dir_fd), self._place(after, dst_dir_fd)
        assert old.parent == new.parent
        os.rename(old, new)
        for path in [path for path in self._entries if path == old or old in path.parents]:
            self._entries[new / path.relative_to(old)] = self._entries.pop(path)
        self._note(new.parent, ((old.name,), new.name, self._entries[new]))

    replace = rename

    def unlink(self, name: str | Path, *, dir_fd: int | None = None) -> None:
        path = self._place(name, dir_fd)
        os.unlink(path)
        del self._entries[path]
        self._note(path.parent, ((path.name,), None, None))

    def rmdir(self, name: str | Path, *, dir_fd: int | None = None) -> None:
        path = self._place(name, dir_fd)
        os.rmdir(path)
        del self._entries[path]
        self._note(path.parent, ((path.name,), None, None))

    def _note(self, path: Path, change: Any) -> None:
        self.now += 1
        self._entries[path].history.append((self.now, change))

    def _note_content(self, path: Path) -> None:
        if not self._entries[path].folder:
            self._note(path, path.read_bytes())

    def cut_power(self, moment: int, at: Path, random: Random) -> None:
        """Write to `at` what the disk may hold after a power cut at a moment."""
        _lay_out(self._entries[self.root], moment, at, random)


def _lay_out(entry: Entry, moment: int, at: Path, random: Random) -> None:
    safe = max((time for time in entry.synced if time <= moment), default=0)
    past = [(time, change) for time, change in entry.history if time <= moment]
    if not entry.folder:
        at.write_bytes(_content(past, safe, random))
        return
    at.mkdir()
    luck = random.choice([0.0, 0.5, 1.0])
    names: dict[str, Entry] = {}
    for time, (gone, name, come) in past:
        if time <= safe or random.random() < luck:
            for old in gone:
                names.pop(old, None)
            if name is not None:
                names[name] = come
    for name, inner in names.items():
        _lay_out(inner, moment, at / name, random)


def _content(past: list[tuple[int, bytes]], safe: int, random: Random) -> bytes:
    kept = [data for time, data in past if time <= safe]
    known, last = (kept[-1] if kept else b""), (past[-1][1] if past else b"")
    if known == last:
        return known
    cut = random.randint(len(known) if last.startswith(known) else 0, len(last))  # synced bytes that stay are safe
    return random.choice([known, last, last[:cut], last[:cut] + bytes(len(last) - cut)])


@contextmanager
def disk(root: Path, deaf: bool = False) -> Iterator[Disk]:
    """Make `dlrun.runs.durable` write to a disk whose power may be cut."""
    from dlrun.runs import durable

    modelled = Disk(root, deaf)
    durable.os = modelled  # type: ignore[assignment]
    try:
        yield modelled
    finally:
        durable.os = os
