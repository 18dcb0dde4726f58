"""A damaged checkpoint is never used, and there is never a moment without one.

DLRUN_FAULTS=2000 damages more of them than the quick share does.
"""

from __future__ import annotations

import math
import os
import shutil
import struct
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import pytest
import torch
from faults import faults, in_child
from power import disk

from dlrun.errors import RunError
from dlrun.runs import checkpoints
from dlrun.runs.checkpoints import FORMAT, Checkpoint, Checkpoints
from dlrun.runs.checksummed_json import sha256, verified, with_checksum

pytestmark = pytest.mark.counts

FAULTS = int(os.environ.get("DLRUN_FAULTS", "150"))


@pytest.fixture(autouse=True)
def _quickly(monkeypatch) -> None:
    # What the disk has is modelled where it matters; a process that is killed loses nothing that it has not synced.
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


def content(step: int) -> dict[str, Any]:
    """The content of a checkpoint of a small network; the numbers differ at each step."""
    made = torch.Generator().manual_seed(step)
    weights = {"0.weight": torch.randn(4, 3, generator=made), "0.bias": torch.randn(4, generator=made)}
    moments = {f"{name}.{moment}": weight * step for name, weight in weights.items() for moment in ("exp_avg", "step")}
    generators = {"torch": torch.randint(0, 256, (64,), generator=made, dtype=torch.uint8)}
    return {
        "tensors": {"weights": weights, "optimizer": moments, "progress": generators},
        "state": {"step": step, "best": math.nan, "sums": [0.1 * step, math.inf], "data": "3f2a"},
    }


def write(run: Path, step: int, best: bool = False, by: Checkpoints | None = None) -> Checkpoints:
    kept = by or Checkpoints(run)
    kept.write(step, **content(step), best=best)
    return kept


def is_written(found: Checkpoint | None, step: int) -> bool:
    """Whether a checkpoint has the content of a step, to the last bit."""
    if found is None or found.step != step or repr(found.state) != repr(content(step)["state"]):
        return False
    known = content(step)["tensors"]
    return found.tensors.keys() == known.keys() and all(
        found.tensors[group].keys() == held.keys()
        and all(
            torch.equal(found.tensors[group][name].view(torch.uint8), held[name].view(torch.uint8)) for name in held
        )
        for group, held in known.items()
    )


def names(run: Path) -> list[str]:
    return sorted(path.name for path in (run / "checkpoints").iterdir())


# Writing and reading


def test_a_run_without_checkpoints_has_no_newest(tmp_path: Path) -> None:
    assert Checkpoints(tmp_path).newest() is None
    (tmp_path / "checkpoints" / ".step-000000001.part").mkdir(parents=True)
    assert Checkpoints(tmp_path).newest() is None


def test_a_checkpoint_comes_back_bit_for_bit(tmp_path: Path) -> None:
    write(tmp_path, 500)
    kept = Checkpoints(tmp_path)
    assert is_written(kept.newest(), 500)
    assert kept.damaged == []
    assert names(tmp_path) == ["step-000000500"]
    assert {path.name for path in (tmp_path / "checkpoints" / "step-000000500").iterdir()} == {
        "weights.safetensors",
        "optimizer.safetensors",
        "progress.safetensors",
        "state.json",
        "manifest.json",
    }


def test_the_numbers_of_a_state_are_exact_and_those_that_json_lacks_survive(tmp_path: Path) -> None:
    random = Random(7)
    floats = [struct.unpack("<d", random.randbytes(8))[0] for _ in range(1000)] + [-0.0, 5e-324, math.nan, -math.inf]
    state = {
        "floats": floats,
        "generator": list(random.getstate()[1]),
        "large": 1 << 100,
        "none": None,
        "deep": {"a": []},
    }
    Checkpoints(tmp_path).write(1, {}, state, best=False)
    found = Checkpoints(tmp_path).newest()
    assert found is not None
    assert repr(found.state) == repr(state)
    text = (tmp_path / "checkpoints" / "step-000000001" / "state.json").read_text()
    assert "NaN" not in text and "Infinity" not in text


