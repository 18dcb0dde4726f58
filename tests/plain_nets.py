"""The published networks of specs/nets/ in plain torch, each written from its source and not from the spec.

The weights of each are in the order in which the spec has its layers, so that they can be copied one after another.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional


class Sum(nn.Module):
    """A residual connection."""

    def __init__(self, branch: nn.Module, shortcut: nn.Module | None = None):
        super().__init__()
        self.branch, self.shortcut = branch, shortcut or nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return self.branch(x) + self.shortcut(x)


class Side(nn.Module):
    """Branches side by side: their channels one after another."""

    def __init__(self, *branches: nn.Module):
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([branch(x) for branch in self.branches], 1)


class Call(nn.Module):
    """A function."""

    def __init__(self, function: Callable[[Tensor], Tensor]):
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


def conv(inputs: int, outputs: int, kernel: int, **settings: Any) -> nn.Sequential:
    """A convolution and a relu."""
    return nn.Sequential(nn.Conv2d(inputs, outputs, kernel, **settings), nn.ReLU())


def lenet5() -> nn.Module:
    # LeCun and others, 1998, section II.B and appendix A: f(a) = 1.7159 tanh(2a/3).
    squash = Call(lambda x: 1.7159 * torch.tanh(2 / 3 * x))
    return nn.Sequential(
        *[nn.Conv2d(1, 6, 5), squash, nn.AvgPool2d(2)],
        *[nn.Conv2d(6, 16, 5), squash, nn.AvgPool2d(2)],
        *[nn.Conv2d(16, 120, 5), squash, nn.Flatten()],
        *[nn.Linear(120, 84), squash, nn.Linear(84, 10)],
    )


class Normalize(nn.Module):
    """Krizhevsky and others, 2012, section 3.3: b_i = a_i / (k + alpha * sum of a_j**2 over n channels)**beta."""

    def __init__(self, k: float, alpha: float, n: int = 5, beta: float = 0.75):
        super().__init__()
        self.k, self.alpha, self.n, self.beta = k, alpha, n, beta

    def forward(self, x_NCHW: Tensor) -> Tensor:
        channels, half = x_NCHW.shape[1], self.n // 2
        sums = [x_NCHW[:, max(0, i - half) : i + half + 1].square().sum(1) for i in range(channels)]
        return x_NCHW / (self.k + self.alpha * torch.stack(sums, 1)) ** self.beta


def hidden(sizes: list[int], drop_first: bool = False) -> Iterator[nn.Module]:
    for inputs, outputs in itertools.pairwise(sizes):
        yield from (
            [nn.Dropout()] * drop_first + [nn.Linear(inputs, outputs), nn.ReLU()] + [nn.Dropout()] * (not drop_first)
        )


def alexnet() -> nn.Module:
    # Sections 3.3 to 3.5: the response is normalized after the relu and before the pool; pools of 3 with stride 2.
    return nn.Sequential(
        *[conv(3, 96, 11, stride=4, padding=2), Normalize(2, 1e-4), nn.MaxPool2d(3, 2)],
        *[conv(96, 256, 5, padding=2, groups=2), Normalize(2, 1e-4), nn.MaxPool2d(3, 2)],
        *[conv(256, 384, 3, padding=1), conv(384, 384, 3, padding=1, groups=2)],
        *[conv(384, 256, 3, padding=1, groups=2), nn.MaxPool2d(3, 2), nn.Flatten()],
        *[*hidden([256 * 6 * 6, 4096, 4096]), nn.Linear(4096, 1000)],
    )


def alexnet_torchvision() -> nn.Module:
    return nn.Sequential(
        *[conv(3, 64, 11, stride=4, padding=2), nn.MaxPool2d(3, 2)],
        *[conv(64, 192, 5, padding=2), nn.MaxPool2d(3, 2)],
        *[conv(192, 384, 3, padding=1), conv(384, 256, 3, padding=1), conv(256, 256, 3, padding=1)],
        *[nn.MaxPool2d(3, 2), nn.AdaptiveAvgPool2d((6, 6)), nn.Flatten()],
        *[*hidden([256 * 6 * 6, 4096, 4096], drop_first=True), nn.Linear(4096, 1000)],
    )


def vgg(*rows: int | str, pixels: int) -> nn.Module:
    """Table 1 of Simonyan and Zisserman: a width for a 3x3 convolution, `1x1` for one as wide as before."""
    layers, width = [], 3
    for row in rows:
        if row == "max":
            layers += [nn.MaxPool2d(2, 2)]
        elif row == "LRN":
            layers += [Normalize(2, 1e-4)]
        elif row == "1x1":
            layers += [conv(width, width, 1)]
        else:
            assert isinstance(row, int)
            layers += [conv(width, row, 3, padding=1)]
            width = row
    return nn.Sequential(*layers, nn.Flatten(), *hidden([512 * (pixels // 32) ** 2, 4096, 4096]), nn.Linear(4096, 1000))


VGG = {
    "a": (64, "max", 128, "max", 256, 256, "max", 512, 512, "max", 512, 512, "max"),
    "a_lrn": (64, "LRN", "max", 128, "max", 256, 256, "max", 512, 512, "max", 512, 512, "max"),
    "b": (64, 64, "max", 128, 128, "max", 256, 256, "max", 512, 512, "max", 512, 512, "max"),
    "c": (64, 64, "max", 128, 128, "max", 256, 256, "1x1", "max", 512, 512, "1x1", "max", 512, 512, "1x1", "max"),
    "d": (64, 64, "max", 128, 128, "max", 256, 256, 256, "max", 512, 512, 512, "max", 512, 512, 512, "max"),
    "e": (64, 64, "max", 128, 128, "max", *[256] * 4, "max", *[512] * 4, "max", *[512] * 4, "max"),
}


def normed(
    inputs: int, outputs: int, kernel: int | tuple[int, int], eps: float = 1e-5, **settings: Any
) -> nn.Sequential:
    """A convolution without a bias, and a batch norm."""
    return nn.Sequential(nn.Conv2d(inputs, outputs, kernel, bias=False, **settings), nn.BatchNorm2d(outputs, eps=eps))


def resnet(*depths: int, bottleneck: bool, late: bool = False) -> nn.Module:
    """He and others, 2015, table 1 and figure 5; shortcuts of option B; the stride is in a unit's first convolution.

    `late`: it is in the 3x3 convolution of a bottleneck, as in torchvision/models/resnet.py.
    """
    wider = 4 if bottleneck else 1
    layers = [normed(3, 64, 7, stride=2, padding=3), nn.ReLU(), nn.MaxPool2d(3, 2, 1)]
    inputs = 64
    for stage, (depth, width) in enumerate(zip(depths, (64, 128, 256, 512), strict=True)):
        for unit in range(depth):
            stride = 2 if stage and not unit else 1
            if bottleneck:
                first, second = (1, stride) if late else (stride, 1)
                branch = [normed(inputs, width, 1, stride=first), nn.ReLU()]
                branch += [normed(width, width, 3, stride=second, padding=1)]
                branch += [nn.ReLU(), normed(width, 4 * width, 1)]
            else:
                branch = [normed(inputs, width, 3, stride=stride, padding=1), nn.ReLU()]
                branch += [normed(width, width, 3, padding=1)]
            changes = inputs != wider * width
            shortcut = normed(inputs, wider * width, 1, stride=stride) if changes else None
            layers += [Sum(nn.Sequential(*branch), shortcut), nn.ReLU()]
            inputs = wider * width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(inputs, 1000))


def googlenet() -> nn.Module:
    # Szegedy and others, 2014, table 1 and figure 3. Caffe's bvlc_googlenet pools with the ceiling, and normalizes by
    # LRN with a local_size of 5, an alpha of 1e-4, which Caffe divides by that size, and its own k of 1.
    def pool() -> nn.Module:
        return nn.MaxPool2d(3, 2, ceil_mode=True)

    def module(inputs: int, one: int, reduce3: int, three: int, reduce5: int, five: int, pooled: int) -> nn.Module:
        return Side(
            conv(inputs, one, 1),
            nn.Sequential(conv(inputs, reduce3, 1), conv(reduce3, three, 3, padding=1)),
            nn.Sequential(conv(inputs, reduce5, 1), conv(reduce5, five, 5, padding=2)),
            nn.Sequential(nn.MaxPool2d(3, 1, 1), conv(inputs, pooled, 1)),
        )

    return nn.Sequential(
        *[conv(3, 64, 7, stride=2, padding=3), pool(), Normalize(1, 1e-4 / 5)],
        *[conv(64, 64, 1), conv(64, 192, 3, padding=1), Normalize(1, 1e-4 / 5), pool()],
        *[module(192, 64, 96, 128, 16, 32, 32), module(256, 128, 128, 192, 32, 96, 64), pool()],
        *[module(480, 192, 96, 208, 16, 48, 64), module(512, 160, 112, 224, 24, 64, 64)],
        *[module(512, 128, 128, 256, 24, 64, 64), module(512, 112, 144, 288, 32, 64, 64)],
        *[module(528, 256, 160, 320, 32, 128, 128), pool()],
        *[module(832, 256, 160, 320, 32, 128, 128), module(832, 384, 192, 384, 48, 128, 128)],
        *[nn.AvgPool2d(7), nn.Flatten(), nn.Dropout(0.4), nn.Linear(1024, 1000)],
    )


def unscaled(inputs: int, outputs: int, kernel: int | tuple[int, int], same: bool = True, stride: int = 1) -> nn.Module:
    """conv2d_bn of keras.applications.InceptionV3: no bias, a batch norm without a scale and with eps 1e-3, a relu."""
    high, wide = (kernel, kernel) if isinstance(kernel, int) else kernel
    padding = (high // 2, wide // 2) if same else 0
    module = normed(inputs, outputs, (high, wide), 1e-3, stride=stride, padding=padding)
    module[1].register_parameter("weight", None)
    return nn.Sequential(module, nn.ReLU())


def inception_v3() -> nn.Module:
    # keras/src/applications/inception_v3.py. The means with padding `same` are over the pixels of the image.
    def mean(inputs: int, outputs: int) -> nn.Module:
        return nn.Sequential(nn.AvgPool2d(3, 1, 1, count_include_pad=False), unscaled(inputs, outputs, 1))

    def chain(inputs: int, *steps: tuple[int, Any]) -> nn.Module:
        layers = []
        for outputs, kernel in steps:
            layers.append(unscaled(inputs, outputs, kernel))
            inputs = outputs
        return nn.Sequential(*layers)

    def a(inputs: int, pooled: int) -> nn.Module:
        five, threes = chain(inputs, (48, 1), (64, 5)), chain(inputs, (64, 1), (96, 3), (96, 3))
        return Side(chain(inputs, (64, 1)), five, threes, mean(inputs, pooled))

    def b(inner: int) -> nn.Module:
        seven = chain(768, (inner, 1), (inner, (1, 7)), (192, (7, 1)))
        twice = chain(768, (inner, 1), (inner, (7, 1)), (inner, (1, 7)), (inner, (7, 1)), (192, (1, 7)))
        return Side(chain(768, (192, 1)), seven, twice, mean(768, 192))

    def c(inputs: int) -> nn.Module:
        def both() -> nn.Module:
            return Side(unscaled(384, 384, (1, 3)), unscaled(384, 384, (3, 1)))

        three = nn.Sequential(unscaled(inputs, 384, 1), both())
        threes = nn.Sequential(chain(inputs, (448, 1), (384, 3)), both())
        return Side(unscaled(inputs, 320, 1), three, threes, mean(inputs, 192))

    def shrink(inputs: int, outputs: int) -> nn.Module:
        return unscaled(inputs, outputs, 3, same=False, stride=2)

    mixed3 = Side(shrink(288, 384), nn.Sequential(chain(288, (64, 1), (96, 3)), shrink(96, 96)), nn.MaxPool2d(3, 2))
    mixed8 = Side(
        nn.Sequential(unscaled(768, 192, 1), shrink(192, 320)),
        nn.Sequential(chain(768, (192, 1), (192, (1, 7)), (192, (7, 1))), shrink(192, 192)),
        nn.MaxPool2d(3, 2),
    )
    return nn.Sequential(
        *[shrink(3, 32), unscaled(32, 32, 3, same=False), unscaled(32, 64, 3), nn.MaxPool2d(3, 2)],
        *[unscaled(64, 80, 1, same=False), unscaled(80, 192, 3, same=False), nn.MaxPool2d(3, 2)],
        *[a(192, 32), a(256, 64), a(288, 64), mixed3, b(128), b(160), b(160), b(192), mixed8, c(1280), c(2048)],
        *[nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2048, 1000)],
    )


def mobilenet_v1() -> nn.Module:
    # keras/src/applications/mobilenet.py: relu6, batch norm with eps 1e-3, and where the stride is 2 zeros only at the
    # end of each axis, which is what padding `same` is for an even number of pixels.
    def step(inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> list[nn.Module]:
        pad = [nn.ZeroPad2d((0, 1, 0, 1))] if stride == 2 else []
        padding = 1 if kernel == 3 and stride == 1 else 0
        module = normed(inputs, outputs, kernel, 1e-3, stride=stride, padding=padding, groups=groups)
        return [*pad, module, nn.ReLU6()]

    layers, width = step(3, 32, 3, 2), 32
    for outputs, stride in [
        (64, 1),
        (128, 2),
        (128, 1),
        (256, 2),
        (256, 1),
        (512, 2),
        *[(512, 1)] * 5,
        (1024, 2),
        (1024, 1),
    ]:
        layers += [*step(width, width, 3, stride, groups=width), *step(width, outputs, 1)]
        width = outputs
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(1e-3), nn.Linear(1024, 1000))


def xception() -> nn.Module:
    # keras/src/applications/xception.py: batch norm with eps 1e-3, and the shortcut starts before the first relu.
    def separable(inputs: int, outputs: int) -> nn.Module:
        depthwise = nn.Conv2d(inputs, inputs, 3, padding=1, groups=inputs, bias=False)
        return nn.Sequential(depthwise, normed(inputs, outputs, 1, 1e-3))

    def halved(x: Tensor) -> Tensor:
        """A max pool of 3 with stride 2 and TensorFlow's padding `same`: the smaller half in front."""
        rests = [max((math.ceil(size / 2) - 1) * 2 + 3 - size, 0) for size in (x.shape[3], x.shape[2])]
        sides = [side for rest in rests for side in (rest // 2, rest - rest // 2)]
        return functional.max_pool2d(functional.pad(x, sides, value=-math.inf), 3, 2)

    def entry(inputs: int, inner: int, outputs: int, first: bool = True) -> nn.Module:
        layers = [nn.ReLU()] * first + [separable(inputs, inner), nn.ReLU(), separable(inner, outputs), Call(halved)]
        return Sum(nn.Sequential(*layers), normed(inputs, outputs, 1, 1e-3, stride=2))

    def middle() -> nn.Module:
        return Sum(nn.Sequential(*[module for _ in range(3) for module in (nn.ReLU(), separable(728, 728))]))

    return nn.Sequential(
        *[normed(3, 32, 3, 1e-3, stride=2), nn.ReLU(), normed(32, 64, 3, 1e-3), nn.ReLU()],
        *[entry(64, 128, 128, first=False), entry(128, 256, 256), entry(256, 728, 728)],
        *[middle() for _ in range(8)],
        *[entry(728, 728, 1024), separable(1024, 1536), nn.ReLU(), separable(1536, 2048), nn.ReLU()],
        *[nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2048, 1000)],
    )


class UNet(nn.Module):
    """Ronneberger and others, 2015, figure 1: the skips are cropped in the middle and come first."""

    def __init__(self) -> None:
        super().__init__()
        widths = [64, 128, 256, 512, 1024]
        self.down = nn.ModuleList(self.twice(m, n) for m, n in zip([1, *widths], widths, strict=False))
        self.up = nn.ModuleList()
        for n in widths[-2::-1]:
            self.up += [nn.ConvTranspose2d(2 * n, n, 2, 2), self.twice(2 * n, n)]
        self.last = nn.Conv2d(64, 2, 1)

    def twice(self, inputs: int, outputs: int) -> nn.Module:
        return nn.Sequential(conv(inputs, outputs, 3), conv(outputs, outputs, 3))

    def forward(self, x_NCHW: Tensor) -> Tensor:
        skips = []
        for level, twice in enumerate(self.down):
            skips.append(twice(functional.max_pool2d(skips[-1], 2) if level else x_NCHW))
        y_NCHW = functional.dropout(skips.pop(), 0.5, self.training)
        for up, twice in zip(self.up[::2], self.up[1::2], strict=True):
            y_NCHW, skip = up(y_NCHW), skips.pop()
            top, left = ((a - b) // 2 for a, b in zip(skip.shape[2:], y_NCHW.shape[2:], strict=True))
            cropped = skip[:, :, top : top + y_NCHW.shape[2], left : left + y_NCHW.shape[3]]
            y_NCHW = twice(torch.cat((cropped, y_NCHW), 1))
        return self.last(y_NCHW)


class TextCnn(nn.Module):
    """Kim, 2014, section 2: c_i = f(w x_{i:i+h-1} + b), the largest of each filter, dropout, a linear layer."""

    def __init__(self, words: int):
        super().__init__()
        self.embedding = nn.Embedding(words, 300)
        self.filters = nn.ModuleList(nn.Conv1d(300, 100, width) for width in (3, 4, 5))
        self.last = nn.Linear(300, 2)

    def forward(self, words_NT: Tensor) -> Tensor:
        x_NET = self.embedding(words_NT).transpose(1, 2)
        return self.last(torch.cat([filter(x_NET).relu().amax(2) for filter in self.filters], 1))


class Lstm(nn.Module):
    """Hochreiter and Schmidhuber's LSTM with a forget gate and no peepholes, with one bias for each gate."""

    def __init__(self, inputs: int, states: int, backwards: bool = False):
        super().__init__()
        self.weight_x = nn.Parameter(torch.empty(4 * states, inputs))
        self.weight_h = nn.Parameter(torch.empty(4 * states, states))
        self.bias = nn.Parameter(torch.empty(4 * states))
        self.backwards = backwards

    def forward(self, x_NTF: Tensor) -> Tensor:
        h = c = x_NTF.new_zeros(len(x_NTF), self.weight_h.shape[1])
        found = []
        for x_NF in reversed(x_NTF.unbind(1)) if self.backwards else x_NTF.unbind(1):
            i, f, g, o = (x_NF @ self.weight_x.T + h @ self.weight_h.T + self.bias).chunk(4, 1)
            c = f.sigmoid() * c + i.sigmoid() * g.tanh()
            h = o.sigmoid() * c.tanh()
            found.append(h)
        return torch.stack(found[::-1] if self.backwards else found, 1)


class Gru(nn.Module):
    """Cho and others, 2014, equations 5 to 8, with biases."""

    def __init__(self, inputs: int, states: int):
        super().__init__()
        self.weight_x = nn.Parameter(torch.empty(3 * states, inputs))
        self.weight_h = nn.Parameter(torch.empty(3 * states, states))
        self.bias = nn.Parameter(torch.empty(3 * states))

    def forward(self, x_NTF: Tensor) -> Tensor:
        h = x_NTF.new_zeros(len(x_NTF), self.weight_h.shape[1])
        weight_r, weight_z, weight_n = self.weight_h.chunk(3)
        for x_NF in x_NTF.unbind(1):
            r, z, n = (x_NF @ self.weight_x.T + self.bias).chunk(3, 1)
            r, z = (r + h @ weight_r.T).sigmoid(), (z + h @ weight_z.T).sigmoid()
            h = z * h + (1 - z) * (n + (r * h) @ weight_n.T).tanh()
        return h


class Bidirectional(nn.Module):
    """An LSTM in each direction: the states of both at every step, or the last of each."""

    def __init__(self, inputs: int, states: int, sequence: bool):
        super().__init__()
        self.ahead, self.back = Lstm(inputs, states), Lstm(inputs, states, backwards=True)
        self.sequence = sequence

    def forward(self, x_NTF: Tensor) -> Tensor:
        ahead, back = self.ahead(x_NTF), self.back(x_NTF)
        return torch.cat((ahead, back), 2) if self.sequence else torch.cat((ahead[:, -1], back[:, 0]), 1)


def bidirectional_lstm() -> nn.Module:
    return nn.Sequential(
        nn.Embedding(20_000, 128), Bidirectional(128, 64, True), Bidirectional(128, 64, False), nn.Linear(128, 1)
    )


def char_lstm() -> nn.Module:
    return nn.Sequential(nn.Embedding(65, 256), Lstm(256, 512), nn.Linear(512, 65))


def gru_classifier() -> nn.Module:
    return nn.Sequential(nn.Embedding(20_000, 128), Gru(128, 64), nn.Dropout(), nn.Linear(64, 1))


def autoencoder() -> nn.Module:
    # Hinton and Salakhutdinov, 2006: logistic units everywhere but in the code.
    layers: list[nn.Module] = []
    sizes = [784, 1000, 500, 250, 30, 250, 500, 1000, 784]
    for inputs, outputs in itertools.pairwise(sizes):
        layers += [nn.Linear(inputs, outputs)] + [nn.Sigmoid()] * (outputs != 30)
    return nn.Sequential(*layers)


def conv_autoencoder() -> nn.Module:
    # Keras' example. A transposed convolution with padding `same` is the gradient of a convolution with padding `same`,
    # which at stride 2 and kernel 3 pads an even size at its end only: so the last row and column are cut off.
    def up() -> list[nn.Module]:
        return [nn.ConvTranspose2d(32, 32, 3, 2), Call(lambda x: x[:, :, :-1, :-1]), nn.ReLU()]

    return nn.Sequential(
        *[conv(1, 32, 3, padding=1), nn.MaxPool2d(2), conv(32, 32, 3, padding=1), nn.MaxPool2d(2)],
        *[*up(), *up(), nn.Conv2d(32, 1, 3, padding=1), nn.Sigmoid()],
    )


class Attention(nn.Module):
    """Vaswani and others, 2017, section 3.2: softmax(Q K^T / sqrt(d)) V in each head; `seen` is True where allowed."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.in_weight = nn.Parameter(torch.empty(3 * width, width))
        self.in_bias = nn.Parameter(torch.empty(3 * width))
        self.out = nn.Linear(width, width)

    def forward(self, x_NTE: Tensor, seen: Tensor) -> Tensor:
        qkv_NTF = x_NTE @ self.in_weight.T + self.in_bias
        q, k, v = (part.unflatten(2, (self.heads, -1)).transpose(1, 2) for part in qkv_NTF.chunk(3, 2))
        scores = (q @ k.transpose(2, 3) / math.sqrt(q.shape[3])).masked_fill(~seen, -math.inf)
        return self.out((scores.softmax(3) @ v).transpose(1, 2).flatten(2))


class Block(nn.Module):
    """A layer of a transformer, with the norms before or after."""

    def __init__(self, width: int, heads: int, eps: float, gelu: Callable[[Tensor], Tensor], first: bool):
        super().__init__()
        self.attention = Attention(width, heads)
        self.wide, self.narrow = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.norm1, self.norm2 = nn.LayerNorm(width, eps=eps), nn.LayerNorm(width, eps=eps)
        self.gelu, self.first = gelu, first

    def forward(self, x_NTE: Tensor, seen: Tensor) -> Tensor:
        if self.first:
            x_NTE = x_NTE + self.attention(self.norm1(x_NTE), seen)
            return x_NTE + self.narrow(self.gelu(self.wide(self.norm2(x_NTE))))
        x_NTE = self.norm1(x_NTE + self.attention(x_NTE, seen))
        return self.norm2(x_NTE + self.narrow(self.gelu(self.wide(x_NTE))))


def exact_gelu(x: Tensor) -> Tensor:
    """Hendrycks and Gimpel, 2016, section 2: x times the normal distribution's share below x; hidden_act of BERT."""
    return x * (1 + torch.erf(x / math.sqrt(2))) / 2


def tanh_gelu(x: Tensor) -> Tensor:
    """`gelu` of model.py in GPT-2's published code."""
    return 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


class Gpt2(nn.Module):
    """The published model.py of GPT-2: norms before, and one after the last layer, with eps 1e-5; tied outputs."""

    def __init__(self, width: int, length: int):
        super().__init__()
        self.words, self.positions = nn.Embedding(50_257, width), nn.Embedding(length, width)
        self.blocks = nn.ModuleList(Block(width, 12, 1e-5, tanh_gelu, first=True) for _ in range(12))
        self.norm = nn.LayerNorm(width, eps=1e-5)

    def forward(self, words_NT: Tensor) -> Tensor:
        steps = torch.arange(words_NT.shape[1])
        x_NTE = self.words(words_NT) + self.positions(steps)
        for block in self.blocks:
            x_NTE = block(x_NTE, steps[:, None] >= steps)
        return self.norm(x_NTE) @ self.words.weight.T


class Bert(nn.Module):
    """BertModel of the published checkpoint: norms after, eps 1e-12; the pooler reads the first word; 0 is padding."""

    def __init__(self, width: int, length: int):
        super().__init__()
        self.words, self.positions = nn.Embedding(30_522, width, padding_idx=0), nn.Embedding(length, width)
        self.segments = nn.Embedding(2, width)
        self.norm = nn.LayerNorm(width, eps=1e-12)
        self.blocks = nn.ModuleList(Block(width, 12, 1e-12, exact_gelu, first=False) for _ in range(12))
        self.pooler = nn.Linear(width, width)

    def forward(self, words_NT: Tensor, segments_NT: Tensor) -> Tensor:
        positions = self.positions(torch.arange(words_NT.shape[1]))
        x_NTE = self.norm(self.words(words_NT) + positions + self.segments(segments_NT))
        seen = (words_NT != 0)[:, None, None, :]
        for block in self.blocks:
            x_NTE = block(x_NTE, seen)
        return self.pooler(x_NTE[:, 0]).tanh()


def draw_weights(module: nn.Module) -> None:
    """Weights that keep the size of the numbers, and biases, scales and statistics that are not those of a new net."""
    with torch.no_grad():
        for part in module.modules():
            spread = 1 if isinstance(part, nn.Embedding) else 1.4
            for name, weight in [*part.named_parameters(recurse=False), *part.named_buffers(recurse=False)]:
                if weight.dim() > 1:
                    weight.normal_(0, spread / weight[0].numel() ** 0.5)
                elif name in ("running_var", "weight"):
                    weight.uniform_(0.5, 1.5)
                elif name != "num_batches_tracked":
                    weight.normal_(0, 0.1)
    for embedding in module.modules():
        if isinstance(embedding, nn.Embedding) and embedding.padding_idx is not None:
            embedding.weight.data[embedding.padding_idx] = 0
