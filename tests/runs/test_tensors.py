"""Tensors are written as safetensors itself would have it."""

import json
from pathlib import Path

import pytest
import safetensors.torch
import torch

from dlrun.runs import tensors
from dlrun.runs.tensors import NAMES, as_safetensors


def written(held: dict[str, torch.Tensor], notes: dict[str, str] | None = None) -> bytes:
    return b"".join(as_safetensors(held, notes))


@pytest.mark.parametrize("dtype", NAMES, ids=str)
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 0, 5), (2, 3, 4)], ids=str)
def test_every_kind_of_tensor_comes_back_bit_for_bit(dtype: torch.dtype, shape: tuple[int, ...]) -> None:
    raw = torch.randint(0, 2 if dtype is torch.bool else 256, (*shape, dtype.itemsize), dtype=torch.uint8)
    tensor = raw.view(dtype).reshape(shape)  # all bit patterns, NaNs with payloads among them
    found = safetensors.torch.load(written({"a": tensor}))["a"]
    assert (found.dtype, found.shape) == (dtype, tensor.shape)
    assert torch.equal(found.reshape(-1).view(torch.uint8), tensor.reshape(-1).view(torch.uint8))


def test_a_file_is_the_one_that_safetensors_writes() -> None:
    held = {
        "b.weight": torch.randn(3, 5),
        "a": torch.arange(7),
        "c": torch.tensor(True),
        "d": torch.randn(4).double(),
        "e": torch.randn(3).half(),
    }
    ours, theirs = written(held), safetensors.torch.save(held)
    size = int.from_bytes(ours[:8], "little")
    assert json.loads(ours[8 : 8 + size]) == json.loads(theirs[8 : 8 + int.from_bytes(theirs[:8], "little")])
    assert ours[8 + size :] == theirs[8 + int.from_bytes(theirs[:8], "little") :]
    assert size % 8 == 0


def test_notes_are_read_by_safetensors(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(written({"a": torch.zeros(1)}, {"epoch": "3"}))
    with safetensors.safe_open(tmp_path / "a", "pt") as file:
        assert file.metadata() == {"epoch": "3"}


def test_tied_sliced_and_turned_tensors_are_written_as_they_look() -> None:
    base = torch.randn(4, 6)
    weight = torch.nn.Parameter(base)
    held = {"a": base, "tied": base, "weight": weight, "turned": base.T, "slice": base[1:3, ::2]}
    found = safetensors.torch.load(written(held))
    assert all(torch.equal(found[name], held[name]) for name in held)


def test_many_small_tensors_make_few_blocks_and_a_large_one_is_not_copied(monkeypatch) -> None:
    monkeypatch.setattr(tensors, "BLOCK", 1000)
    large = torch.zeros(1000)
    held = {"large": large} | {f"small{number:02d}": torch.ones(2) for number in range(40)}
    blocks = list(as_safetensors(held))
    assert len(blocks) < 10
    large[0] = 7  # seen through the block
    assert torch.equal(safetensors.torch.load(b"".join(blocks))["large"], large)
    assert all(torch.equal(safetensors.torch.load(b"".join(blocks))[name], held[name]) for name in held)
