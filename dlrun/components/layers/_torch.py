"""The base of the layers that are one of torch.nn's classes, unchanged."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from dlrun.components.layers import Layer
from dlrun.shapes import Shape

if TYPE_CHECKING:
    import torch


class TorchLayer(Layer):
    """One of torch.nn's classes, built with this kind's settings, which have torch's names."""

    padding_is = "per_step"

    torch_class: ClassVar[str]
    """The class's name in torch.nn."""

    def build(self, shape: Shape) -> torch.nn.Module:
        from torch import nn

        own = type(self).model_fields.keys() - Layer.model_fields.keys()
        return getattr(nn, self.torch_class)(**{name: getattr(self, name) for name in own})
