"""Every layer there is, held against the torch module that it builds, over drawn settings and shapes."""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from strategies import components, draws, layers_and_shapes, sample_shapes, takes
from torch.utils.flop_counter import FlopCounterMode

from dlrun.components.layers import Container, Layer, count_formula
from dlrun.language.component import choose
from dlrun.language.kinds import find, kinds
from dlrun.shapes import Shape, ShapeError, numel
from dlrun.training.speed.capture import can_capture, capture


def _alone(cls: Any) -> bool:
    """Whether a layer takes one value: containers and layers on several have tests of their own."""
    return not issubclass(cls, Container) and not cls.second_inputs


KINDS = [kind for kind in kinds("layers") if _alone(find("layers", kind))]

_PLAIN = ("adaptive_avg_pool", "adaptive_max_pool", "avg_pool", "conv", "conv_transpose", "lp_pool", "max_pool")
SLIDING = [f"{name}{rank}d" for name in _PLAIN for rank in (1, 2, 3)]


def _sees_padding_alone(layer: Any, shape: Shape) -> bool:
    """Whether a window of a max pool holds no point of an input of zeros, so that its largest number is -inf."""
    try:
        return bool(layer.build(shape)(torch.zeros(2, *shape)).isinf().any())
    except Exception:
        return False


REFUSED_THOUGH_TORCH_RUNS: dict[str, Callable[[Any, Shape], bool]] = {
    # A batch (N, H, W) is taken for one image (C, H, W) without a batch. Here a batch is always there.
    **dict.fromkeys(SLIDING, lambda layer, shape: len(shape) == layer.rank),
    # A window may lie on padding alone.
    **dict.fromkeys(
        [kind for kind in SLIDING if kind.startswith("max_pool")],
        lambda layer, shape: len(shape) == layer.rank or _sees_padding_alone(layer, shape),
    ),
    **dict.fromkeys(("depthwise_conv2d", "separable_conv2d"), lambda layer, shape: len(shape) == 2),
    # With an output of 1 the last two or three axes of anything are averaged, an image or not.
    **dict.fromkeys(("adaptive_avg_pool2d", "adaptive_avg_pool3d"), lambda layer, shape: len(shape) != layer.rank + 1),
    # Likewise (N, F) is taken for one sequence (T, F).
    **dict.fromkeys(("gru", "lstm", "rnn"), lambda layer, shape: len(shape) == 1),
    # Likewise (N, H, W), (N, L) and (N, D, H, W).
    "softmax2d": lambda layer, shape: len(shape) == 2 or (len(shape) == 3 and shape[0] == 1),
    "dropout1d": lambda layer, shape: len(shape) == 1,
    "dropout3d": lambda layer, shape: len(shape) == 3,
    # A sequence has two axes; torch's functions take what can be broadcast, or any number of axes.
    **dict.fromkeys(
        ("position_embedding", "positional_encoding", "scaled_dot_product_attention"),
        lambda layer, shape: len(shape) != 2,
    ),
    # An axis that is not of size 1 stays, in silence.
    "squeeze": lambda layer, shape: -len(shape) <= layer.dim < len(shape) and shape[layer.dim] != 1,
    # A group of one number normalises to 0, whatever it is.
    "group_norm": lambda layer, shape: layer.num_groups == numel(shape),
    # The batch would be normalised over, or, as the layer is built, fewer axes than asked for.
    # Likewise; and a single number normalises to the same, whatever it is.
    **dict.fromkeys(
        ("layer_norm", "rms_norm"), lambda layer, shape: len(shape) < layer.dims or numel(shape[-layer.dims :]) == 1
    ),
    # Its norms are over the features.
    "transformer_encoder_layer": lambda layer, shape: len(shape) == 2 and shape[1] == 1,
    # The only number along an axis has the share 1, whatever it is.
    **dict.fromkeys(
        ("log_softmax", "softmax", "softmin"),
        lambda layer, shape: -len(shape) <= layer.dim < len(shape) and shape[layer.dim] == 1,
    ),
}
"""Where torch computes something other than what is asked for. Everywhere else the rule and torch must agree."""


