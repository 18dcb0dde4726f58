"""Gradients with the same bits every time, on a GPU too.

There torch has two algorithms for some gradients, attention's among them: a fast one that adds in any order, and one
with an order. It takes the second only in the mode in which it refuses what has but the first.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def in_order(wanted: bool) -> Iterator[None]:
    """Whether torch refuses, while this lasts, what it can only compute in any order.

    Raises:
        RuntimeError: something is refused; `refused` has its name.
    """
    if not wanted:
        yield
        return
    before = torch.get_deterministic_debug_mode()
    torch.set_deterministic_debug_mode("error")
    try:
        yield
    finally:
        torch.set_deterministic_debug_mode(before)


def refused(error: RuntimeError) -> str:
    """The operator that torch refused, or '' where the error is another one."""
    name, found, _ = str(error).partition(" does not have a deterministic implementation")
    return name if found else ""
