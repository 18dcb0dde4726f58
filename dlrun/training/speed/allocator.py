"""Memory that the C library has got from the system and keeps, instead of giving it back and asking for it anew.

glibc returns every block above some size to the system when it is freed, and a step frees and asks for the same blocks
again and again: each time the system finds fresh pages and fills them with zeros, which on an image network may take as
long as the step's own work. Kept pages are reused as they are.
"""

from __future__ import annotations

import contextlib
import ctypes
import sys
from collections.abc import Callable, Iterator

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4
"""mallopt's own numbers for its settings (malloc.h)."""
DEFAULT_MMAP_MAX, DEFAULT_TRIM_THRESHOLD = 1 << 16, 128 << 10
"""glibc's defaults."""
KEPT = 1 << 30
"""Bytes at the end of the heap that may stay unused before they are given back."""


def keep_memory() -> None:
    """Have memory freed from now on reused, large blocks too; does nothing where the C library is not glibc.

    To be called when the rows are loaded: what only that needed goes back to the system as ever.
    """
    # No block has pages of its own, at any size: a threshold for that would end at 32 MB.
    _set(mmap_max=0, trim_threshold=KEPT)


@contextlib.contextmanager
def kept_memory() -> Iterator[None]:
    """Within it `keep_memory` may be called; afterwards glibc has its defaults, and unused memory goes back."""
    try:
        yield
    finally:
        _set(mmap_max=DEFAULT_MMAP_MAX, trim_threshold=DEFAULT_TRIM_THRESHOLD)
        trim = _libc("malloc_trim")
        if trim is not None:
            trim(0)


def _set(mmap_max: int, trim_threshold: int) -> None:
    mallopt = _libc("mallopt")
    if mallopt is not None:
        mallopt(M_MMAP_MAX, mmap_max)
        mallopt(M_TRIM_THRESHOLD, trim_threshold)


def _libc(function: str) -> Callable[..., int] | None:
    """A function of glibc; None where the C library has no such."""
    return getattr(ctypes.CDLL(None), function, None) if sys.platform.startswith("linux") else None