@contextmanager
def torch_as_a_judge() -> Iterator[None]:
    """Torch's warnings are refusals (an LSTM of one layer with dropout)."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def a_batch(layer: Layer, shape: Shape, rows: int, device: str = "cpu") -> torch.Tensor:
    if layer.accepts == "indices":
        return torch.randint(0, getattr(layer, "num_embeddings"), (rows, *shape), device=device)  # noqa: B009
    return torch.randn(rows, *shape, device=device)


def torchs_shape(layer: Layer, shape: Shape) -> Shape | None:
    """What torch makes of a real batch of 2; None where building or running it fails, or gives no number.

    On the meta device torch leaves some checks out (`conv_transpose2d`: output_padding, channels), so that the
    CPU judges.
    """
    try:
        with torch_as_a_judge(), torch.no_grad():
            output = layer.build(shape).train()(a_batch(layer, shape, 2))
    except Exception:
        return None
    return tuple(output.shape[1:]) if output.numel() else None


@pytest.mark.parametrize("kind", KINDS)
def test_a_shape_rule_gives_what_torch_gives_and_refuses_exactly_what_torch_refuses(kind: str) -> None:
    accepted: list[Shape] = []

    @draws(120)
    @given(st.tuples(components("layers", kind), sample_shapes(1, 5)) | layers_and_shapes(kind))
    def holds(pair: tuple[Any, Shape]) -> None:
        layer, shape = pair
        if REFUSED_THOUGH_TORCH_RUNS.get(kind, lambda *_: False)(layer, shape):
            assert not takes(layer, shape)
        elif takes(layer, shape):
            accepted.append(shape)
            assert layer.output_shape(shape) == torchs_shape(layer, shape)
        else:
            assert torchs_shape(layer, shape) is None

    holds()
    assert len(accepted) >= 10, "too few combinations that fit: the test would prove little"


@pytest.mark.parametrize("kind", KINDS)
def test_weights_and_buffers_are_named_and_shaped_as_torchs_and_built_without_memory(kind: str) -> None:
    @draws(40)
    @given(layers_and_shapes(kind))
    def holds(pair: tuple[Any, Shape]) -> None:
        layer, shape = pair
        assume(takes(layer, shape))
        with torch_as_a_judge(), torch.device("meta"):
            module = layer.build(shape).train()
            output = module(a_batch(layer, shape, 2, "meta"))
        assert output.is_meta
        assert tuple(output.shape[1:]) == layer.output_shape(shape)
        weights, buffers = dict(module.named_parameters()), dict(module.named_buffers())
        assert {name: tuple(weight.shape) for name, weight in weights.items()} == layer.weights(shape)
        assert {name: tuple(buffer.shape) for name, buffer in buffers.items()} == layer.buffers(shape)

    holds()


@pytest.mark.parametrize("kind", [kind for kind in KINDS if find("layers", kind).differentiable])
def test_gradients_reach_every_weight_and_the_input(kind: str) -> None:
    met: set[str] = set()
    moved: set[str] = set()

    @draws(600 if kind == "lstm" else 60)  # an lstm has many weights that only some settings have
    @given(layers_and_shapes(kind, largest=6), st.integers(0, 2**32))
    def holds(pair: tuple[Any, Shape], seed: int) -> None:
        layer, shape = pair
        assume(takes(layer, shape))
        torch.manual_seed(seed)
        with torch_as_a_judge():
            module, x = layer.build(shape).train(), a_batch(layer, shape, 4)
        leaves = dict(module.named_parameters())
        if x.is_floating_point():
            leaves["input"] = x.requires_grad_()
        with torch_as_a_judge():
            y = module(x)
        (y * torch.randn_like(y)).sum().backward()
        for name, leaf in leaves.items():
            assert leaf.grad is not None, name
            assert torch.isfinite(leaf.grad).all(), name
            alike = re.sub(r"\d+", "", name)  # the weights of stacked layers count as one
            met.add(alike)
            if leaf.grad.any():
                moved.add(alike)

    # One draw's gradient may rightly be 0: an LSTM's state weights over one step, a norm over one number,
    # dropout of everything. Over all draws no weight may stay still.
    holds()
    assert met
    assert moved == met


@pytest.mark.skipif(not can_capture(), reason="this Python's torch cannot capture a step")
@pytest.mark.parametrize("kind", [kind for kind in KINDS if find("layers", kind).differentiable])
def test_what_is_captured_of_a_layer_gives_the_same_bits_for_other_rows(kind: str) -> None:
    @draws(5)
    @given(layers_and_shapes(kind, largest=6), st.integers(0, 2**32))
    def holds(pair: tuple[Any, Shape], seed: int) -> None:
        layer, shape = pair
        assume(takes(layer, shape))
        torch.manual_seed(seed)
        module = layer.build(shape).train()
        weights = list(module.parameters())

        def compute(x: torch.Tensor) -> list[torch.Tensor]:
            x = x.requires_grad_() if x.is_floating_point() else x
            y = module(x)
            wanted = [*weights, x] if x.is_floating_point() else weights
            grads = torch.autograd.grad(y.square().mean(), wanted, materialize_grads=True, allow_unused=True)
            return [y.detach(), *grads]

        _, code = capture(compute, [a_batch(layer, shape, 4)], [*weights, *module.buffers()])
        if code is None:
            return
        for _ in range(3):
            x = a_batch(layer, shape, 4)
            before = torch.get_rng_state(), {name: value.clone() for name, value in module.state_dict().items()}
            found = code(x)
            after = torch.get_rng_state(), {name: value.clone() for name, value in module.state_dict().items()}
            torch.set_rng_state(before[0])
            module.load_state_dict(before[1])
            expected = compute(x)
            assert all(_same(one, other) for one, other in zip(found, expected, strict=True))
            assert torch.equal(torch.get_rng_state(), after[0])
            assert all(_same(value, after[1][name]) for name, value in module.state_dict().items())

    holds()


def _same(one: torch.Tensor, other: torch.Tensor) -> bool:
    return torch.equal(one.nan_to_num(3.0), other.nan_to_num(3.0))


@pytest.mark.parametrize("kind", KINDS)
def test_every_equation_in_an_explanation_is_true(kind: str) -> None:
    @draws(40)
    @given(layers_and_shapes(kind))
    def holds(pair: tuple[Any, Shape]) -> None:
        layer, shape = pair
        assume(takes(layer, shape))
        lines = [*layer.formulas(shape), *count_formula(layer.weights(shape))]
        sides = [values for line in lines if len(values := sides_of(line)) > 1]
        assert all(value == values[0] for values in sides for value in values), lines
        assert bool(lines) == bool(sides)
        if layer.weights(shape):
            count = sum(numel(weight) for weight in layer.weights(shape).values())
            assert lines[-1].endswith(f" = {count}")

    holds()


def sides_of(line: str) -> list[int]:
    """The values of an equation's sides, where they are arithmetic once words are taken out."""
    values = []
    for side in line.split(" = "):
        bare = re.sub(r"\([^\d()]*\)", "", re.sub(r"(?!ceil\b)\b[A-Za-z_][\w-]*", "", side)).strip()
        if re.fullmatch(r"(?:ceil|[\d\s()+*/-])*[\d)]", bare):
            values.append(eval(bare, {"ceil": math.ceil}))
    return values


