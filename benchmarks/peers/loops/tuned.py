"""The plain loop, tuned by hand: batches by index, a fused optimizer, channels_last, a memory-keeping allocator.

Two settings of glibc's allocator are made before torch's first tensor: no block comes from freshly mapped pages, and no
memory is returned to the system.
"""

from __future__ import annotations

import contextlib
import ctypes

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4
with contextlib.suppress(OSError, AttributeError):  # another C library has no such settings
    libc = ctypes.CDLL("libc.so.6")
    libc.mallopt(M_MMAP_MAX, 0)
    libc.mallopt(M_TRIM_THRESHOLD, 2**31 - 1)

import torch  # noqa: E402
from _interface import Arguments, Clock, report  # noqa: E402
from _networks import count, criterion, network, tensors  # noqa: E402


def main() -> None:
    arguments = Arguments.read()
    model, loss_of = network(arguments.name).to(arguments.device), criterion(arguments.name)
    x, y = (tensor.to(arguments.device) for tensor in tensors(arguments))
    if x.ndim == 4:
        model, x = model.to(memory_format=torch.channels_last), x.contiguous(memory_format=torch.channels_last)
    optimizer = (
        torch.optim.RMSprop(model.parameters(), lr=1e-3, foreach=True)  # torch has no fused RMSprop
        if arguments.name == "tabular"
        else torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)
    )
    clock = Clock()
    model.train()
    for _ in range(arguments.epochs):
        total = torch.zeros((), device=arguments.device)
        for rows in torch.randperm(arguments.rows, device=arguments.device).split(arguments.batch):
            loss = loss_of(model(x[rows]), y[rows])
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            total += loss.detach() * len(rows)
        clock.epoch((total / arguments.rows).cpu())  # waits for the GPU's steps
    report(clock, count(model), threads=torch.get_num_threads(), version=torch.__version__)


if __name__ == "__main__":
    main()
