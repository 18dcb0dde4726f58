"""The published networks under specs/nets/: their counts, their costs, and the output shape of every stage.

Where a number comes from stands beside it. "torchvision" are the counts that torchvision documents with its models,
"Keras" those of keras.applications, which the last test computes anew where Keras is installed.
"""

from __future__ import annotations

import itertools
import math
import os
from collections import Counter
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import pytest
import torch
from places import NETS

from dlrun.checks.check import check, check_model
from dlrun.network.build import build
from dlrun.plan.network import Plan
from dlrun.plan.steps import Step
from dlrun.shapes import numel

MODELINE = "# yaml-language-server: $schema=../../docs/schema.json"

Shape = tuple[int, ...]


def recurrent(gates: int, inputs: int, states: int) -> int:
    """A recurrent layer with one bias a gate: gates * n * (m + n + 1) for n states on m inputs."""
    return gates * states * (inputs + states + 1)


def dense(*sizes: int) -> int:
    """Linear layers one after another: m*n + n for each step from m to n numbers."""
    return sum(m * n + n for m, n in itertools.pairwise(sizes))


def convolution(inputs: int, outputs: int, *kernel: int) -> int:
    """A convolution with biases."""
    return inputs * outputs * math.prod(kernel) + outputs


def unet(classes: int) -> int:
    """Figure 1 of Ronneberger and others: two 3x3 convolutions a level; 2x2 up-convolutions halve the channels."""
    widths = [64, 128, 256, 512, 1024]
    down = sum(convolution(m, n, 3, 3) + convolution(n, n, 3, 3) for m, n in zip([1, *widths], widths, strict=False))
    up = sum(convolution(2 * n, n, 2, 2) + convolution(2 * n, n, 3, 3) + convolution(n, n, 3, 3) for n in widths[:-1])
    return down + up + convolution(64, classes, 1, 1)


COUNTS = {
    "lenet5": 61_706,  # C1 156, C3 16*(6*25 + 1), C5 48,120, F6 10,164 (the paper's figures), output 850
    "alexnet": 60_965_224,  # Caffe's bvlc_alexnet
    "alexnet_torchvision": 61_100_840,  # torchvision
    "vgg_a": 132_863_336,  # torchvision's vgg11; the paper's table 2 has all in millions: 133, 133, 134, 138, 144
    "vgg_a_lrn": 132_863_336,  # a normalization without weights
    "vgg_b": 133_047_848,  # torchvision's vgg13
    "vgg_c": 133_047_848 + (256 * 257 + 2 * 512 * 513),  # B and three 1x1 convolutions
    "vgg_d": 138_357_544,  # torchvision's vgg16
    "vgg_e": 143_667_240,  # torchvision's vgg19
    "resnet18": 11_689_512,  # torchvision, as the four below
    "resnet34": 21_797_672,
    "resnet50": 25_557_032,
    "resnet50_torchvision": 25_557_032,
    "resnet101": 44_549_160,
    "resnet152": 60_192_808,
    "googlenet": 6_998_552,  # Caffe's bvlc_googlenet without the auxiliary classifiers
    "inception_v3": 23_817_352,  # Keras
    "mobilenet_v1": 4_231_976,  # Keras
    "xception": 22_855_952,  # Keras
    "unet": unet(classes=2),
    # Kim, 2014: 18,765 words of 300 numbers; 100 filters over 3, 4 and 5 words; two classes
    "text_cnn": 18_765 * 300 + sum(convolution(300, 100, width) for width in (3, 4, 5)) + dense(300, 2),
    "char_lstm": 65 * 256 + recurrent(4, 256, 512) + dense(512, 65),
    "bidirectional_lstm": 2_757_761,  # the summary in Keras' example "Bidirectional LSTM on IMDB"
    "gru_classifier": 20_000 * 128 + recurrent(3, 128, 64) + dense(64, 1),
    "autoencoder": dense(784, 1000, 500, 250, 30, 250, 500, 1000, 784),
    # Hugging Face's BertModel on the published checkpoint, with the pooler and without the heads of the pre-training;
    # Devlin and others, 2019, say 110 M
    "bert_base": 109_482_240,
    "conv_autoencoder": 28_353,  # the summary in Keras' example "Convolutional autoencoder for image denoising"
}