@pytest.mark.parametrize(
    "state", [{"a": {1: 2}}, {"a": {"float": "nan"}}, {"a": {1, 2}}, {"a": torch.zeros(1)}], ids=repr
)
def test_a_state_that_would_not_come_back_is_not_written(tmp_path: Path, state: dict[str, Any]) -> None:
    write(tmp_path, 1)
    with pytest.raises((TypeError, ValueError)):
        Checkpoints(tmp_path).write(2, {}, state, best=False)
    assert is_written(write(tmp_path, 3).newest(), 3)
    assert names(tmp_path) == ["step-000000001", "step-000000003"]


def test_the_last_one_the_one_before_and_the_newest_of_the_best_are_kept(tmp_path: Path) -> None:
    kept = Checkpoints(tmp_path)
    for step in range(1, 8):
        write(tmp_path, step, best=step in (2, 3), by=kept)
        expected = {1: [1], 2: [1, 2], 3: [2, 3], 4: [3, 4], 5: [3, 4, 5], 6: [3, 5, 6], 7: [3, 6, 7]}[step]
        assert names(tmp_path) == [f"step-{number:09d}" for number in expected]


@pytest.mark.parametrize("keep", [2, 3, 5])
def test_the_last_few_are_kept_without_the_damaged_ones(tmp_path: Path, keep: int) -> None:
    for step in range(1, 10):
        write(tmp_path, step, best=step == 1, by=Checkpoints(tmp_path, keep))
        assert names(tmp_path) == [
            f"step-{number:09d}" for number in range(1, step + 1) if number == 1 or number > step - keep
        ]
    (tmp_path / "checkpoints" / "step-000000008" / "state.json").write_text("{}")
    write(tmp_path, 10, by=Checkpoints(tmp_path, keep))
    left = [number for number in (1, *range(11 - keep - 1, 11)) if number != 8]
    assert names(tmp_path) == [f"step-{number:09d}" for number in left]


def test_steps_are_ordered_as_numbers(tmp_path: Path) -> None:
    kept = Checkpoints(tmp_path)
    for step in (999_999_999, 1_000_000_000):
        write(tmp_path, step, by=kept)
    assert is_written(kept.newest(), 1_000_000_000)


def test_the_same_step_again_replaces_it(tmp_path: Path) -> None:
    kept = write(tmp_path, 5)
    kept.write(5, {}, {"second": True}, best=False)
    kept.write(5, {}, {"third": True}, best=False)
    found = Checkpoints(tmp_path).newest()
    assert found is not None and (found.step, found.state) == (5, {"third": True})
    assert is_written(write(tmp_path, 6, by=kept).newest(), 6)
    assert names(tmp_path) == ["step-000000005-3", "step-000000006"]


def test_files_of_others_beside_the_checkpoints_stay(tmp_path: Path) -> None:
    (tmp_path / "checkpoints").mkdir()
    for name in (".DS_Store", "notes.txt", "step-7"):
        (tmp_path / "checkpoints" / name).write_text("mine")
    assert is_written(write(tmp_path, 1).newest(), 1)
    assert names(tmp_path) == [".DS_Store", "notes.txt", "step-000000001", "step-7"]


# Damage


def damage(folder: Path, other: Path, random: Random) -> str:
    """Damage one file of a checkpoint; returns a description."""
    path = random.choice(sorted(folder.iterdir()))
    data = path.read_bytes()
    kind = random.choice(["flip", "flip", "flip", "cut", "cut", "grow", "empty", "zeros", "remove", "swap", "more"])
    at = random.randrange(len(data))
    match kind:
        case "flip":
            path.write_bytes(data[:at] + bytes([data[at] ^ 1 << random.randrange(8)]) + data[at + 1 :])
        case "cut":
            path.write_bytes(data[:at])
        case "grow":
            path.write_bytes(data + random.randbytes(random.randint(1, 9)))
        case "empty":
            path.write_bytes(b"")
        case "zeros":
            path.write_bytes(data[:at] + bytes(len(data) - at) + b"\0")
        case "remove":
            path.unlink()
        case "swap":
            path.write_bytes((other / path.name).read_bytes())
        case "more":
            (folder / "more.safetensors").write_bytes(data)
    return f"{kind} {path.name} at byte {at}"


