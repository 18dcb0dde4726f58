"""Without `init` a network starts from the weights that torch's own layers start from, with the same seed."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from dlrun.components.layers import WeightedLayer
from dlrun.language.component import choose
from dlrun.language.kinds import find, kinds

TORCHS = {
    "linear": (4, (8,), lambda: nn.Linear(8, 4)),
    "conv1d": ({"out_channels": 4, "kernel_size": 3}, (2, 9), lambda: nn.Conv1d(2, 4, 3)),
    "conv2d": ({"out_channels": 4, "kernel_size": 3, "padding": "same"}, (2, 9, 9), lambda: nn.Conv2d(2, 4, 3)),
    "conv3d": ({"out_channels": 4, "kernel_size": 3}, (2, 9, 9, 9), lambda: nn.Conv3d(2, 4, 3)),
    "conv_transpose1d": ({"out_channels": 4, "kernel_size": 3}, (2, 9), lambda: nn.ConvTranspose1d(2, 4, 3)),
    "conv_transpose2d": ({"out_channels": 4, "kernel_size": 3}, (2, 9, 9), lambda: nn.ConvTranspose2d(2, 4, 3)),
    "conv_transpose3d": ({"out_channels": 4, "kernel_size": 3}, (2, 5, 5, 5), lambda: nn.ConvTranspose3d(2, 4, 3)),
    "depthwise_conv2d": ({"kernel_size": 3}, (4, 9, 9), lambda: nn.Conv2d(4, 4, 3, groups=4)),
    "separable_conv2d": (
        {"out_channels": 6, "kernel_size": 3},
        (4, 9, 9),
        lambda: nn.Sequential(nn.Conv2d(4, 4, 3, groups=4, bias=False), nn.Conv2d(4, 6, 1)),
    ),
    "embedding": ({"num_embeddings": 9, "embedding_dim": 4}, (5,), lambda: nn.Embedding(9, 4)),
    "position_embedding": ({}, (5, 4), lambda: nn.Embedding(5, 4)),
    "batch_norm": ({}, (3, 4), lambda: nn.BatchNorm1d(3)),
    "layer_norm": ({}, (3, 4), lambda: nn.LayerNorm(4)),
    "rms_norm": ({}, (3, 4), lambda: nn.RMSNorm(4)),
    "group_norm": ({"num_groups": 2}, (4, 5), lambda: nn.GroupNorm(2, 4)),
    "instance_norm": ({"affine": True}, (4, 5), lambda: nn.InstanceNorm1d(4, affine=True)),
    "prelu": ({}, (4,), lambda: nn.PReLU()),
    "maxout": ({"out_features": 3, "pieces": 2}, (4,), lambda: nn.Linear(4, 6)),
    "rnn": ({"hidden_size": 5}, (6, 4), lambda: nn.RNN(4, 5)),
    "lstm": ({"hidden_size": 5, "num_layers": 2}, (6, 4), lambda: nn.LSTM(4, 5, 2)),
    "gru": ({"hidden_size": 5}, (6, 4), lambda: nn.GRU(4, 5)),
    "multihead_attention": ({"num_heads": 2}, (6, 4), lambda: nn.MultiheadAttention(4, 2)),
    "transformer_encoder_layer": (
        {"nhead": 2, "dim_feedforward": 8},
        (6, 4),
        lambda: nn.TransformerEncoderLayer(4, 2, 8),
    ),
}  # fmt: skip
"""For each kind settings, a shape, and torch's layer, or those that it consists of."""
ON_TWO_VALUES = {"additive_attention", "cross_attention", "transformer_decoder_layer"}


def test_every_layer_with_weights_is_here():
    weighted = {kind for kind in kinds("layers") if issubclass(find("layers", kind), WeightedLayer)}
    assert weighted | {"prelu"} == {*TORCHS, *ON_TWO_VALUES}


@pytest.mark.parametrize("kind", TORCHS)
def test_a_layer_starts_from_the_weights_of_torchs_own(kind):
    settings, shape, torchs = TORCHS[kind]
    layer: Any = choose("layers", {kind: settings})
    torch.manual_seed(3)
    ours = [weight for _, weight in layer.build(shape).named_parameters()]
    torch.manual_seed(3)
    theirs = [weight for _, weight in torchs().named_parameters()]
    assert [weight.shape for weight in ours] == [weight.shape for weight in theirs]
    assert all(torch.equal(one, other) for one, other in zip(ours, theirs, strict=True))
