"""The loop of torch's tutorials, with a DataLoader; it logs nothing. Each batch is copied to the device separately."""

from __future__ import annotations

import torch
from _interface import Arguments, Clock, report
from _networks import count, criterion, network, optimizer_class, tensors
from torch.utils.data import DataLoader, TensorDataset


def main() -> None:
    arguments = Arguments.read()
    model, loss_of = network(arguments.name).to(arguments.device), criterion(arguments.name)
    optimizer = optimizer_class(arguments.name)(model.parameters(), lr=1e-3)
    loader = DataLoader(TensorDataset(*tensors(arguments)), batch_size=arguments.batch, shuffle=True)
    clock = Clock()
    model.train()
    for _ in range(arguments.epochs):
        total = torch.zeros((), device=arguments.device)
        for rows in loader:
            x, y = (tensor.to(arguments.device) for tensor in rows)
            loss = loss_of(model(x), y)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            total += loss.detach() * len(x)
        clock.epoch((total / arguments.rows).cpu())  # waits for the GPU's steps
    report(clock, count(model), threads=torch.get_num_threads(), version=torch.__version__)


if __name__ == "__main__":
    main()