def test_every_damage_is_noticed_and_the_one_before_is_used(tmp_path: Path) -> None:
    random, kept = Random(7), Checkpoints(tmp_path)
    for step in (1, 2):
        write(tmp_path, step, by=kept)
    before, last = sorted((tmp_path / "checkpoints").iterdir())
    good = {path: path.read_bytes() for path in last.iterdir()}
    kinds: dict[str, int] = {}
    for _ in range(FAULTS):
        done = damage(last, before, random)
        reader = Checkpoints(tmp_path)
        assert is_written(reader.newest(), 1), done
        assert len(reader.damaged) == 1 and reader.damaged[0].startswith("step-000000002: "), done
        kinds[done.split()[0]] = kinds.get(done.split()[0], 0) + 1
        (last / "more.safetensors").unlink(missing_ok=True)
        for path, data in good.items():
            path.write_bytes(data)
    assert is_written(Checkpoints(tmp_path).newest(), 2)
    sys.stdout.write(f"  {FAULTS} damaged checkpoints, all noticed: {kinds}\n")


def test_every_bit_of_a_manifest_counts(tmp_path: Path) -> None:
    write(tmp_path, 1)
    Checkpoints(tmp_path).write(2, {}, {}, best=False)
    path = tmp_path / "checkpoints" / "step-000000002" / "manifest.json"
    data = path.read_bytes()
    for bit in range(8 * len(data)):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        path.write_bytes(flipped)
        assert is_written(Checkpoints(tmp_path).newest(), 1), bit


def test_when_all_are_damaged_each_is_named_and_nothing_is_used(tmp_path: Path) -> None:
    kept = Checkpoints(tmp_path)
    for step in (1, 2):
        write(tmp_path, step, by=kept)
    root = tmp_path / "checkpoints"
    (root / "step-000000001" / "weights.safetensors").write_bytes(b"")
    (root / "step-000000002" / "manifest.json").unlink()
    with pytest.raises(RunError) as caught:
        Checkpoints(tmp_path).newest()
    assert "step-000000001: weights.safetensors has 0 bytes, not" in str(caught.value)
    assert "step-000000002: manifest.json is missing" in str(caught.value)


def test_a_damaged_one_is_never_the_one_that_is_kept(tmp_path: Path) -> None:
    kept = Checkpoints(tmp_path)
    for step in (1, 2, 3):
        write(tmp_path, step, best=step == 1, by=kept)
    (tmp_path / "checkpoints" / "step-000000003" / "state.json").write_bytes(b"{}")
    after = Checkpoints(tmp_path)
    assert is_written(after.newest(), 2)
    write(tmp_path, 3, by=after)
    assert names(tmp_path) == ["step-000000001", "step-000000002", "step-000000003-2"]
    assert is_written(Checkpoints(tmp_path).newest(), 3)


def test_one_that_is_damaged_is_not_counted_by_a_process_that_did_not_write_it(tmp_path: Path) -> None:
    kept = Checkpoints(tmp_path)
    for step in (1, 2):
        write(tmp_path, step, by=kept)
    (tmp_path / "checkpoints" / "step-000000002" / "weights.safetensors").write_bytes(b"")
    write(tmp_path, 3)
    assert names(tmp_path) == ["step-000000001", "step-000000003"]


def test_a_checkpoint_under_the_name_of_another_step_is_not_used(tmp_path: Path) -> None:
    write(tmp_path, 1)
    shutil.copytree(tmp_path / "checkpoints" / "step-000000001", tmp_path / "checkpoints" / "step-000000002")
    reader = Checkpoints(tmp_path)
    assert is_written(reader.newest(), 1)
    assert reader.damaged == ["step-000000002: it was written as step 1"]


# Forged on purpose: with new checksums, so that the hashes match


