"""How many threads a step gets, and the memory that is kept for it."""

import ctypes
import subprocess
import sys
from pathlib import Path

import networks
import pytest
import torch

from dlrun.training.speed.threads import choose_threads, given_processors

SMALL = "{input: 20, layers: [{linear: 64}, {linear: 1}]}"
LARGE = "{input: 784, layers: [{linear: 512}, {linear: 512}, {linear: 10}]}"


@pytest.fixture
def four_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    yield
    torch.set_num_threads(before)


def test_a_small_step_has_one_thread_and_a_large_one_all(four_threads, monkeypatch) -> None:
    monkeypatch.setattr("dlrun.training.speed.threads.given_processors", lambda: None)
    assert choose_threads(networks.plan_of(SMALL).macs, 128) == 1
    assert choose_threads(networks.plan_of(LARGE).macs, 128) == 4
    assert choose_threads(networks.plan_of(LARGE).macs, 1) == 1  # as many products as the small one in a large batch


def test_no_more_threads_than_the_control_group_gives(four_threads, monkeypatch) -> None:
    monkeypatch.setattr("dlrun.training.speed.threads.given_processors", lambda: 2)
    assert choose_threads(networks.plan_of(LARGE).macs, 128) == 2
    monkeypatch.setattr("dlrun.training.speed.threads.given_processors", lambda: 64)
    assert choose_threads(networks.plan_of(LARGE).macs, 128) == 4


@pytest.mark.parametrize(
    ("files", "given"),
    [
        ({"cpu.max": "200000 100000\n"}, 2),
        ({"cpu.max": "250000 100000\n"}, 2),
        ({"cpu.max": "50000 100000\n"}, 1),
        ({"cpu.max": "max 100000\n"}, None),
        ({"cpu/cpu.cfs_quota_us": "300000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 3),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, None),
        ({"cpu.max": "nonsense\n"}, None),
        ({}, None),
    ],
)
def test_the_control_groups_quota_is_read_in_both_of_its_forms(files: dict, given: int | None, tmp_path: Path) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert given_processors(tmp_path) == given


@pytest.mark.skipif(
    not sys.platform.startswith("linux") or not hasattr(ctypes.CDLL(None), "mallinfo2"), reason="glibc, from 2.33 on"
)
def test_freed_memory_is_kept() -> None:
    # What the heap still holds once all is freed. Page faults would tell as well, but for small objects that happen to
    # lie at the heap's end, and then keep all below them in any case.
    program = """
import ctypes, sys, torch
from dlrun.training.speed.allocator import keep_memory

FIELDS = "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost".split()

class Mallinfo2(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in FIELDS]

mallinfo2 = ctypes.CDLL(None).mallinfo2
mallinfo2.restype = Mallinfo2
if sys.argv[1] == "keep":
    keep_memory()
kept = [torch.ones(4_000_000) for _ in range(6)]  # 96 MB, as a step keeps for the backward pass, and then lets go
kept.append(torch.ones(24_000_000))  # a block larger than those that glibc has from its heap if asked to
del kept
print(mallinfo2().arena)
"""
    found = {
        how: int(
            subprocess.run([sys.executable, "-c", program, how], capture_output=True, text=True, check=True).stdout
        )
        for how in ("keep", "give")
    }
    assert found["keep"] - found["give"] > 180_000_000, found