WITH_STATISTICS = {"inception_v3": 23_851_784, "mobilenet_v1": 4_253_864, "xception": 22_910_480}  # Keras

MULTIPLY_ADDS = {  # in millions, and how exactly the source says it
    "alexnet": (720, 10),  # Howard and others, 2017, table 9
    "vgg_d": (15_300, 200),  # the same, table 8
    "vgg_e": (19_600, 50),  # He and others, 2015, figure 3; below, their table 1
    "resnet18": (1_800, 100),
    "resnet34": (3_600, 100),
    "resnet50": (3_800, 100),
    "resnet101": (7_600, 100),
    "resnet152": (11_300, 100),
    "googlenet": (1_550, 50),  # Howard and others, 2017, table 8; Szegedy and others say 1.5 billion
    "mobilenet_v1": (569, 0.5),  # Howard and others, 2017, table 4
}

VGG: dict[str, Shape] = {  # Simonyan and Zisserman, table 1: 224 pixels, halved after each stage
    "flatten_1": (512 * 7 * 7,),
    "hidden_1": (4096,),
    "hidden_2": (4096,),
    "linear_1": (1000,),
}
VGG_STAGES = [(64, 112, 112), (128, 56, 56), (256, 28, 28), (512, 14, 14), (512, 7, 7)]


def resnet(expansion: int) -> dict[str, Shape]:
    """Table 1 of He and others: the output size of every stage."""
    return {
        "conv1": (64, 112, 112),
        "max_pool2d_1": (64, 56, 56),
        "conv2_x": (64 * expansion, 56, 56),
        "conv3_x": (128 * expansion, 28, 28),
        "conv4_x": (256 * expansion, 14, 14),
        "conv5_x": (512 * expansion, 7, 7),
        "global_avg_pool_1": (512 * expansion,),
        "linear_1": (1000,),
    }


