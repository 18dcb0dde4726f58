"""Images of another size, by interpolation."""

from __future__ import annotations

from typing import Literal

import torch
from torch.nn import functional

from dlrun.modules.frozen_map import FrozenMap


class Resize(FrozenMap):
    """(N, C, H, W) -> (N, C, h, w), or (N, H, W) -> (N, h, w)."""

    def __init__(self, size: tuple[int, int], mode: Literal["bilinear", "bicubic", "nearest"]):
        super().__init__()
        self.size, self.mode = size, mode

    def exact(self, x: torch.Tensor) -> torch.Tensor:
        return self._resized(x, self.mode)

    def errors(self, x: torch.Tensor, sizes: torch.Tensor) -> torch.Tensor:
        # Of sums with weights of both signs these are not quite the errors; bilinear weights have one sign.
        return self._resized(sizes, "nearest" if self.mode == "nearest" else "bilinear")

    def _resized(self, x: torch.Tensor, mode: str) -> torch.Tensor:
        images = x if x.dim() == 4 else x.unsqueeze(1)
        if torch.compiler.is_compiling():  # other programs resize no float64
            images = images.float()
        resized = functional.interpolate(images, size=list(self.size), mode=mode, antialias=mode != "nearest")
        return resized.reshape(*x.shape[:-2], *self.size).to(x.dtype)
