"""JSON objects with a checksum of their own text, so that a reader notices damage."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

KEY = b',"check":"'


def with_checksum(content: dict[str, Any], check: Callable[[bytes], str]) -> bytes:
    """A line of JSON, its newline included, whose last key is the checksum of all bytes before that key."""
    text = json.dumps(content, separators=(",", ":"), allow_nan=False).encode()[:-1]
    return text + KEY + check(text).encode() + b'"}\n'


def verified(line: bytes, check: Callable[[bytes], str]) -> dict[str, Any]:
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