STAGES: dict[str, dict[str, Shape]] = {
    "lenet5": {  # figure 2
        "C1": (6, 28, 28),
        "S2": (6, 14, 14),
        "C3": (16, 10, 10),
        "S4": (16, 5, 5),
        "C5": (120, 1, 1),
        "F6": (84,),
        "output": (10,),
    },
    "alexnet": {  # figure 2, which has half the channels on each GPU; and section 3.5
        "conv2d_1": (96, 55, 55),
        "pool_1": (96, 27, 27),
        "conv_1": (256, 27, 27),
        "pool_2": (256, 13, 13),
        "conv_2": (384, 13, 13),
        "conv_3": (384, 13, 13),
        "conv_4": (256, 13, 13),
        "pool_3": (256, 6, 6),
        "hidden_1": (4096,),
        "hidden_2": (4096,),
        "linear_1": (1000,),
    },
    "alexnet_torchvision": {
        "conv2d_1": (64, 55, 55),
        "pool_1": (64, 27, 27),
        "conv_1": (192, 27, 27),
        "pool_2": (192, 13, 13),
        "conv_2": (384, 13, 13),
        "conv_3": (256, 13, 13),
        "conv_4": (256, 13, 13),
        "pool_3": (256, 6, 6),
        "flatten_1": (9216,),
        "linear_1": (1000,),
    },
    **{
        f"vgg_{column}": {f"stage_{i}": shape for i, shape in enumerate(VGG_STAGES, 1)} | VGG
        for column in ("a", "b", "d", "e")
    },
    "vgg_a_lrn": {"max_pool2d_1": VGG_STAGES[0]} | {f"stage_{i}": s for i, s in enumerate(VGG_STAGES[1:], 1)} | VGG,
    "vgg_c": {f"stage_{i}": shape for i, shape in enumerate(VGG_STAGES[:2], 1)}
    | {f"deep_stage_{i}": shape for i, shape in enumerate(VGG_STAGES[2:], 1)}
    | VGG,
    **{f"resnet{depth}": resnet(expansion=1) for depth in (18, 34)},
    **{f"resnet{depth}": resnet(expansion=4) for depth in ("50", "50_torchvision", "101", "152")},
    "googlenet": {  # table 1
        "conv2d_1": (64, 112, 112),
        "pool_1": (64, 56, 56),
        "conv_2": (192, 56, 56),
        "pool_2": (192, 28, 28),
        "inception_3a": (256, 28, 28),
        "inception_3b": (480, 28, 28),
        "pool_3": (480, 14, 14),
        "inception_4a": (512, 14, 14),
        "inception_4b": (512, 14, 14),
        "inception_4c": (512, 14, 14),
        "inception_4d": (528, 14, 14),
        "inception_4e": (832, 14, 14),
        "pool_4": (832, 7, 7),
        "inception_5a": (832, 7, 7),
        "inception_5b": (1024, 7, 7),
        "avg_pool2d_1": (1024, 1, 1),
        "linear_1": (1000,),
    },
    "inception_v3": {  # the comments in keras.applications.inception_v3; its table 1 has the same sizes
        "conv1": (32, 149, 149),
        "conv2": (32, 147, 147),
        "conv3": (64, 147, 147),
        "pool1": (64, 73, 73),
        "conv4": (80, 73, 73),
        "conv5": (192, 71, 71),
        "pool2": (192, 35, 35),
        "mixed0": (256, 35, 35),
        "mixed1": (288, 35, 35),
        "mixed2": (288, 35, 35),
        "mixed3": (768, 17, 17),
        "mixed4": (768, 17, 17),
        "mixed5": (768, 17, 17),
        "mixed6": (768, 17, 17),
        "mixed7": (768, 17, 17),
        "mixed8": (1280, 8, 8),
        "mixed9": (2048, 8, 8),
        "mixed10": (2048, 8, 8),
        "linear_1": (1000,),
    },
    "xception": {  # figure 5: 299x299x3 images, 19x19x728 feature maps; the others are Keras'
        "conv1": (32, 149, 149),
        "conv2": (64, 147, 147),
        "entry1": (128, 74, 74),
        "entry2": (256, 37, 37),
        "entry3": (728, 19, 19),
        **{f"middle.{i}": (728, 19, 19) for i in range(8)},
        "exit": (1024, 10, 10),
        "conv3": (1536, 10, 10),
        "conv4": (2048, 10, 10),
        "linear_1": (1000,),
    },
    "unet": {  # figure 1
        "down1": (64, 568, 568),
        "max_pool2d_1": (64, 284, 284),
        "down2": (128, 280, 280),
        "max_pool2d_2": (128, 140, 140),
        "down3": (256, 136, 136),
        "max_pool2d_3": (256, 68, 68),
        "down4": (512, 64, 64),
        "max_pool2d_4": (512, 32, 32),
        "bottom": (1024, 28, 28),
        "concat_1": (1024, 56, 56),
        "up4": (512, 52, 52),
        "concat_2": (512, 104, 104),
        "up3": (256, 100, 100),
        "concat_3": (256, 200, 200),
        "up2": (128, 196, 196),
        "concat_4": (128, 392, 392),
        "up1": (64, 388, 388),
        "conv2d_1": (2, 388, 388),
    },
    "text_cnn": {  # section 2: a sentence of n words has n - h + 1 windows of h words
        "embedding_1": (56, 300),
        "concat_1.filters_1.conv1d_1": (100, 56 - 3 + 1),
        "concat_1.filters_2.conv1d_1": (100, 56 - 4 + 1),
        "concat_1.filters_3.conv1d_1": (100, 56 - 5 + 1),
        "concat_1": (300,),
        "linear_1": (2,),
    },
    "char_lstm": {"embedding_1": (100, 256), "lstm_1": (100, 512), "linear_1": (100, 65)},
    "bidirectional_lstm": {"embedding_1": (200, 128), "lstm_1": (200, 128), "lstm_2": (128,), "linear_1": (1,)},
    "gru_classifier": {"embedding_1": (200, 128), "gru_1": (64,), "linear_1": (1,)},
    "autoencoder": {
        "logistic_1": (1000,),
        "logistic_2": (500,),
        "logistic_3": (250,),
        "bottleneck": (30,),
        "logistic_4": (250,),
        "logistic_5": (500,),
        "logistic_6": (1000,),
        "logistic_7": (784,),
    },
    "conv_autoencoder": {  # the summary in Keras' example
        "repeat_1.0": (32, 14, 14),
        "repeat_1.1": (32, 7, 7),
        "repeat_2.0": (32, 14, 14),
        "repeat_2.1": (32, 28, 28),
        "conv2d_1": (1, 28, 28),
    },
}
STAGES["bert_base"] = {  # Devlin and others, 2019, section 3: 12 layers, 768 wide; 512 positions as published
    "add_1": (512, 768),
    **{f"repeat_1.{i}": (512, 768) for i in range(12)},
    "select_1": (768,),
    "pooler": (768,),
}
STAGES["mobilenet_v1"] = {"global_avg_pool_1": (1024,), "linear_1": (1000,)}  # every row is in a test below


