"""A run's checkpoints: a kill at any moment leaves a whole one, and a damaged one is never used.

    checkpoints/step-000000500/
      weights.safetensors, optimizer.safetensors, ...   tensors, by name
      state.json                                        all other data
      manifest.json                                     size and SHA-256 of each file, and of its own text

A checkpoint that is written again at the same step gets a folder of its own, step-000000500-2, so that there is never a
moment without one.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import re
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlrun.errors import RunError
from dlrun.runs import durable
from dlrun.runs.checksummed_json import sha256, verified, with_checksum

if TYPE_CHECKING:
    from torch import Tensor

FOLDER, MANIFEST, STATE, TENSORS = "checkpoints", "manifest.json", "state.json", ".safetensors"
NAME = re.compile(r"step-(\d{9,18})(?:-([2-9]|[1-9]\d{1,8}))?")
LEFTOVER = re.compile(r"\.step-.*\.(part|old)")
"""Folders that a kill leaves in the middle of writing or removing."""
FORMAT = 2
"""Raised when the meaning of a checkpoint changes."""
FLOAT = "float"
"""The only key of an object that stands for a float that JSON lacks."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A checkpoint that was read and verified by its checksums."""

    step: int
    tensors: dict[str, dict[str, Tensor]]
    state: dict[str, Any]


class DamageError(Exception):
    """A checkpoint does not match its manifest."""


class Checkpoints:
    """The checkpoints of one run."""

    def __init__(self, folder: Path, keep: int = 2):
        """`folder` is the run's; `keep` is how many of the last checkpoints stay, at least two."""
        self.folder, self.keep = folder / FOLDER, keep
        self.damaged: list[str] = []
        """The checkpoints that `newest` skipped, each with the reason."""
        self._verified: set[str] = set()

    def write(
        self, step: int, tensors: Mapping[str, Mapping[str, Tensor]], state: Mapping[str, Any], best: bool
    ) -> None:
        """Write a checkpoint; once it is on the disk, remove all but the last few good ones and the newest best one.

        Each entry of `tensors` becomes a file. `state` is JSON data that may contain NaN and infinities.

        Raises:
            RunError: it cannot be written; the earlier checkpoints are still there.
        """
        name = self._new_name(step)
        beside = self.folder / f".{name}.part"
        try:
            if not self.folder.exists():
                durable.make_folder(self.folder)
            durable.remove_folders(path for path in self.folder.iterdir() if LEFTOVER.fullmatch(path.name))
            durable.make_folder(beside, inner=True)
            durable.write_files(beside, _files(step, tensors, state, best))
            durable.rename_folder(beside, self.folder / name)
        except OSError as error:
            with contextlib.suppress(OSError):
                durable.remove_folders([beside])
            raise RunError(f"cannot write {self.folder / name}: {error.strerror}") from None
        self._verified.add(name)
        with contextlib.suppress(OSError):  # the next write removes the rest
            self._prune(name)

    def newest(self) -> Checkpoint | None:
        """The newest checkpoint that matches its manifest; None only if there are no checkpoints, damaged or not.

        Raises:
            RunError: there are checkpoints, and all are damaged.
        """
        self.damaged = []
        for name in self._names():
            try:
                found = _read(self.folder / name)
            except DamageError as damage:
                self.damaged.append(f"{name}: {damage}")
                continue
            self._verified.add(name)
            return found
        if self.damaged:
            raise RunError("\n  ".join([f"no checkpoint in {self.folder} can be used:", *self.damaged]))
        return None

    def exist(self) -> bool:
        """Whether there are checkpoints, damaged or not."""
        return bool(self._names())

    def _names(self) -> list[str]:
        """Newest first."""
        if self.folder.is_symlink():
            raise RunError(f"cannot use {self.folder}: {durable.LINK}")
        try:
            names = [path.name for path in self.folder.iterdir()]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise RunError(f"cannot read {self.folder}: {error.strerror}") from None
        return sorted((name for name in names if NAME.fullmatch(name)), key=_order, reverse=True)

    def _new_name(self, step: int) -> str:
        taken = [number for known, number in map(_order, self._names()) if known == step]
        return f"step-{step:09d}" + (f"-{max(taken) + 1}" if taken else "")

    def _prune(self, name: str) -> None:
        names = self._names()
        # A checkpoint of a later step is damaged, or this run would have resumed from it.
        older = [other for other in names if _order(other) < _order(name)]
        kept = {name, *islice((other for other in older if self._is_good(other)), self.keep - 1)}
        best = next((other for other in [name, *older] if self._is_best(other) and self._is_good(other)), None)
        durable.remove_folders(self.folder / other for other in names if other not in {*kept, best})

    def _is_good(self, name: str) -> bool:
        if name not in self._verified:
            try:
                for _ in _verified_files(self.folder / name):
                    pass
            except DamageError:
                return False
            self._verified.add(name)
        return True

    def _is_best(self, name: str) -> bool:
        try:
            return _manifest(self.folder / name).get("best") is True
        except DamageError:
            return False


def _order(name: str) -> tuple[int, int]:
    found = NAME.fullmatch(name)
    assert found is not None
    return int(found[1]), int(found[2] or 1)


