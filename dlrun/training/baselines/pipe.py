"""Messages between two processes of dlrun: a line of JSON, then the bytes of arrays."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import IO, Any

import numpy as np

Array = np.ndarray[Any, Any]


def send(stream: IO[bytes], content: dict[str, Any], arrays: Sequence[Array] = ()) -> None:
    """Write a message."""
    head = {**content, "arrays": [[array.dtype.str, list(array.shape)] for array in arrays]}
    stream.write(json.dumps(head).encode() + b"\n")
    for array in arrays:
        stream.write(array.tobytes())
    stream.flush()


def receive(stream: IO[bytes]) -> tuple[dict[str, Any], list[Array]] | None:
    """Read a message; None where the other process has ended."""
    line = stream.readline()
    if not line.endswith(b"\n"):
        return None
    content = json.loads(line)
    arrays = []
    for name, shape in content.pop("arrays"):
        dtype = np.dtype(name)
        size = dtype.itemsize * math.prod(shape)
        data = stream.read(size)
        if len(data) < size:
            return None
        arrays.append(np.frombuffer(data, dtype).reshape(shape))
    return content, arrays