@pytest.mark.parametrize("kind", KINDS)
def test_activations_hold_at_least_the_output_and_multiply_adds_are_never_negative(kind: str) -> None:
    @draws(30)
    @given(layers_and_shapes(kind))
    def holds(pair: tuple[Any, Shape]) -> None:
        layer, shape = pair
        assume(takes(layer, shape))
        assert layer.activations(shape) >= numel(layer.output_shape(shape))
        assert layer.macs(shape) >= 0

    holds()


MIXING = [kind for kind in KINDS if find("layers", kind).room in ("convolution", "dense") and kind != "embedding"]


@pytest.mark.parametrize("kind", MIXING)
def test_a_row_by_unit_holds_what_leads_into_one_channel(kind: str) -> None:
    met = 0

    @draws(40)
    @given(layers_and_shapes(kind, largest=6), st.integers(0, 2**32))
    def holds(pair: tuple[Any, Shape], seed: int) -> None:
        nonlocal met
        layer, shape = pair
        assume(takes(layer, shape))
        torch.manual_seed(seed)
        module, x = layer.build(shape), torch.rand(4, *shape) + 1
        axis = 1 if layer.channel_axis == "first" else -1

        def channels() -> torch.Tensor:
            return module(x).detach().movedim(axis, 0).flatten(1)

        for name, weight in module.named_parameters():
            if layer.role(name) == "weight" and not name.startswith("depthwise."):  # whose channels are inside
                before, parts = channels(), layer.by_unit(weight.detach())
                assert sum(map(len, parts)) == len(before)
                row = seed % len(parts[-1])
                written = weight.detach().clone()
                weight.data += 1
                assume((channels() != before).any(1).all())  # not if all windows of a convolution lie on padding
                weight.data.copy_(written)
                parts[-1][row] += 1
                changed = (channels() != before).any(1)
                assert changed.nonzero().flatten().tolist() == [len(changed) - len(parts[-1]) + row]
                met += 1

    holds()
    assert met >= 5