def forge(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    manifest = verified((folder / "manifest.json").read_bytes())
    for name, entry in manifest["files"].items():
        data = (folder / name).read_bytes()
        entry |= {"size": len(data), "sha256": sha256(data)}
    change(manifest)
    (folder / "manifest.json").write_bytes(with_checksum(manifest))


class Bomb:
    """Makes a file when it is unpickled."""

    def __init__(self, path: str):
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (Path(self.path),)


def test_a_pickle_in_the_place_of_tensors_is_refused_and_not_run(tmp_path: Path) -> None:
    write(tmp_path, 1)
    folder = tmp_path / "checkpoints" / "step-000000001"
    torch.save({"0.weight": Bomb(str(tmp_path / "boom"))}, folder / "weights.safetensors")
    forge(folder, lambda manifest: None)
    with pytest.raises(RunError, match=r"weights\.safetensors cannot be read"):
        Checkpoints(tmp_path).newest()
    assert not (tmp_path / "boom").exists()


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda manifest: manifest.update(format=FORMAT + 1), "another version"),
        (lambda manifest: manifest.update(files=[]), "lists no files"),
        (lambda manifest: manifest.update(files={"../a": {}}), "a is missing"),
        (lambda manifest: manifest["files"].pop("state.json"), r"state\.json is not in manifest\.json"),
        (lambda manifest: manifest["files"]["state.json"].clear(), "SHA-256 differs"),
    ],
    ids=range(5),
)
def test_a_manifest_that_was_made_up_is_refused(tmp_path: Path, change: Any, expected: str) -> None:
    write(tmp_path, 1)
    forge(tmp_path / "checkpoints" / "step-000000001", change)
    with pytest.raises(RunError, match=expected):
        Checkpoints(tmp_path).newest()


@pytest.mark.parametrize("text", ["[]", "[" * 100_000, '{"float": []}', "\xff", "{"], ids=range(5))
def test_a_state_that_was_made_up_is_refused(tmp_path: Path, text: str) -> None:
    write(tmp_path, 1)
    folder = tmp_path / "checkpoints" / "step-000000001"
    (folder / "state.json").write_bytes(text.encode("latin-1"))
    forge(folder, lambda manifest: None)
    with pytest.raises(RunError, match=r"state"):
        Checkpoints(tmp_path).newest()


def test_links_and_pipes_are_not_read(tmp_path: Path) -> None:
    write(tmp_path, 1)
    path = tmp_path / "checkpoints" / "step-000000001" / "weights.safetensors"
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(RunError, match="is not a regular file"):
        Checkpoints(tmp_path).newest()
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(RunError, match="is not a regular file"):
        Checkpoints(tmp_path).newest()


# Kills, full disks, power cuts

SITUATIONS = {
    "the first": ([], 1),
    "the second": ([(1, False)], 2),
    "with one to remove": ([(1, False), (2, False)], 3),
    "with the best to keep": ([(1, True), (2, False), (3, False)], 4),
    "the same step again": ([(1, False), (2, False)], 2),
    "the same step alone": ([(1, False)], 1),
}


def begin(run: Path, situation: str) -> tuple[Checkpoints, int, int]:
    """A run before a checkpoint is written: who will, the newest step there (0 for none), and the step to come."""
    shutil.rmtree(run, ignore_errors=True)
    run.mkdir()
    before, step = SITUATIONS[situation]
    kept = Checkpoints(run)
    for number, best in before:
        write(run, number, best, by=kept)
    return kept, max((number for number, _ in before), default=0), step


def check_after(run: Path, old: int, new: int, through: bool) -> None:
    """Either the old one or the new one is there, and the next write leaves nothing but good ones."""
    reader = Checkpoints(run)
    found = reader.newest()
    assert reader.damaged == []
    if through:
        assert is_written(found, new)
    elif old:
        assert is_written(found, old) or is_written(found, new)
    else:
        assert found is None or is_written(found, new)
    write(run, 9, by=reader)
    assert is_written(Checkpoints(run).newest(), 9)
    assert not [name for name in names(run) if name.startswith(".")]
    assert len(names(run)) <= 3
    for name in names(run):
        checkpoints._read(run / "checkpoints" / name)


