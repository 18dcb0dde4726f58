"""Rows in memory and rows in a file are the same to whoever takes batches."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from networks import plan_of
from torch import nn

from dlrun.components.preprocess import TrainingRows
from dlrun.components.sources import SourceError
from dlrun.data import survey as surveying
from dlrun.data.batches import Batch
from dlrun.data.fit import FittedStep
from dlrun.data.load import Answers, Loaded
from dlrun.data.prepare import Prepared, prepare
from dlrun.data.rows import InMemory, OnDisk, Rows, blocks
from dlrun.data.survey import digest, survey
from dlrun.errors import RunError
from dlrun.language.component import choose
from dlrun.plan import memory
from dlrun.plan.split import Splits
from dlrun.stored import StoredArray

ROWS = 40
NUMBERS = "{input: 6, layers: [linear: 3]}"
IMAGES = "{input: [1, 2, 3], layers: [flatten, linear: 3]}"
INDICES = "{input: 6, layers: [embedding: {num_embeddings: 9, embedding_dim: 2}]}"
SPLITS = Splits(np.arange(5, 30), np.arange(30, 38), np.array([0, 4, 38]))


def numbers() -> np.ndarray[Any, Any]:
    return np.random.default_rng(0).normal(3, 2, size=(ROWS, 6)).astype("f4")


def in_file(folder: Path, values: np.ndarray[Any, Any]) -> StoredArray:
    file = folder / "x.bin"
    file.write_bytes(values.tobytes())
    return StoredArray(file, 0, values.shape, values.dtype)


def loaded(features: np.ndarray[Any, Any] | StoredArray) -> Loaded:
    answers = Answers(np.arange(ROWS) % 3, np.arange(ROWS) % 3, ("a", "b", "c"))
    surveys = {"input": survey(features, "input")} if isinstance(features, StoredArray) else {}
    return Loaded({"input": features}, {"target": answers}, SPLITS, "data", "split", surveys=surveys)


def prepared(features: np.ndarray[Any, Any] | StoredArray, model: str, *chain: nn.Module) -> Prepared:
    return prepare(loaded(features), plan_of(model), {"input": [("step", module) for module in chain]}, "cpu")


@pytest.fixture
def _nothing_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(memory.IN_MEMORY, "cpu", 0)


def same(one: Batch, other: Batch) -> bool:
    pairs = [*zip(one.inputs, other.inputs, strict=True), (one.targets["target"], other.targets["target"])]
    return all(a.dtype == b.dtype and a.stride() == b.stride() and torch.equal(a, b) for a, b in pairs)


def each(one: Prepared, other: Prepared) -> list[tuple[Rows, Rows]]:
    return [(one.train, other.train), (one.validation, other.validation), (one.test, other.test)]


@pytest.mark.usefixtures("_nothing_in_memory")
@pytest.mark.parametrize("model", [NUMBERS, IMAGES])
@pytest.mark.parametrize("step", [None, "standardize", "minmax"])
def test_a_batch_from_a_file_has_the_bits_of_one_from_memory(tmp_path: Path, model: str, step: str | None) -> None:
    values = numbers()
    chain = []
    if step is not None:
        chosen: Any = choose("preprocess", step)
        chain = [FittedStep.of(chosen, chosen.fit(TrainingRows(values, SPLITS.train), np.empty((25, 0)), None)).module]
    kept, filed = prepared(values, model, *chain), prepared(in_file(tmp_path, values), model, *chain)
    for one, other in each(kept, filed):
        assert isinstance(one, InMemory) and isinstance(other, OnDisk)
        assert (len(one), one.device, one.fingerprint) == (len(other), other.device, other.fingerprint)
        some = torch.tensor([2, 0, 1, 1])
        for rows in (slice(None), slice(1, 3), slice(2, 99), some):
            assert same(one.batch(rows), other.batch(rows))
        assert torch.equal(torch.cat([batch.inputs[0] for batch in blocks(other)]), one.batch(slice(None)).inputs[0])


@pytest.mark.usefixtures("_nothing_in_memory")
def test_whole_numbers_from_a_file_are_indices(tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(0, 9, size=(ROWS, 6), dtype=np.uint8)
    kept, filed = prepared(values, INDICES), prepared(in_file(tmp_path, values), INDICES)
    assert all(same(one.batch(slice(None)), other.batch(slice(None))) for one, other in each(kept, filed))


def test_a_small_array_of_a_file_is_read_into_memory(tmp_path: Path) -> None:
    found = prepared(in_file(tmp_path, numbers()), NUMBERS)
    assert isinstance(found.train, InMemory)
    assert same(found.train.batch(slice(None)), prepared(numbers(), NUMBERS).train.batch(slice(None)))


def test_the_rows_of_each_split_have_a_fingerprint_of_their_own() -> None:
    found = prepared(numbers(), NUMBERS)
    assert len({rows.fingerprint for rows in (found.train, found.validation, found.test)}) == 3
    other = prepare(replace(loaded(numbers()), digest="other"), plan_of(NUMBERS), {"input": []}, "cpu")
    assert other.train.fingerprint != found.train.fingerprint


@pytest.mark.usefixtures("_nothing_in_memory")
@pytest.mark.parametrize(
    ("model", "wrong", "message"),
    [
        (INDICES, 1.5, "'input' has other numbers than whole ones from 0 on, and an index is one"),
        (INDICES, -1.0, "'input' has other numbers than whole ones from 0 on, and an index is one"),
        (INDICES, 9.0, "'input' has the index 9; there are 9, from 0 to 8"),
        (NUMBERS, -1e300, "'input' has the number -1e+300, too large for float32"),
    ],
)
def test_what_a_batch_would_refuse_is_refused_before_the_first(
    tmp_path: Path, model: str, wrong: float, message: str
) -> None:
    values = np.zeros((ROWS, 6))
    values[17, 2] = wrong
    with pytest.raises(SourceError) as caught:
        prepared(in_file(tmp_path, values), model)
    assert caught.value.message == message


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("piece", [1, 1 << 24])
def test_a_number_that_is_not_finite_has_its_place(
    tmp_path: Path, wrong: float, piece: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(surveying, "PIECE_BYTES", piece)
    values = numbers()
    values[17, 2] = wrong
    with pytest.raises(SourceError) as caught:
        survey(in_file(tmp_path, values), "x")
    assert caught.value.message == f"'x' holds {wrong} at [17, 2]; numbers must be finite"


@pytest.mark.parametrize("kind", ["f4", "f8", "u1", "i8"])
@pytest.mark.parametrize("piece", [1, 1 << 24])
def test_an_array_has_one_digest_in_memory_and_in_a_file(
    tmp_path: Path, kind: str, piece: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = (numbers() * 9).clip(0, 99).astype(kind)
    one = digest(values)
    monkeypatch.setattr(surveying, "PIECE_BYTES", piece)
    found = survey(in_file(tmp_path, values), "x")
    assert digest(values) == found.digest == one
    assert (found.lowest, found.highest, found.whole) == (values.min(), values.max(), kind in ("u1", "i8"))


@pytest.mark.usefixtures("_nothing_in_memory")
def test_a_file_that_changes_during_training_ends_the_run_with_an_error(tmp_path: Path) -> None:
    found = prepared(in_file(tmp_path, numbers()), NUMBERS)
    (tmp_path / "x.bin").write_bytes(b"")
    with pytest.raises(RunError, match="was changed while it was read"):
        found.train.batch(slice(0, 2))


@pytest.mark.parametrize("on_disk", [False, True])
def test_other_inputs_leave_the_rest_of_the_rows_as_it_is(
    tmp_path: Path, on_disk: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if on_disk:
        monkeypatch.setitem(memory.IN_MEMORY, "cpu", 0)
    rows = prepared(in_file(tmp_path, numbers()), NUMBERS).validation
    assert isinstance(rows, OnDisk if on_disk else InMemory)
    own, some = torch.arange(8.0)[:, None], torch.tensor([6, 0, 3])
    both, alone = rows.with_inputs([own, 0]), rows.with_inputs([own])
    assert isinstance(both, OnDisk if on_disk else InMemory) and isinstance(alone, InMemory)
    for changed in (both, alone):
        assert len(changed) == 8 and changed.fingerprint == rows.fingerprint
        batch = changed.batch(some)
        assert batch.inputs[0].flatten().tolist() == [6, 0, 3]
        assert torch.equal(batch.targets["target"], rows.batch(some).targets["target"])
    assert torch.equal(both.batch(some).inputs[1], rows.batch(some).inputs[0])
