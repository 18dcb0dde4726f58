"""Lightning with `barebones`: its documented way to switch off everything that may cost speed."""

from __future__ import annotations

import contextlib
import logging
import sys
import warnings

import lightning
import torch
from _interface import Arguments, Clock, report
from _networks import count, criterion, network, optimizer_class, tensors
from torch.utils.data import DataLoader, TensorDataset


class Module(lightning.LightningModule):
    """The network of a work, with its training step."""

    def __init__(self, arguments: Arguments):
        super().__init__()
        self.arguments, self.clock = arguments, Clock()
        self.model, self.loss_of = network(arguments.name), criterion(arguments.name)

    def training_step(self, batch: tuple[torch.Tensor, torch.Tensor], _: int) -> torch.Tensor:
        x, y = batch
        loss = self.loss_of(self.model(x), y)
        self.total += loss.detach() * len(x)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return optimizer_class(self.arguments.name)(self.parameters(), lr=1e-3)

    def on_train_start(self) -> None:
        self.clock = Clock()

    def on_train_epoch_start(self) -> None:
        self.total = torch.zeros(())

    def on_train_epoch_end(self) -> None:
        self.clock.epoch(self.total / self.arguments.rows)


def main() -> None:
    warnings.simplefilter("ignore")
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    arguments = Arguments.read()
    module = Module(arguments)
    loader = DataLoader(TensorDataset(*tensors(arguments)), batch_size=arguments.batch, shuffle=True)
    with contextlib.redirect_stdout(sys.stderr):
        trainer = lightning.Trainer(max_epochs=arguments.epochs, accelerator="cpu", devices=1, barebones=True)
        trainer.fit(module, loader)
    report(module.clock, count(module), threads=torch.get_num_threads(), version=lightning.__version__)


if __name__ == "__main__":
    main()
