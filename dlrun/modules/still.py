"""Modules that compute as in evaluation while the network around them is trained."""

from __future__ import annotations

from torch import nn


def keep_still(module: nn.Module) -> None:
    """Let a module use its moving statistics in training too, and leave them as they are."""
    module.eval()
    module.train = lambda mode=True: module  # type: ignore[method-assign]


def move_again(module: nn.Module) -> None:
    """Undo `keep_still`, for a network that is in training."""
    del module.train
    module.train()