@cache
def planned(name: str, *overrides: str) -> Plan:
    return check_model(NETS / f"{name}.yaml", overrides)


def inside(plan: Plan, group: str) -> list[Step]:
    """The steps of a layer, or of all the layers in a group."""
    return [step for step in plan.steps if step.name == group or step.name.startswith(f"{group}.")]


def test_every_net_with_a_count_has_stages() -> None:
    assert COUNTS.keys() == STAGES.keys()


@pytest.mark.parametrize("file", sorted(NETS.glob("*.yaml")), ids=lambda file: file.stem)
def test_a_net_tells_the_editor_its_schema_and_the_reader_what_it_is(file: Path) -> None:
    first, second, *rest = file.read_text().splitlines()
    assert first == MODELINE
    assert second.startswith("# ")
    assert all(len(line) <= 120 for line in (second, *rest))


@pytest.mark.parametrize(("name", "count"), COUNTS.items())
def test_a_net_has_its_published_count_of_weights(name: str, count: int) -> None:
    assert planned(name).total == planned(name).trainable == count


@pytest.mark.parametrize(("name", "count"), WITH_STATISTICS.items())
def test_a_net_has_its_published_count_with_the_moving_statistics(name: str, count: int) -> None:
    plan = planned(name)
    statistics = [
        numel(shape)
        for step in plan.steps
        for buffer, shape in step.buffers.items()
        if buffer in ("running_mean", "running_var")  # torch counts the batches besides
    ]
    assert plan.total + sum(statistics) == count


@pytest.mark.parametrize(("name", "published"), MULTIPLY_ADDS.items())
def test_a_net_costs_what_its_paper_says(name: str, published: tuple[float, float]) -> None:
    millions, off = published
    assert planned(name).macs / 1e6 == pytest.approx(millions, abs=off)


@pytest.mark.parametrize(("name", "stages"), STAGES.items())
def test_every_stage_of_a_net_gives_the_published_shape(name: str, stages: dict[str, Shape]) -> None:
    plan = planned(name)
    assert {stage: inside(plan, stage)[-1].output for stage in stages} == stages
    assert next(reversed(stages.values())) == plan.output_shapes["output"]


