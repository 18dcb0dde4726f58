"""Lightning with `barebones`: its documentation's way to switch off all that may cost speed."""

from __future__ import annotations

import contextlib
import logging
import sys
import warnings

import lightning
import torch
from _networks import count, criterion, network, optimizer_class, tensors
from _told import Clock, Given, tell
from torch.utils.data import DataLoader, TensorDataset


class Module(lightning.LightningModule):
    """A work."""

    def __init__(self, given: Given):
        super().__init__()
        self.given, self.clock = given, Clock()
        self.model, self.loss_of = network(given.name), criterion(given.name)

    def training_step(self, batch: tuple[torch.Tensor, torch.Tensor], _: int) -> torch.Tensor:
        x, y = batch
        loss = self.loss_of(self.model(x), y)
        self.total += loss.detach() * len(x)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return optimizer_class(self.given.name)(self.parameters(), lr=1e-3)

    def on_train_start(self) -> None:
        self.clock = Clock()

    def on_train_epoch_start(self) -> None:
        self.total = torch.zeros(())

    def on_train_epoch_end(self) -> None:
        self.clock.epoch(self.total / self.given.rows)


def main() -> None:
    warnings.simplefilter("ignore")
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    given = Given.read()
    module = Module(given)
    loader = DataLoader(TensorDataset(*tensors(given)), batch_size=given.batch, shuffle=True)
    with contextlib.redirect_stdout(sys.stderr):
        trainer = lightning.Trainer(max_epochs=given.epochs, accelerator="cpu", devices=1, barebones=True)
        trainer.fit(module, loader)
    tell(module.clock, count(module), threads=torch.get_num_threads(), version=lightning.__version__)


if __name__ == "__main__":
    main()
