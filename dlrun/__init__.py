"""Declarative deep learning: YAML in, a trained, logged, comparable run out.

    import dlrun

    dlrun.check("spec.yaml")                       # SpecError with every problem of the file
    outcome = dlrun.train("spec.yaml", "train.epochs=5")
    run = dlrun.read_run(outcome.folder)           # settings, status, metrics
    network = dlrun.load_network(outcome.folder)   # a torch module that takes raw rows

Each name is imported when it is first used, so `import dlrun` alone is quick and does not import torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dlrun.api import check, read_run, train
    from dlrun.errors import DlrunError, RunError, SpecError
    from dlrun.network.files import load_network

__version__ = "0.1.0"

_HOMES = {
    "check": "dlrun.api",
    "train": "dlrun.api",
    "read_run": "dlrun.api",
    "load_network": "dlrun.network.files",
    "DlrunError": "dlrun.errors",
    "RunError": "dlrun.errors",
    "SpecError": "dlrun.errors",
}
"""The module of each public name."""

__all__ = ["DlrunError", "RunError", "SpecError", "__version__", "check", "load_network", "read_run", "train"]


def __getattr__(name: str) -> Any:
    """A public name, imported now."""
    if name not in _HOMES:
        raise AttributeError(f"module 'dlrun' has no attribute '{name}'")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
