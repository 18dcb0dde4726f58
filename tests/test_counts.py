"""What a step and a command may cost, in things that can be counted; benchmarks/counts.py shows them all."""

import sys
from pathlib import Path

import pytest
import torch
from places import BENCHMARKS

from dlrun.components.optimizers import SearchingOptimizer
from dlrun.language.kinds import find, kinds

A_STEP = {"operators": 230, "reads": 0.1, "bytes": 445_000, "Python calls": 34, "C calls": 36}
"""Bounds for a step of the tabular network, with a tenth to a third of room. Inside an epoch the losses are looked at
ten times a second, which is why a slow machine may make a few calls more."""
MODULES = {"--help": 420, "check": 592, "schema": 757}


@pytest.fixture(scope="module")
def counts() -> object:
    sys.path.insert(0, str(BENCHMARKS))
    try:
        import counts
    finally:
        sys.path.remove(str(BENCHMARKS))
    return counts


def test_a_step_costs_no_more_than_it_did(counts) -> None:
    found = counts.in_a_step("tabular")
    assert found["operators"] > 20 and found["Python calls"] > 1  # something was counted
    assert {what: found[what] for what, most in A_STEP.items() if found[what] > most} == {}


def decides(family: str, kind: str) -> bool:
    """Whether a kind needs the values that it computes: only optimizers that search do."""
    return issubclass(find(family, kind), SearchingOptimizer)


@pytest.mark.parametrize("family", ["optimizers", "losses", "regularizers", "constraints", "metrics"])
def test_a_step_with_any_kind_reads_nothing_back_from_the_device_unless_it_decides_by_values(
    counts, family: str, tmp_path: Path
) -> None:
    found = counts.with_each_kind(family, tmp_path)
    assert set(found) == set(kinds(family)) - set(counts.OF_SEQUENCES)
    assert {kind for kind, step in found.items() if step["reads"]} == {kind for kind in found if decides(family, kind)}
    assert all(step["operators"] > 20 for step in found.values())


def test_a_read_is_counted(counts) -> None:
    assert counts.reads_of(lambda: torch.ones(3).sum().item()) == 1
    assert counts.reads_of(lambda: bool(torch.ones(()))) == 1
    assert counts.reads_of(lambda: torch.ones(3).nonzero()) == 1
    assert counts.reads_of(lambda: torch.ones(3).sum()) == 0


@pytest.mark.parametrize("command", MODULES)
def test_a_command_imports_no_more_modules_than_it_did(counts, command: str) -> None:
    modules = counts.imported_by(counts.COMMANDS[command])
    assert "dlrun.commands.app" in modules
    assert len(modules) <= MODULES[command]


def test_a_read_from_the_device_is_counted_and_so_is_memory(counts) -> None:
    rows = torch.ones(1000)
    found = counts.operators_of(lambda: (rows * 2).sum().item())
    assert found["reads"] == 1
    assert found["bytes"] >= 4000  # the product; the sum is a number more


def test_calls_of_python_and_of_c_are_counted(counts) -> None:
    def work() -> None:
        for number in range(10):
            square(number)
            abs(number)

    def square(number: int) -> int:
        return number * number

    found = counts.calls_of(work)
    assert found["Python calls"] == 11
    assert found["C calls"] == 10 + 1  # setprofile, which ends the counting