def _files(
    step: int, tensors: Mapping[str, Mapping[str, Tensor]], state: Mapping[str, Any], best: bool
) -> Iterator[tuple[str, Iterable[durable.Data]]]:
    """Every file of a checkpoint; the manifest is last, when the hashes of the others are known."""
    from dlrun.runs.tensors import as_safetensors

    text = json.dumps(_to_json(state), separators=(",", ":"), allow_nan=False).encode()
    files: dict[str, _Hashed] = {STATE: _Hashed([text])}
    files |= {group + TENSORS: _Hashed(as_safetensors(held)) for group, held in tensors.items()}
    yield from files.items()
    entries = {name: {"size": hashed.size, "sha256": hashed.hash.hexdigest()} for name, hashed in files.items()}
    manifest = {"format": FORMAT, "step": step, "best": best, "files": entries}
    yield MANIFEST, [with_checksum(manifest)]


class _Hashed:
    """Blocks of data that are counted and hashed while they are read."""

    def __init__(self, blocks: Iterable[durable.Data]):
        self.blocks = blocks
        self.size = 0
        self.hash = hashlib.sha256()

    def __iter__(self) -> Iterator[durable.Data]:
        for block in self.blocks:
            self.size += len(block)
            self.hash.update(block)
            yield block


def _read(folder: Path) -> Checkpoint:
    """A checkpoint, made of exactly the bytes that were verified.

    Raises:
        DamageError: it does not match its manifest.
    """
    import safetensors
    import safetensors.torch

    state: Any = None
    tensors: dict[str, dict[str, Tensor]] = {}
    for name, data in _verified_files(folder):
        try:
            if name == STATE:
                state = json.loads(data, object_hook=_from_json)
            else:
                tensors[name.removesuffix(TENSORS)] = safetensors.torch.load(data)
        except (ValueError, TypeError, KeyError, RecursionError, safetensors.SafetensorError) as error:
            raise DamageError(f"{name} cannot be read: {error}") from None
    if not isinstance(state, dict):
        raise DamageError(f"{STATE} is not a JSON object")
    return Checkpoint(_order(folder.name)[0], tensors, state)


def _verified_files(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Each file's name and bytes, once their size and hash are verified.

    Raises:
        DamageError: a file does not match the manifest, or the manifest its checksum.
    """
    entries = _manifest(folder)["files"]
    try:
        there = {path.name for path in folder.iterdir()} - {MANIFEST}
    except OSError as error:
        raise DamageError(f"cannot be read: {error.strerror}") from None
    if missing := sorted(entries.keys() - there):
        raise DamageError(f"{missing[0]} is missing")
    if unknown := sorted(there - entries.keys()):
        raise DamageError(f"{unknown[0]} is not in {MANIFEST}")
    for name, entry in entries.items():
        data = _bytes(folder / name, entry.get("size"))
        if sha256(data) != entry.get("sha256"):
            raise DamageError(f"{name} is damaged: its SHA-256 differs")
        yield name, data


def _manifest(folder: Path) -> dict[str, Any]:
    try:
        manifest = verified(_bytes(folder / MANIFEST))
    except ValueError as error:
        raise DamageError(f"{MANIFEST} is damaged: {error}") from None
    if manifest.get("format") != FORMAT:
        raise DamageError(f"it was written by another version of dlrun: format {manifest.get('format')}, not {FORMAT}")
    if manifest.get("step") != _order(folder.name)[0]:
        raise DamageError(f"it was written as step {manifest.get('step')}")
    entries = manifest.get("files")
    if not isinstance(entries, dict) or not all(isinstance(entry, dict) for entry in entries.values()):
        raise DamageError(f"{MANIFEST} lists no files")
    return manifest


def _bytes(path: Path, size: int | None = None) -> bytes:
    try:
        about = path.stat(follow_symlinks=False)
        if not stat.S_ISREG(about.st_mode):
            raise DamageError(f"{path.name} is not a regular file")
        if size not in (None, about.st_size):
            raise DamageError(f"{path.name} has {about.st_size} bytes, not {size}")
        return durable.read(path)
    except FileNotFoundError:
        raise DamageError(f"{path.name} is missing") from None
    except OSError as error:
        raise DamageError(f"{path.name} cannot be read: {error.strerror}") from None


def _to_json(value: Any) -> Any:
    """Convert data for JSON: a float that JSON lacks becomes {"float": "nan"}.

    Raises:
        TypeError, ValueError: reading it would not give the same data.
    """
    if isinstance(value, Mapping):
        if not all(isinstance(key, str) for key in value):
            raise TypeError(f"a key is not a string: {list(value)}")
        if set(value) == {FLOAT}:
            raise ValueError(f"a mapping whose only key is {FLOAT!r} stands for a number")
        return {key: _to_json(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_to_json(inner) for inner in value]
    if type(value) is float and not math.isfinite(value):
        return {FLOAT: repr(value)}
    return value


def _from_json(value: dict[str, Any]) -> Any:
    return float(value[FLOAT]) if set(value) == {FLOAT} else value
