"""Every published network of specs/nets/ computes what its source computes: with equal weights, the same outputs.

The other side is plain torch, written from the source that stands beside it (tests/plain_nets.py). Both compute in
double precision, where another gelu, an eps of 1e-5 for 1e-12, or a pixel of padding cannot hide in rounding.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from typing import Any

import plain_nets as plain
import pytest
import torch
import yaml
from places import NETS
from torch import nn

from dlrun.checks.check import check
from dlrun.network.build import build

NAMES = sorted(file.stem for file in NETS.glob("*.yaml"))
PUBLISHED = [name for name in NAMES if "data" not in yaml.safe_load((NETS / f"{name}.yaml").read_text())]
"""Those that say nothing of data; the others are small forms, to be trained."""

PLAIN: dict[str, tuple[Callable[[], nn.Module], list[str]]] = {
    # Smaller inputs where the computation would take long; only widths and lengths that the spec itself calls free.
    "lenet5": (plain.lenet5, []),
    "alexnet": (plain.alexnet, []),
    "alexnet_torchvision": (plain.alexnet_torchvision, []),
    **{
        f"vgg_{column}": (partial(plain.vgg, *rows, pixels=32), ["model.input=[3, 32, 32]"])
        for column, rows in plain.VGG.items()
    },
    "resnet18": (partial(plain.resnet, 2, 2, 2, 2, bottleneck=False), ["model.input=[3, 75, 64]"]),
    "resnet34": (partial(plain.resnet, 3, 4, 6, 3, bottleneck=False), ["model.input=[3, 75, 64]"]),
    "resnet50": (partial(plain.resnet, 3, 4, 6, 3, bottleneck=True), ["model.input=[3, 75, 64]"]),
    "resnet50_torchvision": (
        partial(plain.resnet, 3, 4, 6, 3, bottleneck=True, late=True),
        ["model.input=[3, 75, 64]"],
    ),
    "resnet101": (partial(plain.resnet, 3, 4, 23, 3, bottleneck=True), ["model.input=[3, 43, 32]"]),
    "resnet152": (partial(plain.resnet, 3, 8, 36, 3, bottleneck=True), ["model.input=[3, 43, 32]"]),
    "googlenet": (plain.googlenet, []),
    "inception_v3": (plain.inception_v3, ["model.input=[3, 96, 85]"]),
    "mobilenet_v1": (plain.mobilenet_v1, ["model.input=[3, 64, 96]"]),
    "xception": (plain.xception, ["model.input=[3, 71, 86]"]),
    "unet": (plain.UNet, ["model.input=[1, 188, 204]"]),
    "text_cnn": (partial(plain.TextCnn, 500), ["vars.words=500", "vars.length=20"]),
    "char_lstm": (plain.char_lstm, ["vars.length=20"]),
    "bidirectional_lstm": (plain.bidirectional_lstm, ["model.input=[20]"]),
    "gru_classifier": (plain.gru_classifier, ["model.input=[20]"]),
    "autoencoder": (plain.autoencoder, []),
    "conv_autoencoder": (plain.conv_autoencoder, []),
    "gpt2_small": (partial(plain.Gpt2, 96, 20), ["vars.width=96", "vars.length=20"]),
    "bert_base": (partial(plain.Bert, 96, 20), ["vars.width=96", "vars.length=20"]),
}


def test_every_published_net_is_here() -> None:
    assert sorted(PLAIN) == PUBLISHED


def tensors(module: nn.Module) -> list[torch.Tensor]:
    """The weights, each once, and then the statistics."""
    return [*module.parameters(), *module.buffers()]


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_net_computes_what_its_source_computes(name: str) -> None:
    make, overrides = PLAIN[name]
    torch.manual_seed(0)
    theirs = make().double().eval()
    plain.draw_weights(theirs)
    checked = check(NETS / f"{name}.yaml", overrides)
    ours = build(checked.plan, checked.experiment.need("model")).double().eval()
    with torch.no_grad():  # both are in the order of the layers
        for weight, source in zip(tensors(ours), tensors(theirs), strict=True):
            assert weight.shape == source.shape
            weight.copy_(source)
    batches = []
    for of, shape in checked.plan.input_shapes.items():
        words = torch.randint(2 if of == "segments" else 65, (2, *shape))
        batches.append(words if checked.plan.indices[of] else torch.randn(2, *shape).double())
    if name == "bert_base":
        batches[0][:, 0] = 101  # the first word is always [CLS]
        batches[0][0, 13:] = 0  # a shorter text
    for training in (True, False) if may_train(theirs) else (False,):  # at last with the statistics that training moved
        theirs.train(training)
        ours.train(training)
        with torch.no_grad():
            expected, found = theirs(*batches), ours(*batches)
        assert expected.std() > 1e-3  # something is computed
        torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9 * expected.abs().max().item())


def may_train(module: nn.Module) -> bool:
    """Whether training computes something else than evaluation, without random numbers."""
    kinds = {type(part) for part in module.modules()}
    return nn.BatchNorm2d in kinds and nn.Dropout not in kinds


def in_our_order(layers: list[Any]) -> list[Any]:
    """Keras' layers with weights in the order of ours: a shortcut comes after its block."""

    def created(layer: Any) -> tuple[int, int]:
        kind, _, number = layer.name.rpartition("_")
        return (int(number), kind.startswith("batch")) if number.isdigit() else (0, layer.name.startswith("batch"))

    named = [layer for layer in layers if layer.name.startswith("block")]
    numbered = sorted((layer for layer in layers if layer.name.startswith(("conv2d", "batch"))), key=created)
    if not named:
        return numbered or layers
    ordered: list[Any] = []
    for layer, following in zip(named, [*named[1:], named[0]], strict=True):
        ordered.append(layer)
        block = layer.name.split("_")[0]
        if block in ("block2", "block3", "block4", "block13") and not following.name.startswith(f"{block}_"):
            ordered += [numbered.pop(0), numbered.pop(0)]
    return ordered