CONVOLUTIONS = [f"{name}{rank}d" for name in ("conv", "conv_transpose") for rank in (1, 2, 3)]
CONVOLUTIONS += ["depthwise_conv2d", "separable_conv2d"]


@pytest.mark.parametrize("kind", [*CONVOLUTIONS, "gru", "linear", "lstm", "rnn"])
def test_multiply_adds_are_half_of_what_torch_counts_as_operations(kind: str) -> None:
    @draws(40)
    @given(layers_and_shapes(kind))
    def holds(pair: tuple[Any, Shape]) -> None:
        layer, shape = pair
        assume(takes(layer, shape))
        assume(getattr(layer, "peepholes", "") != "full")  # torch's counter does not know products in place
        with torch_as_a_judge(), torch.device("meta"), FlopCounterMode(display=False) as counter:
            layer.build(shape)(a_batch(layer, shape, 1, "meta"))
        assert 2 * layer.macs(shape) == counter.get_total_flops()

    holds()


def test_only_layers_that_multiply_count_multiply_adds() -> None:
    image, sequence, row = (3, 8, 8), (5, 4), (12,)
    counted = {
        "conv2d: {out_channels: 16, kernel_size: 3, padding: 1}": (
            {"conv2d": {"out_channels": 16, "kernel_size": 3, "padding": 1}},
            image,
            16 * 8 * 8 * 3 * 3 * 3,
        ),
        "conv2d in 3 groups": (
            {"conv2d": {"out_channels": 6, "kernel_size": 1, "groups": 3}},
            image,
            6 * 8 * 8,
        ),
        "linear over a sequence": ({"linear": 7}, sequence, 5 * 4 * 7),
        "lstm": ({"lstm": 6}, sequence, 5 * (4 * 6 * 4 + 4 * 6 * 6)),
        "relu": ("relu", row, 0),
        "dropout": ("dropout", row, 0),
        "max_pool2d": ({"max_pool2d": 2}, image, 0),
    }
    for written, shape, macs in counted.values():
        layer = choose("layers", written)
        assert isinstance(layer, Layer)
        assert layer.macs(shape) == macs


def test_a_huge_layer_is_built_on_the_meta_device_without_its_memory() -> None:
    layer = choose("layers", {"linear": 2**20})
    assert isinstance(layer, Layer)
    with torch.device("meta"):
        module = layer.build((2**20,))
    assert sum(weight.numel() for weight in module.parameters()) == 2**40 + 2**20


@pytest.mark.parametrize(
    ("written", "shape", "expected"),
    [
        # (H + 2*padding - dilation*(kernel_size - 1) - 1) // stride + 1, by hand
        ({"conv2d": {"out_channels": 2, "kernel_size": 3}}, (1, 8, 8), (2, 6, 6)),
        (
            {"conv2d": {"out_channels": 2, "kernel_size": 7, "stride": 2, "padding": 3}},
            (3, 224, 224),
            (2, 112, 112),
        ),
        ({"conv2d": {"out_channels": 2, "kernel_size": 4, "padding": "same"}}, (1, 5, 9), (2, 5, 9)),
        ({"conv2d": {"out_channels": 2, "kernel_size": [1, 5], "dilation": [1, 2]}}, (1, 4, 10), (2, 4, 2)),
        ({"conv_transpose2d": {"out_channels": 2, "kernel_size": 2, "stride": 2}}, (4, 7, 7), (2, 14, 14)),
        ({"max_pool2d": {"kernel_size": 3, "stride": 2, "padding": 1}}, (64, 112, 112), (64, 56, 56)),
        ({"max_pool2d": {"kernel_size": 3, "stride": 2, "ceil_mode": True}}, (1, 8, 8), (1, 4, 4)),
        # ceil((2 - 1) / 2) + 1 = 2, but the second window would begin beyond the image
        ({"avg_pool2d": {"kernel_size": 1, "stride": 2, "ceil_mode": True}}, (1, 2, 2), (1, 1, 1)),
        # padding of exactly half the window: (4 + 2 - 2) // 2 + 1
        ({"max_pool2d": {"kernel_size": 2, "padding": 1}}, (1, 4, 4), (1, 3, 3)),
        ({"adaptive_avg_pool2d": 1}, (512, 7, 7), (512, 1, 1)),
        # output_padding as large as the stride, but smaller than the dilation: 3*1 + 2*1 + 1 + 1
        (
            {"conv_transpose2d": {"out_channels": 2, "kernel_size": 2, "dilation": 2, "output_padding": 1}},
            (1, 4, 4),
            (2, 7, 7),
        ),
        # a kernel as large as the padded input
        ({"conv2d": {"out_channels": 2, "kernel_size": 6, "padding": 1}}, (1, 4, 4), (2, 1, 1)),
        ("flatten", (2, 3, 4), (24,)),
        ({"flatten": {"start_dim": 1}}, (2, 3, 4), (2, 12)),
        ({"flatten": {"start_dim": 1, "end_dim": -2}}, (2, 3, 4), (2, 3, 4)),
        ({"reshape": (-1, 6)}, (2, 3, 4), (4, 6)),
        ({"embedding": {"num_embeddings": 5, "embedding_dim": 3}}, (7,), (7, 3)),
        ({"lstm": {"hidden_size": 3, "bidirectional": True}}, (9, 4), (6,)),
        ({"lstm": {"hidden_size": 3, "output": "sequence"}}, (9, 4), (9, 3)),
    ],
)
def test_output_shapes_worked_by_hand_are_the_rules_and_torchs(written: Any, shape: Shape, expected: Shape) -> None:
    layer = choose("layers", written)
    assert isinstance(layer, Layer)
    assert layer.output_shape(shape) == expected == torchs_shape(layer, shape)


