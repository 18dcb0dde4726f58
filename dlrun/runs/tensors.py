"""Write tensors as a safetensors file, from their own memory to the disk without a copy in between."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping

import torch

from dlrun.runs.durable import Data

NAMES = {
    torch.float64: "F64",
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.complex64: "C64",
    torch.int64: "I64",
    torch.int32: "I32",
    torch.int16: "I16",
    torch.int8: "I8",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}
BLOCK = 1 << 20


def as_safetensors(tensors: Mapping[str, torch.Tensor], notes: Mapping[str, str] | None = None) -> Iterator[Data]:
    """A safetensors file of these tensors, block by block; tensors on another device are copied one at a time.

    The format: the header's length in 8 bytes, the header in JSON, then the tensors' bytes without gaps.
    """
    # The widest type first, as safetensors itself does, so that each tensor is aligned to its type.
    ordered = sorted(tensors.items(), key=lambda item: (-item[1].element_size(), item[0]))
    header: dict[str, object] = {"__metadata__": dict(notes)} if notes else {}
    at = 0
    for name, tensor in ordered:
        end = at + tensor.numel() * tensor.element_size()
        header[name] = {"dtype": NAMES[tensor.dtype], "shape": list(tensor.shape), "data_offsets": [at, end]}
        at = end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    head = len(text).to_bytes(8, "little") + text
    return _joined([head], (_bytes(tensor) for _, tensor in ordered))


def _bytes(tensor: torch.Tensor) -> memoryview:
    return memoryview(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())  # type: ignore[arg-type]


def _joined(*parts: Iterable[Data]) -> Iterator[Data]:
    """The same bytes in blocks: many small ones are joined, a large one is passed on without a copy."""
    small = bytearray()
    for part in parts:
        for data in part:
            if len(data) < BLOCK:
                small += data
            if small and (len(data) >= BLOCK or len(small) >= BLOCK):
                yield bytes(small)
                small.clear()
            if len(data) >= BLOCK:
                yield data
    if small:
        yield bytes(small)
