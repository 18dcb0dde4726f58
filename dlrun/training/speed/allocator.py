"""Have the C library keep freed memory for reuse, instead of returning it to the system.

glibc returns every block above some size to the system when it is freed, and a step frees and asks for the same blocks
again and again: each time the system has to find new pages and fill them with zeros, which on an image network may take
as long as the step's own work. Pages that are kept are reused without that.
"""

from __future__ import annotations

import contextlib
import ctypes
import sys
from collections.abc import Callable, Iterator

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4
"""The numbers of mallopt's settings (malloc.h)."""
DEFAULT_MMAP_MAX, DEFAULT_TRIM_THRESHOLD = 1 << 16, 128 << 10
"""glibc's defaults."""
KEPT = 1 << 30
"""Bytes at the end of the heap that may stay unused before they are returned to the system."""


def keep_memory() -> None:
    """Reuse memory that is freed from now on, large blocks too; does nothing if the C library is not glibc.

    To be called after the rows are loaded: memory that only loading needed still returns to the system.
    """
    # No block is mapped on its own, whatever its size: glibc limits a threshold for mapping to 32 MB.
    _set(mmap_max=0, trim_threshold=KEPT)


@contextlib.contextmanager
def kept_memory() -> Iterator[None]:
    """Within it `keep_memory` may be called; afterwards glibc has its defaults, and unused memory is returned."""
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
    """A function of glibc; None if the C library has no such function."""
    return getattr(ctypes.CDLL(None), function, None) if sys.platform.startswith("linux") else None