@pytest.mark.parametrize(
    ("written", "shape", "message"),
    [
        (
            {"conv2d": {"out_channels": 2, "kernel_size": 3}},
            (64,),
            "needs an input of shape (channels, height, width)",
        ),
        ({"conv2d": {"out_channels": 4, "kernel_size": 1, "groups": 2}}, (3, 8, 8), "3 input channels"),
        ({"conv2d": {"out_channels": 3, "kernel_size": 1, "groups": 2}}, (4, 8, 8), "3 output channels"),
        (
            {"conv2d": {"out_channels": 2, "kernel_size": 9}},
            (1, 8, 8),
            "a kernel that spans 9 pixels is larger",
        ),
        (
            {"conv1d": {"out_channels": 2, "kernel_size": 3}},
            (1, 8, 8),
            "of shape (channels, length); received (1, 8, 8)",
        ),
        ({"conv3d": {"out_channels": 2, "kernel_size": 3}}, (1, 8, 8, 2), "a kernel that spans 3 voxels is larger"),
        ({"avg_pool3d": {"kernel_size": 3, "padding": 1}}, (1, 8, 8, 2), "a window that spans 3 voxels is larger"),
        ("global_avg_pool", (8,), "needs channels with axes after them; received (8,)"),
        ({"pad": {"padding": 3, "mode": "reflect"}}, (1, 8, 3), "mode reflect can add at most 2 to a size of 3"),
        ({"pad": [1]}, (1, 8, 8), "lists 1 axes, but there are 2 after the channels"),
        ({"crop": 2}, (1, 8, 4), "nothing is left: 4 are cut off an axis of size 4"),
        ({"upsample": {"scale_factor": 2, "mode": "bilinear"}}, (3, 8), "of shape (channels, height, width)"),
        ({"upsample": 0.1}, (3, 8), "nothing is left: (8,) times 0.1 is (0,)"),
        (
            {"conv_transpose2d": {"out_channels": 2, "kernel_size": 2, "output_padding": 1}},
            (1, 8, 8),
            "output_padding 1 must be smaller than stride 1 or dilation 1",
        ),
        (
            {"conv_transpose2d": {"out_channels": 2, "kernel_size": 2, "padding": 4}},
            (1, 2, 2),
            "nothing is left",
        ),
        (
            {"max_pool2d": {"kernel_size": 2, "padding": 2}},
            (1, 8, 8),
            "padding 2 is more than half the window, 2",
        ),
        ({"max_pool2d": 9}, (1, 8, 8), "a window that spans 9 pixels is larger than the padded input, 8"),
        (
            {"max_pool1d": {"kernel_size": 2, "padding": 1, "dilation": 2}},
            (64, 1),
            "a window with dilation 2 holds no point of the input, only padding: the size of the input there is 1",
        ),
        (
            {"max_pool2d": {"kernel_size": 2, "stride": 1, "padding": "same", "dilation": [1, 4]}},
            (1, 9, 3),
            "with dilation 4 holds",
        ),
        (
            {"max_pool3d": {"kernel_size": 3, "stride": 12, "padding": 1, "dilation": 5, "ceil_mode": True}},
            (1, 9, 1, 9),
            "with dilation 5 holds no point of the input",
        ),
        ({"reshape": (5, 5)}, (24,), "24 numbers of shape (24,) cannot have the shape (5, 5)"),
        ({"reshape": (-1, -1)}, (24,), "only one size may be -1"),
        ({"flatten": {"start_dim": 2, "end_dim": 1}}, (2, 3, 4), "start_dim 2 is after end_dim 1"),
        ({"softmax": 1}, (10,), "dim 1 does not exist; the input has 1 axis"),
        ({"layer_norm": 3}, (4, 4), "normalizes the last 3 axes; received (4, 4)"),
        ({"lstm": 8}, (8,), "needs an input of shape (time, features); received (8,)"),
        (
            {"lstm": {"hidden_size": 8, "dropout": 0.5}},
            (5, 8),
            "dropout acts between layers, but there is only one",
        ),
        ("batch_norm", (1, 2, 3, 4, 5), "with 1 to 4 axes; received (1, 2, 3, 4, 5)"),
    ],
)
def test_a_refusal_says_what_is_needed_and_what_came(written: Any, shape: Shape, message: str) -> None:
    layer = choose("layers", written)
    assert isinstance(layer, Layer)
    with pytest.raises(ShapeError, match=re.escape(message)):
        layer.output_shape(shape)