@pytest.mark.parametrize(
    ("situation", "mode"), [*((situation, "kill") for situation in SITUATIONS), ("with one to remove", "torn")]
)
def test_a_kill_at_any_operation_leaves_the_old_one_or_the_new_one(tmp_path: Path, situation: str, mode: str) -> None:
    at, through = 0, False
    while not through:
        at += 1
        kept, old, new = begin(tmp_path / "run", situation)
        through = in_child(partial(write, tmp_path / "run", new, by=kept), mode, at)
        check_after(tmp_path / "run", old, new, through)
    assert at > 15  # folder, six files, their syncs, the renaming
    sys.stdout.write(f"  checkpoint, {situation}, {mode}: {at - 1} operations, each survived\n")


@pytest.mark.parametrize("situation", SITUATIONS)
def test_a_chain_of_kills_leaves_the_old_one_or_the_new_one(tmp_path: Path, situation: str) -> None:
    random = Random(7)
    for _ in range(max(1, FAULTS // 75)):
        _, old, new = begin(tmp_path / "run", situation)
        through = False
        for _ in range(6):
            again = partial(write, tmp_path / "run", new, by=Checkpoints(tmp_path / "run"))
            through = in_child(again, "kill", random.randint(1, 30)) or through
        check_after(tmp_path / "run", old, new, through)


@pytest.mark.parametrize("mode", ["enospc", "eio"])
@pytest.mark.parametrize("situation", SITUATIONS)
def test_a_fault_at_any_operation_is_reported_and_the_old_one_stays(tmp_path: Path, situation: str, mode: str) -> None:
    kept, old, new = begin(tmp_path / "run", situation)
    with faults("count") as counted:
        write(tmp_path / "run", new, by=kept)
    errors = 0
    for at in range(1, counted.count + 1):
        kept, old, new = begin(tmp_path / "run", situation)
        there = names(tmp_path / "run") if old else []
        try:
            with faults(mode, at):
                write(tmp_path / "run", new, by=kept)
        except RunError as error:
            errors += 1
            assert "cannot write" in str(error)
            assert os.strerror(28 if mode == "enospc" else 5) in str(error)
            assert not old or set(there) <= set(names(tmp_path / "run"))  # nothing was removed
            check_after(tmp_path / "run", old, new, through=False)
        else:
            check_after(tmp_path / "run", old, new, through=True)
    assert errors >= 12


@pytest.mark.parametrize("situation", SITUATIONS)
def test_a_power_cut_at_any_moment_leaves_what_was_promised(tmp_path: Path, situation: str) -> None:
    random, run = Random(7), tmp_path / "run"
    run.mkdir()
    before, new = SITUATIONS[situation]
    promised: list[tuple[int, int]] = [(0, 0)]
    with disk(run) as modelled:
        kept = Checkpoints(run)
        for step, best in [*before, (new, False)]:
            write(run, step, best, by=kept)
            promised.append((modelled.now, step))
    for moment in range(modelled.now + 1):
        least = max(step for time, step in promised if time <= moment)
        for _ in range(max(1, FAULTS // 50)):
            modelled.cut_power(moment, tmp_path / "cut", random)
            reader = Checkpoints(tmp_path / "cut")
            found = reader.newest()
            assert reader.damaged == []
            assert (found is None and not least) or (found and found.step >= least and is_written(found, found.step))
            shutil.rmtree(tmp_path / "cut")


def test_the_power_cut_would_find_a_checkpoint_that_is_not_synced(tmp_path: Path) -> None:
    random, run = Random(7), tmp_path / "run"
    run.mkdir()
    with disk(run, deaf=True) as modelled:
        kept = Checkpoints(run)
        for step in (1, 2, 3):
            write(run, step, by=kept)
    lost = damaged = 0
    for _ in range(100):
        modelled.cut_power(modelled.now, tmp_path / "cut", random)
        reader = Checkpoints(tmp_path / "cut")
        try:
            found = reader.newest()
            lost += found is None or found.step < 3
        except RunError:
            damaged += 1
        shutil.rmtree(tmp_path / "cut")
    assert lost and damaged
