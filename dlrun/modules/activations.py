"""Activations that torch has only as functions, or without these settings."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional


class SlopedSigmoid(nn.Module):
    """y = 1 / (1 + exp(-slope*x)), element by element."""

    def __init__(self, slope: float):
        super().__init__()
        self.slope = slope

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid(self.slope * x)

    def extra_repr(self) -> str:
        return f"slope={self.slope:g}"


class ScaledTanh(nn.Module):
    """y = amplitude*tanh(slope*x), element by element."""

    def __init__(self, amplitude: float, slope: float):
        super().__init__()
        self.amplitude, self.slope = amplitude, slope

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.amplitude * torch.tanh(self.slope * x)

    def extra_repr(self) -> str:
        return f"amplitude={self.amplitude:g}, slope={self.slope:g}"


class Arctan(nn.Module):
    """y = arctan(x), element by element."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.arctan(x)


class RRelu(nn.RReLU):
    """torch's RReLU; in evaluation it is computed as the leaky_relu that it then is, which every format knows."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        if self.training:
            return super().forward(input)
        return functional.leaky_relu(input, (self.lower + self.upper) / 2)


class Abs(nn.Module):
    """y = |x|, element by element."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.abs(x)


class Step(nn.Module):
    """y = 1 where x >= 0, else 0; the gradient is 0."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (x >= 0).to(x.dtype)
