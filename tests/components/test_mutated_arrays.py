"""Files of arrays with broken bytes: whatever a file holds, the answer is the rows, or one error that names the file.

DLRUN_FAULTS says how many files of each format are broken.
"""

from __future__ import annotations

import gzip
import os
import time
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from array_files import write_cifar, write_idx
from asking import Request, describe, load
from safetensors.numpy import save_file

from dlrun.components.sources import Source, SourceError
from dlrun.language.component import choose

FILES = int(os.environ.get("DLRUN_FAULTS", "40"))
MOST_SECONDS, MOST_BYTES = 5.0, 1 << 28
X, Y = np.random.default_rng(0).normal(size=(12, 3)).astype(np.float32), np.arange(12) % 3
NUMBERS = [0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0x7FFFFFFFFFFFFFFF, 0xFFFFFFFFFFFFFFFF]


def npz(folder: Path, compressed: bool) -> dict[str, Any]:
    (np.savez_compressed if compressed else np.savez)(folder / "a.npz", x=X, y=Y)
    return {"npz": "a.npz"}


def npy(folder: Path) -> dict[str, Any]:
    np.save(folder / "x.npy", X)
    np.save(folder / "y.npy", Y)
    return {"npy": ["x.npy", "y.npy"]}


def safetensors(folder: Path) -> dict[str, Any]:
    save_file({"x": X, "y": Y}, folder / "a.safetensors")
    return {"safetensors": "a.safetensors"}


def idx(folder: Path, packed: bool) -> dict[str, Any]:
    write_idx(folder / "files", Y, packed=packed)
    return {"idx": "files"}


def cifar(folder: Path) -> dict[str, Any]:
    write_cifar(folder / "files", Y)
    (folder / "files" / "batches.meta.txt").write_text("\n".join("abcdefghij"))
    return {"cifar": "files"}


FORMATS: dict[str, Callable[[Path], dict[str, Any]]] = {
    "npz": lambda folder: npz(folder, False),
    "npz compressed": lambda folder: npz(folder, True),
    "npy": npy,
    "safetensors": safetensors,
    "idx": lambda folder: idx(folder, False),
    "idx compressed": lambda folder: idx(folder, True),
    "cifar": cifar,
}


def mutated(content: bytes, chance: Random) -> bytes:
    """The content with some bytes changed, most often near its ends, where headers and directories are."""
    found = bytearray(content)
    for _ in range(chance.randrange(1, 4)):
        size = len(found)
        at = chance.choice([chance.randrange(size + 1), chance.randrange(min(size, 150) + 1)])
        at = chance.choice([at, max(0, size - at)])
        width = chance.choice([1, 2, 4, 8])
        match chance.randrange(7):
            case 0:
                found[at : at + 1] = bytes([chance.randrange(256)])
            case 1:
                value = chance.choice(NUMBERS) & (256**width - 1)
                found[at : at + width] = value.to_bytes(width, chance.choice(["little", "big"]))
            case 2:
                del found[at:]
            case 3:
                del found[at : at + chance.randrange(1, 40)]
            case 4:
                found[at:at] = chance.randbytes(chance.randrange(1, 40))
            case 5:
                found[at:at] = found[chance.randrange(size + 1) :][: chance.randrange(1, 200)]
            case _:
                digits = [place for place, byte in enumerate(found) if 48 <= byte < 58]
                place = chance.choice(digits or [0])
                found[place : place + 1] = str(chance.choice(NUMBERS)).encode()
        found = found or bytearray(b"\0")
    return bytes(found)


def repacked(file: Path, chance: Random) -> bytes:
    """A mutation of what a compressed file holds, so that it is not found by a checksum."""
    if file.suffix == ".gz":
        return gzip.compress(mutated(gzip.decompress(file.read_bytes()), chance))
    with zipfile.ZipFile(file) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    broken = chance.choice(list(members))
    with zipfile.ZipFile(file, "w", chance.choice([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])) as archive:
        for name, member in members.items():
            archive.writestr(name, mutated(member, chance) if name == broken else member)
    return file.read_bytes()


@pytest.mark.parametrize("kind", FORMATS)
def test_a_broken_file_gives_its_rows_or_one_error_that_names_it(kind: str, tmp_path: Path) -> None:
    source = choose("sources", FORMATS[kind](tmp_path))
    assert isinstance(source, Source)
    names = (None, None) if kind.startswith(("idx", "cifar")) else (("x",), ("y",))
    request = Request(tmp_path, *names, "classes")
    files = sorted(file for file in tmp_path.rglob("*") if file.is_file())
    refused = 0
    for number in range(FILES):
        chance = Random(f"{kind} {number}")
        file = chance.choice(files)
        whole = file.read_bytes()
        packed = file.suffix in (".gz", ".npz") and chance.random() < 0.5
        file.write_bytes(repacked(file, chance) if packed else mutated(whole, chance))
        began = time.monotonic()
        tracemalloc.start()
        try:
            describe(source, request)
            load(source, request)
        except SourceError as error:
            refused += 1
            named = (file.name, "'x'", "'y'", "'image'", "'label'")
            assert any(name in error.message for name in named), (number, error.message)
            assert "\n" not in error.message and len(error.message) < 400, (number, error.message)
        except Exception as error:
            raise AssertionError(f"{kind} {number}") from error
        finally:
            used = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            file.write_bytes(whole)
        assert time.monotonic() - began < MOST_SECONDS and used < MOST_BYTES, (number, used)
    assert refused > FILES // 3
