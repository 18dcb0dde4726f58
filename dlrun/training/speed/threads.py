"""The number of threads of a step: one for a small step, otherwise all that this process may use."""

from __future__ import annotations

from pathlib import Path

import torch

WORTH = 30_000_000
"""Multiply-adds of a step, about one millisecond; in a smaller step threads cost more than they save."""
FORWARD_AND_BACKWARD = 3
"""Products of a step for each product of its forward pass: the backward pass takes two."""


def choose_threads(macs: int, batch: int) -> int:
    """Threads for steps of `batch` rows with so many multiply-adds for one sample, by these and the machine alone: the
    bits of a result depend on it."""
    if FORWARD_AND_BACKWARD * macs * batch < WORTH:
        return 1
    return max(1, min(torch.get_num_threads(), given_processors() or torch.get_num_threads()))


def given_processors(root: Path = Path("/sys/fs/cgroup")) -> int | None:
    """The processors that the process's control group may use, rounded down, at least 1; None if there is no limit.

    torch starts a thread for each processor that it sees, even if a container may use fewer.
    """
    try:
        quota, period = (root / "cpu.max").read_text().split()
    except (OSError, ValueError):
        try:
            quota = (root / "cpu/cpu.cfs_quota_us").read_text()
            period = (root / "cpu/cpu.cfs_period_us").read_text()
        except OSError:
            return None
    try:
        return max(1, int(quota) // int(period)) if int(quota) > 0 else None
    except (ValueError, ZeroDivisionError):  # "max": no limit
        return None