def test_an_lstms_last_state_is_the_forward_end_beside_the_backward_end() -> None:
    torch.manual_seed(0)
    layer = choose("layers", {"lstm": {"hidden_size": 3, "bidirectional": True, "num_layers": 2}})
    assert isinstance(layer, Layer)
    module = layer.build((5, 4))
    x_NTF = torch.randn(2, 5, 4)
    states_NTH, (last, _) = torch.nn.LSTM.forward(module, x_NTF)  # type: ignore[arg-type]
    y = module(x_NTF)
    assert torch.equal(y, torch.cat((last[-2], last[-1]), dim=1))
    # Reading forwards the end is the last step, reading backwards it is the first.
    assert torch.equal(y[:, :3], states_NTH[:, -1, :3])
    assert torch.equal(y[:, 3:], states_NTH[:, 0, 3:])


def test_reshape_reads_the_same_numbers_in_the_same_order() -> None:
    layer = choose("layers", {"reshape": (3, 2)})
    assert isinstance(layer, Layer)
    x = torch.arange(12).reshape(2, 2, 3)
    assert layer.build((2, 3))(x).tolist() == [[[0, 1], [2, 3], [4, 5]], [[6, 7], [8, 9], [10, 11]]]


@pytest.mark.parametrize(
    ("written", "formula"),
    [
        ("relu", lambda x: x.clamp(min=0)),
        ({"leaky_relu": 0.2}, lambda x: torch.where(x > 0, x, 0.2 * x)),
        ({"elu": 1.5}, lambda x: torch.where(x > 0, x, 1.5 * (x.exp() - 1))),
        ("sigmoid", lambda x: 1 / (1 + (-x).exp())),
        ("tanh", lambda x: (x.exp() - (-x).exp()) / (x.exp() + (-x).exp())),
        ("softmax", lambda x: x.exp() / x.exp().sum(-1, keepdim=True)),
        ({"softmax": 0}, lambda x: x.exp() / x.exp().sum(1, keepdim=True)),
        ({"dropout": 0.0}, lambda x: x),
        ({"dropout": 1.0}, lambda x: torch.zeros_like(x)),
        (
            "batch_norm",
            lambda x: (x - x.mean((0, 2), keepdim=True)) / (x.var((0, 2), False, keepdim=True) + 1e-5).sqrt(),
        ),
        (
            "layer_norm",
            lambda x: (x - x.mean(-1, keepdim=True)) / (x.var(-1, False, keepdim=True) + 1e-5).sqrt(),
        ),
        (
            {"layer_norm": 2},
            lambda x: (x - x.mean((1, 2), keepdim=True)) / (x.var((1, 2), False, keepdim=True) + 1e-5).sqrt(),
        ),
    ],
)
def test_a_layer_computes_the_formula_in_its_docstring(written: Any, formula: Any) -> None:
    torch.manual_seed(0)
    x = torch.randn(4, 3, 5)
    layer = choose("layers", written)
    assert isinstance(layer, Layer)
    torch.testing.assert_close(layer.build((3, 5)).train()(x), formula(x))
