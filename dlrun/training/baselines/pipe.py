"""Messages between two processes of dlrun: a line of JSON, then the bytes of arrays."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import IO, Any

import numpy as np

Array = np.ndarray[Any, Any]


def send(stream: IO[bytes], content: dict[str, Any], arrays: Sequence[Array] = ()) -> None:
    """Write a message."""
    arrays = [np.ascontiguousarray(array) for array in arrays]
    head = {**content, "arrays": [[array.dtype.str, list(array.shape)] for array in arrays]}
    stream.write(json.dumps(head).encode() + b"\n")
    for array in arrays:
        stream.write(memoryview(array.reshape(-1).view(np.uint8)))
    stream.flush()


def receive(stream: IO[bytes]) -> tuple[dict[str, Any], list[Array]] | None:
    """Read a message; None where the other process has ended."""
    line = stream.readline()
    if not line.endswith(b"\n"):
        return None
    content = json.loads(line)
    arrays = []
    for dtype, shape in content.pop("arrays"):
        array = np.empty(shape, np.dtype(dtype))
        bytes_of_it = memoryview(array.reshape(-1).view(np.uint8))
        done = 0
        while done < len(bytes_of_it):
            read = stream.readinto(bytes_of_it[done:])  # type: ignore[attr-defined]
            if not read:
                return None
            done += read
        arrays.append(array)
    return content, arrays
