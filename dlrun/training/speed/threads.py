"""How many threads a step is computed with: as many as pay, and never more than this process was given."""

from __future__ import annotations

from pathlib import Path

import torch

from dlrun.plan.network import Plan

WORTH = 30_000_000
"""Multiply-adds of a step, about a millisecond's, below which threads wait for each other longer than they help."""
FORWARD_AND_BACKWARD = 3
"""A backward pass takes two products for each of the forward pass's."""


def choose_threads(plan: Plan, batch: int) -> int:
    """Threads for steps of `batch` rows. It depends on the network and the machine alone, as the bits do on it."""
    if FORWARD_AND_BACKWARD * plan.macs * batch < WORTH:
        return 1
    return max(1, min(torch.get_num_threads(), given_processors() or torch.get_num_threads()))


def given_processors(root: Path = Path("/sys/fs/cgroup")) -> int | None:
    """The processors that the process's control group may use, rounded down, at least 1; None where nothing says so.

    torch starts a thread for each processor that it sees, also where a container may use the time of fewer.
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