@pytest.mark.parametrize("name", COUNTS)
def test_torch_agrees_on_a_nets_weights_and_output(name: str) -> None:
    checked = check(NETS / f"{name}.yaml")
    with torch.device("meta"):
        network = build(checked.plan, checked.experiment.need("model"))
        batches = [
            torch.zeros(2, *shape, dtype=torch.int64 if checked.plan.indices[name] else torch.float32)
            for name, shape in checked.plan.input_shapes.items()
        ]
        assert network(*batches).shape == (2, *checked.plan.output_shapes["output"])
    assert sum(parameter.numel() for parameter in network.parameters()) == COUNTS[name]


@pytest.mark.parametrize(("name", "most"), [("resnet50", 45), ("vgg_d", 30)])
def test_a_net_fits_on_a_page(name: str, most: int) -> None:
    text = (NETS / f"{name}.yaml").read_text()
    assert len(text.splitlines()) <= most
    assert "extends" not in text


def test_alexnet_has_the_neurons_that_its_paper_counts() -> None:
    # Section 3.5: 253,440-186,624-64,896-64,896-43,264-4096-4096-1000. Its first is less than the 55*55*96 of its
    # own figure 2; the others are what the figure says.
    steps = [step for step in planned("alexnet").steps if step.weights]
    assert [numel(step.output) for step in steps[1:]] == [186_624, 64_896, 64_896, 43_264, 4096, 4096, 1000]
    assert steps[0].output == (96, 55, 55)


# Szegedy and others, 2014, table 1, column "ops": millions of multiply-adds. Its row 5a, 54, is not that of the widths
# it gives (51.1). Of the column "params", in thousands of 1024, the rows 3a and 3b are those of the widths.
INCEPTIONS = {
    "inception_3a": 128,
    "inception_3b": 304,
    "inception_4a": 73,
    "inception_4b": 88,
    "inception_4c": 100,
    "inception_4d": 119,
    "inception_4e": 170,
    "inception_5b": 71,
}


@pytest.mark.parametrize(("name", "millions"), INCEPTIONS.items())
def test_every_inception_module_of_googlenet_costs_what_its_table_says(name: str, millions: int) -> None:
    steps = inside(planned("googlenet"), name)
    assert sum(step.macs for step in steps) / 1e6 == pytest.approx(millions, abs=0.7)


@pytest.mark.parametrize(("name", "thousands"), [("inception_3a", 159), ("inception_3b", 380)])
def test_an_inception_module_of_googlenet_has_as_many_weights_as_its_table_says(name: str, thousands: int) -> None:
    kernels = [numel(step.weights["weight"]) for step in inside(planned("googlenet"), name) if step.weights]
    assert sum(kernels) / 1024 == pytest.approx(thousands, abs=1)


# Howard and others, 2017, table 1: the filter and the input size of every layer.
MOBILENET = [
    ((32, 3, 3, 3), (3, 224, 224)),
    ((32, 1, 3, 3), (32, 112, 112)),
    ((64, 32, 1, 1), (32, 112, 112)),
    ((64, 1, 3, 3), (64, 112, 112)),
    ((128, 64, 1, 1), (64, 56, 56)),
    ((128, 1, 3, 3), (128, 56, 56)),
    ((128, 128, 1, 1), (128, 56, 56)),
    ((128, 1, 3, 3), (128, 56, 56)),
    ((256, 128, 1, 1), (128, 28, 28)),
    ((256, 1, 3, 3), (256, 28, 28)),
    ((256, 256, 1, 1), (256, 28, 28)),
    ((256, 1, 3, 3), (256, 28, 28)),
    ((512, 256, 1, 1), (256, 14, 14)),
    *5 * [((512, 1, 3, 3), (512, 14, 14)), ((512, 512, 1, 1), (512, 14, 14))],
    ((512, 1, 3, 3), (512, 14, 14)),
    ((1024, 512, 1, 1), (512, 7, 7)),
    ((1024, 1, 3, 3), (1024, 7, 7)),
    ((1024, 1024, 1, 1), (1024, 7, 7)),
    ((1000, 1024), (1024,)),
]


