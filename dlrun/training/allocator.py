"""Memory that the C library has got from the system and keeps, instead of giving it back and asking for it anew.

glibc returns every block above some size to the system when it is freed, and a step frees and asks for the same blocks
again and again: each time the system finds fresh pages and fills them with zeros, which on an image network may take as
long as the step's own work. Kept pages are reused as they are.
"""

from __future__ import annotations

import ctypes
import sys

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""mallopt's own numbers for its settings (malloc.h)."""
LARGEST = 32 << 20
"""The largest block that glibc takes from its heap if asked to; larger ones come from the system as before."""
KEPT = 1 << 30
"""Bytes at the end of the heap that may stay unused before they are given back."""


def keep_memory() -> None:
    """Have freed memory reused; does nothing where the C library is not glibc."""
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, LARGEST)
        mallopt(M_TRIM_THRESHOLD, KEPT)
