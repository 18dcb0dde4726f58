"""What a disk may hold after a power cut, when it has promised only what was synced.

A file's content is safe once the file is synced, a name once its folder is; of the rest anything may be lost, in any
order, and a file may be left short or full of zeros. This is stricter than common file systems are.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any


class Entry:
    """A file or a folder, by whatever name."""

    def __init__(self, folder: bool):
        self.folder = folder
        self.history: list[tuple[int, Any]] = []
        """What was done to it and when: a file's whole content, or (names that went, a name that came, its node)."""
        self.synced: list[int] = []


class Disk:
    """Stands for `os` in `dlrun.runs.durable`: does everything, and remembers what is safe at which moment."""

    def __init__(self, root: Path, deaf: bool = False):
        """With `deaf`, syncing is not heard."""
        self.root, self.deaf = root, deaf
        self.now = 0
        self._nodes = {root: Entry(True)}
        self._opened: dict[int, Path] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def open(self, path: Path, flags: int, mode: int = 0o777) -> int:
        path = Path(path)
        new = not path.exists()
        descriptor = os.open(path, flags, mode)
        self._opened[descriptor] = path
        if new:
            self._nodes[path] = Entry(False)
            self._note(path.parent, ((), path.name, self._nodes[path]))
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
            self._nodes[self._opened[descriptor]].synced.append(self.now)

    def close(self, descriptor: int) -> None:
        self._opened.pop(descriptor, None)
        os.close(descriptor)

    def mkdir(self, path: Path) -> None:
        path = Path(path)
        os.mkdir(path)
        self._nodes[path] = Entry(True)
        self._note(path.parent, ((), path.name, self._nodes[path]))

    def rename(self, old: Path, new: Path) -> None:
        old, new = Path(old), Path(new)
        assert old.parent == new.parent
        os.rename(old, new)
        for path in [path for path in self._nodes if path == old or old in path.parents]:
            self._nodes[new / path.relative_to(old)] = self._nodes.pop(path)
        self._note(new.parent, ((old.name,), new.name, self._nodes[new]))

    def replace(self, old: Path, new: Path) -> None:
        self.rename(old, new)

    def unlink(self, path: Path) -> None:
        path = Path(path)
        os.unlink(path)
        del self._nodes[path]
        self._note(path.parent, ((path.name,), None, None))

    def rmdir(self, path: Path) -> None:
        path = Path(path)
        os.rmdir(path)
        del self._nodes[path]
        self._note(path.parent, ((path.name,), None, None))

    def _note(self, path: Path, change: Any) -> None:
        self.now += 1
        self._nodes[path].history.append((self.now, change))

    def _note_content(self, path: Path) -> None:
        if not self._nodes[path].folder:
            self._note(path, path.read_bytes())

    def cut_power(self, moment: int, at: Path, random: Random) -> None:
        """Lay out at `at` what the disk may hold if the power went at a moment."""
        _lay_out(self._nodes[self.root], moment, at, random)


def _lay_out(node: Entry, moment: int, at: Path, random: Random) -> None:
    safe = max((time for time in node.synced if time <= moment), default=0)
    past = [(time, change) for time, change in node.history if time <= moment]
    if not node.folder:
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
    cut = random.randint(len(known) if last.startswith(known) else 0, len(last))  # what was synced and stays is safe
    return random.choice([known, last, last[:cut], last[:cut] + bytes(len(last) - cut)])


@contextmanager
def disk(root: Path, deaf: bool = False) -> Iterator[Disk]:
    """Have `dlrun.runs.durable` write to a disk whose power may be cut."""
    from dlrun.runs import durable

    modelled = Disk(root, deaf)
    durable.os = modelled  # type: ignore[assignment]
    try:
        yield modelled
    finally:
        durable.os = os
