"""Memory that the C library has got from the system and keeps, instead of giving it back and asking for it anew.

glibc returns every block above some size to the system when it is freed, and a step frees and asks for the same blocks
again and again: each time the system finds fresh pages and fills them with zeros, which on an image network may take as
long as the step's own work. Kept pages are reused as they are.
"""

from __future__ import annotations

import ctypes
import sys

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4
"""mallopt's own numbers for its settings (malloc.h)."""
KEPT = 1 << 30
"""Bytes at the end of the heap that may stay unused before they are given back."""


def keep_memory() -> None:
    """Have memory freed from now on reused, large blocks too; does nothing where the C library is not glibc.

    To be called when the rows are loaded: what only that needed goes back to the system as ever.
    """
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_MMAP_MAX, 0)  # no block with pages of its own, at any size; a threshold ends at 32 MB
        mallopt(M_TRIM_THRESHOLD, KEPT)
