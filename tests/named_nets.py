"""Published networks in plain torch, whose weights have the names of the libraries that publish them.

The names and the order are those of torchvision/models/{resnet,vgg,alexnet}.py, and of modeling_gpt2.py and
modeling_bert.py in transformers.
"""

from __future__ import annotations

from typing import Any

import torch
from plain_nets import VGG
from torch import Tensor, nn
from torch.nn import functional


class Block(nn.Module):
    """A unit of a ResNet: two 3x3 convolutions, or 1x1, 3x3 and 1x1, with the stride in the (first) 3x3."""

    def __init__(self, inputs: int, width: int, stride: int, bottleneck: bool):
        super().__init__()
        outputs = 4 * width if bottleneck else width
        kernels = [(width, 1, 1), (width, 3, stride), (outputs, 1, 1)]
        kernels = kernels if bottleneck else [(width, 3, stride), (width, 3, 1)]
        self.count, before = len(kernels), inputs
        for number, (after, kernel, step) in enumerate(kernels, 1):
            conv = nn.Conv2d(before, after, kernel, step, kernel // 2, bias=False)
            self.add_module(f"conv{number}", conv)
            self.add_module(f"bn{number}", nn.BatchNorm2d(after))
            before = after
        changes = stride != 1 or inputs != outputs
        shortcut = [nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)] if changes else []
        self.downsample = nn.Sequential(*shortcut)

    def forward(self, x: Tensor) -> Tensor:
        y = x
        for number in range(1, self.count + 1):
            y = self.get_submodule(f"bn{number}")(self.get_submodule(f"conv{number}")(y))
            y = y.relu() if number < self.count else y
        return (y + self.downsample(x)).relu()


class ResNet(nn.Module):
    def __init__(self, *depths: int, bottleneck: bool):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64)
        inputs = 64
        for stage, depth in enumerate(depths):
            width, blocks = 64 << stage, []
            for unit in range(depth):
                blocks.append(Block(inputs, width, 2 if stage and not unit else 1, bottleneck))
                inputs = 4 * width if bottleneck else width
            self.add_module(f"layer{stage + 1}", nn.Sequential(*blocks))
        self.fc = nn.Linear(inputs, 1000)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.max_pool2d(self.bn1(self.conv1(x)).relu(), 3, 2, 1)
        for number in range(1, 5):
            x = self.get_submodule(f"layer{number}")(x)
        return self.fc(x.mean((2, 3)))


class Convolutions(nn.Module):
    """`features` and `classifier`, as VGG and AlexNet have them."""

    def __init__(self, features: list[nn.Module], classifier: list[nn.Module]):
        super().__init__()
        self.features, self.classifier = nn.Sequential(*features), nn.Sequential(*classifier)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.features(x).flatten(1))