@pytest.mark.parametrize(
    ("name", "theirs"), [("inception_v3", "InceptionV3"), ("mobilenet_v1", "MobileNet"), ("xception", "Xception")]
)
def test_a_net_computes_what_keras_computes_before_its_last_layer(name: str, theirs: str) -> None:
    os.environ.setdefault("KERAS_BACKEND", "torch")
    keras = pytest.importorskip("keras")
    size = 96
    model = getattr(keras.applications, theirs)(
        weights=None, input_shape=(size, size, 3), include_top=False, pooling="avg"
    )
    checked = check(NETS / f"{name}.yaml", [f"model.input=[3, {size}, {size}]"])
    ours = build(checked.plan, checked.experiment.need("model"))
    ours.linear_1 = nn.Identity()
    torch.manual_seed(0)
    plain.draw_weights(ours)
    ours.eval()
    layers = in_our_order([layer for layer in model.layers if layer.weights])
    weights = [weight for layer in layers for weight in layer.weights]
    sources = [
        tensor
        for module in ours.modules()
        for tensor in [*module.parameters(recurse=False), *module.buffers(recurse=False)]
        if tensor.dim()
    ]
    for weight, source in zip(weights, sources, strict=True):
        if source.dim() == 4:  # theirs are (H, W, C, outputs), and (H, W, C, 1) where each channel has its own
            source = source.permute(2, 3, 1, 0)
            source = source if source.shape == weight.shape else source.transpose(2, 3)
        weight.assign(source.detach().contiguous())
    x_NCHW = torch.randn(2, 3, size, size)
    with torch.no_grad():
        expected = model(x_NCHW.permute(0, 2, 3, 1), training=False)
        torch.testing.assert_close(ours(x_NCHW), expected, rtol=1e-5, atol=1e-5 * expected.abs().max().item())
