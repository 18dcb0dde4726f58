"""The works' networks in torch, as its documentation writes them."""

from __future__ import annotations

import torch
from _interface import Arguments
from torch import nn


class CharLm(nn.Module):
    """The next character, from the state after the last step."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(80, 256)
        self.lstm = nn.LSTM(256, 512, batch_first=True)
        self.linear = nn.Linear(512, 80)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        _, (state, _) = self.lstm(self.embedding(x))
        return self.linear(state[-1])


def network(name: str) -> nn.Module:
    """The network of a work, with torch's own initial weights."""
    torch.manual_seed(1)
    if name == "charlm":
        return CharLm()
    layers: dict[str, list[nn.Module]] = {
        "tabular": [
            *(nn.Linear(20, 64), nn.ReLU(), nn.Dropout(0.5)),
            *(nn.Linear(64, 64), nn.ReLU(), nn.Dropout(0.5), nn.Linear(64, 1)),
        ],
        "mlp": [nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 10)],
        "cnn": [
            *(nn.Conv2d(3, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Conv2d(32, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Flatten(), nn.Linear(1024, 10)),
        ],
    }
    return nn.Sequential(*layers[name])


def criterion(name: str) -> nn.Module:
    """The loss of a work."""
    return nn.BCEWithLogitsLoss() if name == "tabular" else nn.CrossEntropyLoss()


def optimizer_class(name: str) -> type[torch.optim.Optimizer]:
    """The optimizer of a work; its learning rate is 1e-3."""
    return torch.optim.RMSprop if name == "tabular" else torch.optim.Adam


def tensors(arguments: Arguments) -> tuple[torch.Tensor, torch.Tensor]:
    """The training rows, in the form that the loss needs."""
    x, y = map(torch.from_numpy, arguments.arrays())
    return x, y.float().unsqueeze(1) if arguments.name == "tabular" else y


def count(module: nn.Module) -> int:
    """The number of trained weights."""
    return sum(parameter.numel() for parameter in module.parameters())
