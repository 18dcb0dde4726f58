"""What tuning by hand makes of the plain loop: batches by index, a fused optimizer, channels_last, memory that is kept.

Two settings of glibc's allocator go before torch's first tensor: no block comes from freshly mapped pages, and nothing
is given back.
"""

from __future__ import annotations

import contextlib
import ctypes

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4
with contextlib.suppress(OSError, AttributeError):  # another C library: without
    libc = ctypes.CDLL("libc.so.6")
    libc.mallopt(M_MMAP_MAX, 0)
    libc.mallopt(M_TRIM_THRESHOLD, 2**31 - 1)

import torch  # noqa: E402
from _networks import count, criterion, network, tensors  # noqa: E402
from _told import Clock, Given, tell  # noqa: E402


def main() -> None:
    given = Given.read()
    model, loss_of = network(given.name).to(given.device), criterion(given.name)
    x, y = (tensor.to(given.device) for tensor in tensors(given))
    if x.ndim == 4:
        model, x = model.to(memory_format=torch.channels_last), x.contiguous(memory_format=torch.channels_last)
    optimizer = (
        torch.optim.RMSprop(model.parameters(), lr=1e-3, foreach=True)  # torch has no fused one
        if given.name == "tabular"
        else torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)
    )
    clock = Clock()
    model.train()
    for _ in range(given.epochs):
        total = torch.zeros((), device=given.device)
        for rows in torch.randperm(given.rows, device=given.device).split(given.batch):
            loss = loss_of(model(x[rows]), y[rows])
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            total += loss.detach() * len(rows)
        clock.epoch((total / given.rows).cpu())  # a GPU's steps are done then
    tell(clock, count(model), threads=torch.get_num_threads(), version=torch.__version__)


if __name__ == "__main__":
    main()