def vgg(column: str, pixels: int) -> nn.Module:
    features, inputs = [], 3
    for width in VGG[column]:
        if isinstance(width, int):
            features += [nn.Conv2d(inputs, width, 3, padding=1), nn.ReLU()]
            inputs = width
        else:
            features.append(nn.MaxPool2d(2))
    hidden = [nn.Linear(512 * (pixels // 32) ** 2, 4096), nn.ReLU(), nn.Dropout(), nn.Linear(4096, 4096), nn.ReLU()]
    return Convolutions(features, [*hidden, nn.Dropout(), nn.Linear(4096, 1000)])


def alexnet() -> nn.Module:
    def pool() -> nn.Module:
        return nn.MaxPool2d(3, 2)

    features = [nn.Conv2d(3, 64, 11, 4, 2), nn.ReLU(), pool(), nn.Conv2d(64, 192, 5, padding=2), nn.ReLU(), pool()]
    for inputs, outputs in ((192, 384), (384, 256), (256, 256)):
        features += [nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU()]
    classifier = [nn.Dropout(), nn.Linear(256 * 6 * 6, 4096), nn.ReLU(), nn.Dropout(), nn.Linear(4096, 4096), nn.ReLU()]
    return Convolutions([*features, pool()], [*classifier, nn.Linear(4096, 1000)])


class Turned(nn.Module):
    """A linear layer whose matrix has the inputs first, as GPT-2 has it."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.empty(inputs, outputs)), nn.Parameter(torch.empty(outputs))

    def forward(self, x: Tensor) -> Tensor:
        return x @ self.weight + self.bias


def attend(query: Tensor, key: Tensor, value: Tensor, heads: int, causal: bool) -> Tensor:
    query, key, value = (one.unflatten(-1, (heads, -1)).transpose(1, 2) for one in (query, key, value))
    scores = query @ key.transpose(-1, -2) / key.shape[-1] ** 0.5
    if causal:
        scores = scores.masked_fill(torch.ones(scores.shape[-2:]).triu(1).bool(), -torch.inf)
    return (scores.softmax(-1) @ value).transpose(1, 2).flatten(2)


def group(**parts: nn.Module) -> nn.Module:
    """Modules under their names."""
    module = nn.Module()
    for name, part in parts.items():
        module.add_module(name, part)
    return module


class Gpt2(nn.Module):
    def __init__(self, width: int, length: int):
        super().__init__()
        blocks = [
            group(
                ln_1=nn.LayerNorm(width),
                attn=group(c_attn=Turned(width, 3 * width), c_proj=Turned(width, width)),
                ln_2=nn.LayerNorm(width),
                mlp=group(c_fc=Turned(width, 4 * width), c_proj=Turned(4 * width, width)),
            )
            for _ in range(12)
        ]
        self.transformer: nn.Module = group(
            wte=nn.Embedding(50257, width),
            wpe=nn.Embedding(length, width),
            h=nn.ModuleList(blocks),
            ln_f=nn.LayerNorm(width),
        )

    def forward(self, words: Tensor) -> Tensor:
        own: Any = self.transformer
        x = own.wte(words) + own.wpe.weight
        for block in own.h:
            parts = block.attn.c_attn(block.ln_1(x)).chunk(3, -1)
            x = x + block.attn.c_proj(attend(*parts, heads=12, causal=True))
            x = x + block.mlp.c_proj(functional.gelu(block.mlp.c_fc(block.ln_2(x)), approximate="tanh"))
        return own.ln_f(x) @ own.wte.weight.T


class Bert(nn.Module):
    def __init__(self, width: int, length: int, old: bool):
        """`old`: the scale and the shift of a norm are gamma and beta, and all names begin with `bert.`."""
        super().__init__()
        self.old = old

        def dense(inputs: int, outputs: int) -> nn.Module:
            return group(dense=nn.Linear(inputs, outputs), LayerNorm=nn.LayerNorm(outputs, eps=1e-12))

        layers = []
        for _ in range(12):
            attention = group(**{name: nn.Linear(width, width) for name in ("query", "key", "value")})
            layers.append(
                group(
                    attention=group(self=attention, output=dense(width, width)),
                    intermediate=group(dense=nn.Linear(width, 4 * width)),
                    output=dense(4 * width, width),
                )
            )
        self.embeddings: nn.Module = group(
            word_embeddings=nn.Embedding(30522, width, padding_idx=0),
            position_embeddings=nn.Embedding(length, width),
            token_type_embeddings=nn.Embedding(2, width),
            LayerNorm=nn.LayerNorm(width, eps=1e-12),
        )
        self.encoder: nn.Module = group(layer=nn.ModuleList(layers))
        self.pooler: nn.Module = group(dense=nn.Linear(width, width))

    def published(self) -> dict[str, Tensor]:
        """The weights as a file has them."""
        names = {"LayerNorm.weight": "LayerNorm.gamma", "LayerNorm.bias": "LayerNorm.beta"} if self.old else {}
        found = {}
        for name, weight in self.state_dict().items():
            for new, old in names.items():
                name = name.replace(new, old)
            found[f"bert.{name}" if self.old else name] = weight
        return found

    def forward(self, words: Tensor, segments: Tensor) -> Tensor:
        own: Any = self.embeddings
        layers: Any = self.encoder.get_submodule("layer")
        pooler: Any = self.pooler
        x = own.word_embeddings(words) + own.position_embeddings.weight + own.token_type_embeddings(segments)
        x = own.LayerNorm(x)
        for layer in layers:
            inner = layer.attention.get_submodule("self")
            y = attend(inner.query(x), inner.key(x), inner.value(x), heads=12, causal=False)
            x = layer.attention.output.LayerNorm(x + layer.attention.output.dense(y))
            y = layer.output.dense(functional.gelu(layer.intermediate.dense(x)))
            x = layer.output.LayerNorm(x + y)
        return pooler.dense(x[:, 0]).tanh()
