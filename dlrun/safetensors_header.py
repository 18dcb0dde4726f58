"""The header of a safetensors file: names, types and shapes in JSON, and where each tensor's bytes lie."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from dlrun.language.suggestions import shorten
from dlrun.shapes import Shape, numel, show

LONGEST = 100_000_000
"""Bytes of a header; the format allows no more."""
NOTES = "__metadata__"
"""What has this name is texts about the file."""
TYPES = {
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    "BF16": "<u2",
    "C64": "<c8",
    "I64": "<i8",
    "I32": "<i4",
    "I16": "<i2",
    "I8": "i1",
    "U64": "<u8",
    "U32": "<u4",
    "U16": "<u2",
    "U8": "u1",
    "BOOL": "?",
}
"""How numpy reads the bytes of each type; bfloat16 is the upper half of a float32."""
BITS = {"F8_E4M3": 8, "F8_E5M2": 8, "F8_E8M0": 8, "F6_E2M3": 6, "F6_E3M2": 6, "F4": 4}
"""The bits of a number of the types that numpy has not."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What a header says of a tensor."""

    type: str
    shape: Shape
    start: int
    """Where its bytes begin in the file."""


def read_header(file: Path) -> dict[str, Entry]:
    """Every tensor of a file by its name; see `header_in`.

    Raises:
        ValueError: with a message for the user: the file is none, or is damaged.
        OSError: it cannot be read.
    """
    with file.open("rb") as stream:
        return header_in(stream)


def header_in(stream: IO[bytes]) -> dict[str, Entry]:
    """Every tensor by its name; their bytes fill the file without a gap, each byte of one tensor.

    Raises:
        ValueError: with a message for the user: the file is none, or is damaged.
        OSError: it cannot be read.
    """
    size = stream.seek(0, 2)
    stream.seek(0)
    length = int.from_bytes(stream.read(8), "little")
    if not 2 <= length <= min(LONGEST, size - 8):
        raise ValueError("its first 8 bytes are not the length of a header")
    content = stream.read(length)
    try:
        header = json.loads(content, object_pairs_hook=_once)
    except RecursionError:
        raise ValueError("the header is nested too deep") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"the header is not JSON: {error}") from None
    if not isinstance(header, dict):
        raise ValueError("the header does not name tensors")
    header.pop(NOTES, None)
    return _entries(header, 8 + length, size)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("the header has a name twice")
    return found


def _entries(header: dict[str, Any], start: int, size: int) -> dict[str, Entry]:
    places: list[tuple[int, int, str]] = []
    found: dict[str, Entry] = {}
    for name, entry in header.items():
        kind, shape, place = _parts(name, entry)
        if 8 * (place[1] - place[0]) != bits(kind) * numel(shape):
            message = f"{show(shape)} values of type {kind} do not take the {place[1] - place[0]} bytes"
            raise ValueError(f"{message} that the header gives to {shorten(name)}")
        places.append((*place, name))
        found[name] = Entry(kind, shape, start + place[0])
    end = 0
    for first, last, name in sorted(places):
        if first != end:
            what = "overlaps the tensor before it" if first < end else "does not begin where the one before it ends"
            raise ValueError(f"the tensor {shorten(name)} {what}")
        end = last
    if start + end != size:
        what = "it is cut off: " if start + end > size else ""
        raise ValueError(f"{what}the header has {end} bytes of tensors, and {size - start} are there")
    return found


def _parts(name: str, entry: Any) -> tuple[str, Shape, tuple[int, int]]:
    def counts(values: Any) -> bool:
        return isinstance(values, list) and all(type(value) is int and 0 <= value < 2**63 for value in values)

    right = isinstance(entry, dict) and entry.keys() == {"dtype", "shape", "data_offsets"}
    if not right or not counts(entry["shape"]) or not counts(entry["data_offsets"]) or len(entry["data_offsets"]) != 2:
        raise ValueError(f"the header does not say type, shape and place of {shorten(name)}")
    kind, (first, last) = entry["dtype"], entry["data_offsets"]
    if not isinstance(kind, str) or kind not in TYPES | BITS:
        raise ValueError(f"the tensor {shorten(name)} has the type {shorten(kind)}, which the format has not")
    return kind, tuple(entry["shape"]), (first, last)


def bits(kind: str) -> int:
    """The bits of a number of a type."""
    return BITS.get(kind) or (8 if kind == "BOOL" else int(kind.lstrip("BFICU")))
