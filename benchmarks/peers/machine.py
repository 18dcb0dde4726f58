"""Describe the machine: processor, cores, memory, load."""

from __future__ import annotations

import os
import platform
import re
from pathlib import Path

GROUP = Path("/sys/fs/cgroup")


def describe() -> str:
    """The whole description in one line."""
    return f"{processor()}; {cores()}; {memory()}; {platform.system()} {platform.release()}"


def processor() -> str:
    """The processor's name."""
    found = re.search(r"model name\s*:\s*(.+)", text(Path("/proc/cpuinfo")))
    return found[1].strip() if found else platform.processor() or platform.machine()


def cores() -> str:
    """The cores that this process may use, and the share of them that its control group allows."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    quota, period = [*text(GROUP / "cpu.max").split(), "max", "100000"][:2]
    if quota == "max":  # cgroup version 1
        quota = text(GROUP / "cpu" / "cpu.cfs_quota_us").strip() or "-1"
        period = text(GROUP / "cpu" / "cpu.cfs_period_us").strip() or "100000"
    given = f", {int(quota) / int(period):g} by the control group" if quota not in ("max", "-1") else ""
    return f"{allowed} cores{given}"


def memory() -> str:
    """The memory of the machine, or the control group's limit if that is less."""
    total = re.search(r"MemTotal:\s+(\d+)", text(Path("/proc/meminfo")))
    bounds = [int(total[1]) * 1024] if total else []
    for file in (GROUP / "memory.max", GROUP / "memory" / "memory.limit_in_bytes"):
        bound = text(file).strip()
        bounds += [int(bound)] if bound.isdigit() else []
    return f"{min(bounds) / 2**30:.1f} GiB" if bounds else "unknown memory"


def load() -> float:
    """The mean number of running processes in the last minute."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")


def text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
