"""The works that every contender trains: their sizes, and the least computation that they need."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Layer:
    """A layer with weights, as one sample passes through it."""

    weights: int
    macs: int
    """Multiply-adds of its products in the forward pass."""
    outputs: int
    """Numbers in its output."""


@dataclass(frozen=True)
class Work:
    """A network, its rows and its batch; the rest is in specs/NAME.yaml and loops/_networks.py."""

    name: str
    rows: int
    """Training rows; the arrays have a tenth more, which dlrun validates on and the others do not use."""
    batch: int
    epochs: int
    window: int
    """Epochs that are timed together: a clock of milliseconds is too coarse for one epoch of a few milliseconds."""
    skipped: int
    """Epochs at the beginning that are not counted."""
    inputs: int
    """Numbers in a sample."""
    layers: tuple[Layer, ...]
    traffic: int
    """Numbers that the optimizer reads and writes for each weight."""
    first_has_gradient: bool = False
    """Whether the gradient of the first layer's input is needed, as after an embedding."""

    @property
    def validation(self) -> int:
        """Rows that dlrun validates on."""
        return self.rows // 10

    @property
    def weights(self) -> int:
        """The number of trained weights."""
        return sum(layer.weights for layer in self.layers)

    @property
    def steps(self) -> int:
        """Steps per epoch."""
        return -(-self.rows // self.batch)

    @property
    def flops(self) -> float:
        """Floating-point operations per epoch: each of a product's two gradients needs as many as the product itself.

        The gradient of the data, which nobody computes, is left out.
        """
        first = next(layer.macs for layer in self.layers if layer.macs)
        spared = 0 if self.first_has_gradient else first
        return 2.0 * self.rows * (3 * sum(layer.macs for layer in self.layers) - spared)

    @property
    def bytes(self) -> float:
        """Bytes per epoch, if nothing stayed in a cache and everything between two products were fused.

        A sample is read for the forward and for the backward pass; an output is written, read, and read again for the
        backward pass, its gradient is written and read; a weight is read in both passes, its gradient is written, and
        the optimizer reads and writes it.
        """
        outputs = sum(layer.outputs for layer in self.layers)
        a_sample = 2 * self.inputs + 5 * outputs
        a_step = (3 + self.traffic) * self.weights
        return 4.0 * (self.rows * a_sample + self.steps * a_step)

    def limit(self, gflops: float, gigabytes: float) -> float:
        """The least possible seconds per epoch at the measured speeds of products and copies."""
        return max(self.flops / (gflops * 1e9), self.bytes / (gigabytes * 1e9))


def linear(inputs: int, outputs: int) -> Layer:
    return Layer((inputs + 1) * outputs, inputs * outputs, outputs)


def conv(channels: int, filters: int, side: int) -> Layer:
    """3x3 with padding 1."""
    return Layer((9 * channels + 1) * filters, 9 * channels * filters * side**2, filters * side**2)


def lstm(steps: int, inputs: int, hidden: int) -> Layer:
    """With torch's two biases."""
    weights = 4 * hidden * (inputs + hidden + 2)
    return Layer(weights, steps * 4 * hidden * (inputs + hidden), steps * hidden)


ADAM, RMSPROP = 7, 5
"""Adam reads w, g, m, v and writes w, m, v; RMSprop has no m."""

WORKS = {
    work.name: work
    for work in (
        Work("tabular", 1000, 128, 500, 25, 25, 20, (linear(20, 64), linear(64, 64), linear(64, 1)), RMSPROP),
        Work("mlp", 20000, 128, 8, 1, 2, 784, (linear(784, 512), linear(512, 512), linear(512, 10)), ADAM),
        Work("cnn", 4000, 64, 8, 1, 2, 3 * 32**2, (conv(3, 32, 32), conv(32, 16, 16), linear(16 * 8**2, 10)), ADAM),
        Work(
            "charlm",
            1280,
            64,
            5,
            1,
            1,
            40,
            (Layer(80 * 256, 0, 40 * 256), lstm(40, 256, 512), linear(512, 80)),
            ADAM,
            first_has_gradient=True,
        ),
    )
}

KERAS_WEIGHTS = {"charlm": -4 * 512}
"""The difference in weights of Keras to torch: Keras' LSTM has one bias where torch's has two."""
