"""The tensors of a file of weights: safetensors, or one of torch's own, of which nothing is executed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import BytesIO

import safetensors.torch
import torch

from dlrun.plan.start_weights import Taken
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


def weights_in(data: bytes, taken: Mapping[str, Taken]) -> dict[str, torch.Tensor]:
    """A network's weights from a file, by their names in the network."""
    tensors = tensors_in(data, [name for one in taken.values() for name in one.names])
    return {name: _put_together([tensors[other] for other in one.names], one) for name, one in taken.items()}


def _put_together(parts: list[torch.Tensor], taken: Taken) -> torch.Tensor:
    parts = [part.t() for part in parts] if taken.transposed else parts
    return torch.cat(parts) if len(parts) > 1 else parts[0]


def _tensor(data: bytes, entry: TorchEntry) -> torch.Tensor:
    import numpy as np

    dtype = np.dtype(TYPES[entry.type])
    start, strides = entry.start + entry.first * dtype.itemsize, [dtype.itemsize * stride for stride in entry.strides]
    values = np.ndarray(entry.shape, dtype, data, start, strides).copy()
    found = torch.from_numpy(values.view(np.int16) if entry.type == "BF16" else values)
    return found.view(torch.bfloat16) if entry.type == "BF16" else found
