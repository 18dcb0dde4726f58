"""JSON objects with a checksum of their own text, so that a reader notices damage."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Mapping
from typing import Any

KEY = b',"check":"'


def sha256(data: bytes) -> str:
    """The SHA-256 of bytes, in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def as_json(metrics: Mapping[str, float]) -> dict[str, float | str]:
    """Metrics by name; JSON has no NaN and no infinity, so each of these is a text, which `float` reads."""
    return {name: value if math.isfinite(value) else str(value) for name, value in metrics.items()}


def with_checksum(content: dict[str, Any], check: Callable[[bytes], str] = sha256) -> bytes:
    """A line of JSON, its newline included, whose last key is the checksum of all bytes before that key."""
    text = json.dumps(content, separators=(",", ":"), allow_nan=False).encode()[:-1]
    return text + KEY + check(text).encode() + b'"}\n'


def verified(line: bytes, check: Callable[[bytes], str] = sha256) -> dict[str, Any]:
    """The object that `with_checksum` wrote, without the checksum.

    Raises:
        ValueError: a bit of the line differs from what `with_checksum` writes.
    """
    text, key, _ = line.rpartition(KEY)
    if not key or line != text + KEY + check(text).encode() + b'"}\n':
        raise ValueError("its checksum does not match")
    try:
        content = json.loads(text + b"}")
    except (ValueError, RecursionError) as error:
        raise ValueError("it is not a JSON object") from error
    if not isinstance(content, dict):
        raise ValueError("it is not a JSON object")
    return content
