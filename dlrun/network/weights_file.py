"""The tensors of a file of weights: safetensors, or one of torch's own, of which nothing is executed."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO

import safetensors.torch
import torch

from dlrun.safetensors_header import TYPES
from dlrun.torch_header import TorchEntry, is_torch, read_torch_header


def tensors_in(data: bytes, names: Sequence[str]) -> dict[str, torch.Tensor]:
    """Some tensors of a file by their names there.

    Args:
        data: the file, whose header was found to be right.
        names: those of the tensors.
    """
    if is_torch(data):
        header = read_torch_header(BytesIO(data))
        return {name: _tensor(data, header[name]) for name in names}
    tensors = safetensors.torch.load(data)
    return {name: tensors[name] for name in names}


def _tensor(data: bytes, entry: TorchEntry) -> torch.Tensor:
    import numpy as np

    dtype = np.dtype(TYPES[entry.type])
    start, strides = entry.start + entry.first * dtype.itemsize, [dtype.itemsize * stride for stride in entry.strides]
    values = np.ndarray(entry.shape, dtype, data, start, strides).copy()
    found = torch.from_numpy(values.view(np.int16) if entry.type == "BF16" else values)
    return found.view(torch.bfloat16) if entry.type == "BF16" else found
