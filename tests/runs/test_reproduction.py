"""A run beside the one that trained it again: how far it went, where they part, and by how much."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from run_folders import STARTED, make_run
from safetensors.numpy import save_file

from dlrun.errors import RunError
from dlrun.runs.info import Record
from dlrun.runs.lock import lock
from dlrun.runs.reproduction import AT_TEST, Reproduced, WeightDifference, original_of, reproduced


def records(losses: Sequence[float], **test: float) -> list[Record]:
    """One record for each epoch, with a loss and a rate that is always the same, and one of a test."""
    found = [
        Record(epoch, 10 * epoch, STARTED + epoch, {"train/loss": loss, "lr": 0.1, "time/epoch": time.time()})
        for epoch, loss in enumerate(losses, 1)
    ]
    metrics = {f"test/{name}": value for name, value in test.items()}
    return [*found, *([Record(len(losses), 10 * len(losses), STARTED, metrics)] if test else [])]


def weights(folder: Path, **tensors: np.ndarray) -> None:
    """The best and the last weights of a run."""
    for file in ("best", "last"):
        save_file({"w": np.zeros(2, np.float32), **tensors}, folder / f"{file}.safetensors", {"dlrun": folder.name})


def run(folder: Path, losses: Sequence[float], status: str = "FINISHED", **test: float) -> Path:
    make_run(folder, records(losses, **test), status=status)
    weights(folder)
    return folder


def compared(one: Path, two: Path) -> Reproduced:
    (found,) = reproduced(original_of(one), two)
    return found


def test_runs_that_differ_in_times_and_in_the_version_that_wrote_the_weights_are_the_same(tmp_path: Path) -> None:
    one = run(tmp_path / "one", [0.5, math.nan], loss=0.25)
    two = run(tmp_path / "two", [0.5, math.nan], loss=0.25)
    found = compared(one, two)
    assert found.same and found.complete
    assert (found.epochs, found.parted, found.end) == (2, "", AT_TEST)
    assert found.weights == {"best": None, "last": None}


def test_the_first_epoch_that_differs_is_found_and_the_largest_difference_at_the_end(tmp_path: Path) -> None:
    one = run(tmp_path / "one", [0.5, 0.25, 0.125], loss=4.0, accuracy=0.0)
    two = run(tmp_path / "two", [0.5, 0.25 + 2**-40, 0.5], loss=5.0, accuracy=0.5)
    found = compared(one, two)
    assert not found.same
    assert (found.epochs, found.parted, found.metrics) == (1, "epoch 2", 2)
    (difference,) = found.differing
    assert (difference.metric, difference.was, difference.now) == ("train/loss", 0.25, 0.25 + 2**-40)
    assert (difference.by, difference.relative) == (2**-40, 2**-38)
    assert found.end == AT_TEST and found.most is not None
    assert (found.most.metric, found.most.by, found.most.relative) == ("test/accuracy", 0.5, math.inf)


@pytest.mark.parametrize(("was", "now"), [(0.0, -0.0), (math.nan, 1.0), (1.0, math.inf)])
def test_every_bit_counts(tmp_path: Path, was: float, now: float) -> None:
    found = compared(run(tmp_path / "one", [1.0, was]), run(tmp_path / "two", [1.0, now]))
    assert (found.epochs, found.parted) == (1, "epoch 2")
    assert math.isnan(found.differing[0].by) or found.differing[0].by == 0


def test_an_epoch_that_only_one_of_both_has_is_where_they_part(tmp_path: Path) -> None:
    short, long = run(tmp_path / "short", [1.0, 0.5], loss=1), run(tmp_path / "long", [1.0, 0.5, 0.25], loss=2)
    for one, two in ((short, long), (long, short)):
        found = compared(one, two)
        assert (found.epochs, found.parted, found.differing, found.end) == (2, "epoch 3", (), AT_TEST)


def test_only_a_test_that_differs_is_told_as_the_test(tmp_path: Path) -> None:
    found = compared(run(tmp_path / "one", [1.0], loss=1), run(tmp_path / "two", [1.0], loss=2))
    assert (found.epochs, found.parted, found.metrics) == (1, AT_TEST, 1)


def test_tensors_are_compared_bit_by_bit(tmp_path: Path) -> None:
    one, two = run(tmp_path / "one", [1.0]), run(tmp_path / "two", [1.0])
    many = np.array([1.0, 2.0, 4.0], np.float32)
    weights(one, a=many, b=many, gone=many, shape=many)
    weights(two, a=many + np.float32(0.5), b=many, new=many, shape=many[:2])
    found = compared(one, two)
    assert not found.same and not found.parted
    assert found.weights["best"] == WeightDifference(4, 6, 0.5)
    (two / "last.safetensors").write_bytes(b"")
    with pytest.raises(RunError, match="cannot compare"):
        compared(one, two)


@pytest.mark.parametrize("status", ["KILLED", "FAILED", "RUNNING"])
def test_a_run_that_is_not_complete_is_compared_as_far_as_it_went(tmp_path: Path, status: str) -> None:
    one = run(tmp_path / "one", [1.0, 0.5], status)
    weights(one, other=np.zeros(1))  # those of an earlier moment
    original = original_of(one)
    assert (original.complete, original.until) == (False, 2)
    found = compared(one, run(tmp_path / "two", [1.0, 0.5], "KILLED"))
    assert found.same and not found.complete and not found.weights


def test_the_test_of_a_run_before_it_was_trained_longer_is_left_out(tmp_path: Path) -> None:
    first, longer = records([1.0, 0.5], loss=0.5), records([1.0, 0.5, 0.25], loss=0.25)
    make_run(tmp_path / "one", [*first, *longer[2:]])
    weights(tmp_path / "one")
    assert original_of(tmp_path / "one").extended
    assert compared(tmp_path / "one", run(tmp_path / "two", [1.0, 0.5, 0.25], loss=0.25)).same


def test_a_run_without_an_epoch_and_one_that_is_trained_now_cannot_be_reproduced(tmp_path: Path) -> None:
    make_run(tmp_path / "none", status="KILLED")
    with pytest.raises(RunError, match="none ended before its first epoch was complete: there is nothing to compare"):
        original_of(tmp_path / "none")
    run(tmp_path / "now", [1.0], "RUNNING")
    with lock(tmp_path / "now"), pytest.raises(RunError, match="now is being trained now; once it has ended"):
        original_of(tmp_path / "now")
