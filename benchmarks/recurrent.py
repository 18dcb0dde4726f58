"""Time a training step (forward and backward) of each recurrent variant, compared with torch's own layer.

    python benchmarks/recurrent.py [rounds]

Every round runs each variant once, in turn, so that a change in the machine's load affects all of them alike. The
output shows the median milliseconds, and the median over the rounds of the ratio to torch's module of the same family
and size.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable

import torch
from torch import nn

from dlrun.components.layers import Layer
from dlrun.language.component import choose

SIZES = {"large": (64, 40, 256, 512), "small": (32, 20, 32, 64)}
"""Batch, steps, input, hidden."""
OWN: dict[str, type[nn.RNNBase]] = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}
VARIANTS: dict[str, list[dict[str, object]]] = {
    "lstm": [
        {},
        {"recurrent_bias": False},
        {"peepholes": "diagonal"},
        {"peepholes": "full"},
        {"coupled": True},
        {"coupled": True, "peepholes": "diagonal"},
    ],
    "gru": [{}, {"recurrent_bias": False}, {"reset": "before"}],
    "rnn": [{}, {"recurrent_bias": False}, {"recurrence": "output", "output_size": 0}],
}
"""Settings by kind; an output_size of 0 means the hidden size."""


def step_of(module: nn.Module, x: torch.Tensor) -> Callable[[], None]:
    """A function that runs a forward and a backward pass, with gradients for the input and every weight."""

    def step() -> None:
        y = module(x)
        y = y[0] if isinstance(y, tuple) else y
        y.backward(torch.ones_like(y))
        module.zero_grad()
        x.grad = None

    return step


def variants(kind: str, steps: int, features: int, hidden: int) -> dict[str, nn.Module]:
    """torch's own module first, then those of dlrun, named by their settings."""
    modules: dict[str, nn.Module] = {f"torch {kind}": OWN[kind](features, hidden, batch_first=True)}
    for settings in VARIANTS[kind]:
        given = {name: hidden if name == "output_size" else value for name, value in settings.items()}
        layer = choose("layers", {kind: {"hidden_size": hidden, "output": "sequence", **given}})
        assert isinstance(layer, Layer)
        label = " ".join(f"{name}={value}" for name, value in given.items() if name != "output_size")
        modules[f"{kind} {label}".strip()] = layer.build((steps, features))
    return modules


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    print(f"{rounds} rounds, torch {torch.__version__}, {torch.get_num_threads()} threads")
    for size, (batch, steps, features, hidden) in SIZES.items():
        print(f"\n{size}: batch {batch}, {steps} steps, input {features}, hidden {hidden}")
        for kind in VARIANTS:
            x = torch.randn(batch, steps, features, requires_grad=True)
            calls = {name: step_of(m, x) for name, m in variants(kind, steps, features, hidden).items()}
            times: dict[str, list[float]] = {name: [] for name in calls}
            for turn in range(rounds + 2):  # two to warm up
                for name, call in calls.items():
                    started = time.perf_counter()
                    call()
                    if turn > 1:
                        times[name].append(time.perf_counter() - started)
            first = times[f"torch {kind}"]
            for name, seconds in times.items():
                ratio = statistics.median(own / torch_time for own, torch_time in zip(seconds, first, strict=True))
                print(f"  {name:<40} {statistics.median(seconds) * 1e3:8.2f} ms {ratio:6.2f}")


if __name__ == "__main__":
    main()
