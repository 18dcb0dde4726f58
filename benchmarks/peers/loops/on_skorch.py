"""skorch without printing, scoring or a validation split; its DataLoader reads a TensorDataset."""

from __future__ import annotations

from typing import Any

import skorch
import torch
from _interface import Arguments, Clock, report
from _networks import count, criterion, network, optimizer_class, tensors
from skorch.callbacks import Callback
from torch.utils.data import TensorDataset


class Stamps(Callback):
    """Records the end of each epoch."""

    clock: Clock

    def on_train_begin(self, net: Any, **_: Any) -> None:
        self.clock = Clock()

    def on_epoch_end(self, net: Any, **_: Any) -> None:
        self.clock.epoch(net.history[-1, "train_loss"])


def main() -> None:
    arguments, stamps = Arguments.read(), Stamps()
    net = skorch.NeuralNet(
        network(arguments.name),
        criterion=criterion(arguments.name),
        optimizer=optimizer_class(arguments.name),
        lr=1e-3,
        batch_size=arguments.batch,
        max_epochs=arguments.epochs,
        iterator_train__shuffle=True,
        train_split=None,
        callbacks=[("stamps", stamps)],
        callbacks__print_log=None,
    )
    net.fit(TensorDataset(*tensors(arguments)), y=None)
    report(stamps.clock, count(net.module_), threads=torch.get_num_threads(), version=skorch.__version__)


if __name__ == "__main__":
    main()