def test_every_row_of_mobilenets_table_1_is_there() -> None:
    plan = planned("mobilenet_v1")
    products = [step for step in plan.steps if step.macs and step.kind != "batch_norm"]
    assert [(step.weights["weight"], step.input_shapes[0]) for step in products] == MOBILENET
    pool = inside(plan, "global_avg_pool_1")[0]
    assert (pool.input_shapes[0], pool.output) == ((1024, 7, 7), (1024,))


def test_mobilenets_multiply_adds_and_weights_lie_where_its_table_2_says() -> None:
    shares = {"1x1": [0, 0], "depthwise": [0, 0], "3x3": [0, 0], "linear": [0, 0]}
    for step in planned("mobilenet_v1").steps:
        weight = step.weights.get("weight", ())
        if step.kind == "batch_norm" or not weight:
            continue
        one = weight[2:] == (1, 1)
        row = "linear" if len(weight) == 2 else "1x1" if one else "depthwise" if weight[1] == 1 else "3x3"
        shares[row][0] += step.macs
        shares[row][1] += numel(weight)
    costs, weights = (sum(column) for column in zip(*shares.values(), strict=True))
    percent = {row: (round(100 * a / costs, 2), round(100 * b / weights, 2)) for row, (a, b) in shares.items()}
    # For the 3x3 convolution the table says 1.19 % of the multiply-adds; with the others that would make 99.29 %.
    assert percent == {"1x1": (94.86, 74.59), "depthwise": (3.06, 1.06), "3x3": (1.91, 0.02), "linear": (0.18, 24.33)}


@pytest.mark.parametrize(
    ("overrides", "millions", "weights"),
    [  # tables 6 and 7: width 0.75, 0.5, 0.25; then 192, 160 and 128 pixels
        (("vars.quarters=3",), 325, 2.6),
        (("vars.quarters=2",), 149, 1.3),
        (("vars.quarters=1",), 41, 0.5),
        (("model.input=[3,192,192]",), 418, 4.2),
        (("model.input=[3,160,160]",), 290, 4.2),
        (("model.input=[3,128,128]",), 186, 4.2),
    ],
)
def test_a_thinner_or_smaller_mobilenet_costs_what_its_paper_says(overrides, millions, weights) -> None:
    plan = planned("mobilenet_v1", *overrides)
    assert plan.macs / 1e6 == pytest.approx(millions, abs=1)
    assert plan.total / 1e6 == pytest.approx(weights, abs=0.05)


def counted(outputs: Iterable[tuple[Shape, int]]) -> Counter[tuple[Shape, int]]:
    """The shapes and counts of the layers with weights, whatever their order."""
    return Counter((shape, count) for shape, count in outputs if count)


@pytest.mark.parametrize(
    ("name", "theirs"),
    [
        ("vgg_d", "VGG16"),
        ("vgg_e", "VGG19"),
        ("inception_v3", "InceptionV3"),
        ("mobilenet_v1", "MobileNet"),
        ("xception", "Xception"),
    ],
)
def test_every_layer_is_as_keras_has_it(name: str, theirs: str) -> None:
    os.environ.setdefault("KERAS_BACKEND", "torch")
    keras = pytest.importorskip("keras")
    model = getattr(keras.applications, theirs)(weights=None)
    plan = planned(name)
    ours = counted(
        (step.output, step.params + sum(numel(s) for b, s in step.buffers.items() if b.startswith("running")))
        for step in plan.steps
    )
    layers = [(layer.output.shape[1:], layer.count_params()) for layer in model.layers]
    # Theirs has the channels last; MobileNet's last layer there is a 1x1 convolution.
    turned = [((s[2], s[0], s[1]) if len(s) == 3 and s[:2] != (1, 1) else s[-1:], count) for s, count in layers]
    assert ours == counted(turned)
    assert plan.total == sum(math.prod(weight.shape) for weight in model.trainable_weights)
