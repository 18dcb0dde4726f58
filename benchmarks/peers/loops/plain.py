"""The loop of torch's tutorials, with a DataLoader; it logs nothing. On a GPU each batch goes there by itself."""

from __future__ import annotations

import torch
from _networks import count, criterion, network, optimizer_class, tensors
from _told import Clock, Given, tell
from torch.utils.data import DataLoader, TensorDataset


def main() -> None:
    given = Given.read()
    model, loss_of = network(given.name).to(given.device), criterion(given.name)
    optimizer = optimizer_class(given.name)(model.parameters(), lr=1e-3)
    loader = DataLoader(TensorDataset(*tensors(given)), batch_size=given.batch, shuffle=True)
    clock = Clock()
    model.train()
    for _ in range(given.epochs):
        total = torch.zeros((), device=given.device)
        for rows in loader:
            x, y = (tensor.to(given.device) for tensor in rows)
            loss = loss_of(model(x), y)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            total += loss.detach() * len(x)
        clock.epoch((total / given.rows).cpu())  # a GPU's steps are done then
    tell(clock, count(model), threads=torch.get_num_threads(), version=torch.__version__)


if __name__ == "__main__":
    main()
