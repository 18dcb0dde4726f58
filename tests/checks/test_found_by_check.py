"""What once passed `check` and stopped the training: `check` has the facts, so `check` refuses it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from hypothesis import given
from strategies import components, draws, takes

from dlrun.checks.check import check
from dlrun.components.layers import Container
from dlrun.errors import SpecError
from dlrun.language.kinds import find, kinds
from dlrun.views.reference.reference import describe_kind
from tests.networks import checked, train

SPEC = """
    data: {source: {npz: rows.npz}, features: x, target: y, split: {validation: 0.2, test: 0.2}}
    model: {layers: [linear: 3, linear: 1]}
    loss: mse
    optimizer: adam
    train: {epochs: 2}
"""


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    draw = np.random.default_rng(0)
    few = np.array([0] * 28 + [1] * 2)
    np.savez(
        tmp_path / "rows.npz",
        x=draw.normal(size=(30, 4)),
        y=draw.normal(size=30),
        few=few,
        words=np.arange(30 * 4).reshape(30, 4) % 9,
    )
    return tmp_path


@pytest.mark.parametrize(
    "override",
    [
        "optimizer={adam: {lr: 1e300}}",
        "optimizer={sgd: {lr: 1e39}}",
        "optimizer={adam: {betas: [0.9, 0.99], eps: 1e300}}",
        "model.layers=[linear: 4, layer_norm: {eps: 1e300}, linear: 1]",
        "model.layers=[linear: 4, hardtanh: {min_val: -1e300, max_val: 1}, linear: 1]",
        "model.layers=[linear: {out_features: 4, init: {kaiming_normal: {a: 1e300}}}, linear: 1]",
        "model.init={normal: {std: 1e300}}",
        "regularizers=[l2: 1e300]",
    ],
)
def test_no_setting_is_beyond_float32(rows: Path, override: str) -> None:
    with pytest.raises(SpecError, match="beyond float32"):
        checked(rows, SPEC, override)


@pytest.mark.parametrize(
    ("override", "setting"),
    [
        ("optimizer={adam: {betas: [0.9, 1e-80]}}", "betas"),
        ("optimizer={adam: {eps: 1e-300}}", "eps"),
        ("model.layers=[linear: 4, layer_norm: {eps: 1e-300}, linear: 1]", "eps"),
        ("model.init={normal: {std: 1e-50}}", "std"),
        ("regularizers=[l2: 1e-60]", "coefficient"),
    ],
)
def test_no_setting_is_rounded_to_0(rows: Path, override: str, setting: str) -> None:
    with pytest.raises(SpecError, match=f"{setting} = .* is 0 in float32") as caught:
        checked(rows, SPEC, override)
    assert all(problem.place is not None for problem in caught.value.problems)


def test_a_rate_that_grows_beyond_float32_is_refused(rows: Path) -> None:
    for schedule, epochs in (("{exponential: 1e30}", 2), ("{exponential: 10}", 400)):
        with pytest.raises(SpecError, match="the learning rate grows beyond float32"):
            checked(rows, SPEC, f"schedule={schedule}", f"train.epochs={epochs}")
    checked(rows, SPEC, "schedule={exponential: 1.1}")


def test_stratify_needs_a_row_of_each_class_for_each_split(rows: Path) -> None:
    text = SPEC.replace("target: y", "target: few").replace("test: 0.2", "test: 0.2, stratify: true")
    with pytest.raises(SpecError, match="class '1' has 2 rows, too few to be in each of train, validation, test"):
        checked(rows, text, "loss=binary_cross_entropy")


def _weights(rows: Path) -> tuple[Path, dict[str, torch.Tensor]]:
    tensors = {"linear_1.weight": torch.ones(3, 4), "linear_1.bias": torch.ones(3)}
    tensors |= {"linear_2.weight": torch.ones(1, 3), "linear_2.bias": torch.ones(1)}
    safetensors.torch.save_file(tensors, rows / "w.safetensors")
    return rows / "w.safetensors", tensors


def test_a_whole_file_of_weights_is_taken(rows: Path) -> None:
    _weights(rows)
    checked(rows, SPEC, "model.weights=w.safetensors")


@pytest.mark.parametrize("cut", [1, 4, 40])
def test_a_truncated_file_of_weights_is_refused(rows: Path, cut: int) -> None:
    file, _ = _weights(rows)
    file.write_bytes(file.read_bytes()[:-cut])
    with pytest.raises(SpecError, match="is cut off"):
        checked(rows, SPEC, "model.weights=w.safetensors")


def test_more_bytes_than_the_header_says_are_refused(rows: Path) -> None:
    file, _ = _weights(rows)
    file.write_bytes(file.read_bytes() + b"12")
    with pytest.raises(SpecError, match="is damaged"):
        checked(rows, SPEC, "model.weights=w.safetensors")


def test_complex_weights_are_refused(rows: Path) -> None:
    file, tensors = _weights(rows)
    safetensors.torch.save_file({**tensors, "linear_1.weight": torch.ones(3, 4, dtype=torch.complex64)}, file)
    with pytest.raises(SpecError, match="of the type C64"):
        checked(rows, SPEC, "model.weights=w.safetensors")


@pytest.mark.parametrize(
    "change",
    [
        {"data_offsets": [4, 52]},
        {"data_offsets": [0, 3]},
        {"data_offsets": [0]},
        {"shape": [3, -4]},
        {"shape": "x"},
        {"dtype": 3},
        {"dtype": "F64"},
        {"shape": [3.0, 4]},
    ],
)
def test_a_header_that_contradicts_itself_is_refused(rows: Path, change: dict[str, object]) -> None:
    file, _ = _weights(rows)
    content = file.read_bytes()
    size = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + size])
    header["linear_1.weight"] |= change
    text = json.dumps(header).encode()
    file.write_bytes(len(text).to_bytes(8, "little") + text + content[8 + size :])
    with pytest.raises(SpecError, match=r"w\.safetensors"):
        checked(rows, SPEC, "model.weights=w.safetensors")


ALONE = [k for k in kinds("layers") if not issubclass(find("layers", k), Container)]


@pytest.mark.parametrize("kind", [kind for kind in ALONE if not find("layers", kind).second_inputs])
def test_a_single_number_without_an_axis_is_taken_or_refused(kind: str) -> None:
    @draws(15)
    @given(components("layers", kind))
    def holds(layer) -> None:
        if takes(layer, ()):
            given = torch.zeros(3, dtype=torch.int64) if layer.accepts == "indices" else torch.randn(3)
            assert tuple(layer.build(())(given).shape) == (3, *layer.output_shape(()))

    holds()


def test_a_network_on_a_single_number_trains(rows: Path) -> None:
    train(rows, SPEC, "model.layers=[select: 0, reshape: [1], linear: 1]")


@pytest.mark.parametrize("init", kinds("initializers"))
def test_a_model_wide_init_leaves_weights_that_it_does_not_suit(rows: Path, init: str) -> None:
    example = describe_kind("initializers", init).example
    written = "{normal: {std: 0.1}}" if init == "normal" else f"{{{example}}}" if ":" in example else example
    layers = "[linear: 4, batch_norm, prelu, reshape: [2, 2], gru: 3, maxout: 2, layer_norm, linear: 1]"
    train(rows, SPEC, f"model.init={written}", f"model.layers={layers}")


def test_an_embedding_knows_all_indices_of_the_data(rows: Path) -> None:
    text, size = SPEC.replace("features: x", "features: words"), "embedding_dim: 2"
    few = f"model.layers=[embedding: {{num_embeddings: 8, {size}}}, flatten, linear: 1]"
    with pytest.raises(SpecError, match="the data has the index 8; there are 8, from 0 to 7"):
        checked(rows, text, few)
    checked(rows, text, few.replace("8,", "9,"))


@pytest.mark.parametrize("kind", ["csv", "npz"])
@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.arange(60.0).reshape(30, 2) % 9 + 0.5, "an index is a whole number from 0 on; {place}0.5"),
        (np.arange(60).reshape(30, 2) % 9 - 1, "an index is a whole number from 0 on; {place}-1"),
        (np.arange(60).reshape(30, 2), "the data has the index 59; there are 9, from 0 to 8"),
    ],
)
def test_values_that_an_embedding_does_not_take(kind: str, values: np.ndarray, message: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "rows.npz", x=values, y=np.zeros(30))
    lines = [",".join([*map(str, row), "0"]) for row in values.tolist()]
    (tmp_path / "rows.csv").write_text("\n".join(["a,b,y", *lines]))
    source = "{csv: rows.csv}" if kind == "csv" else "{npz: rows.npz}"
    place = "rows.csv:2: column 'a' is '" if kind == "csv" else "the array 'x' holds "
    (tmp_path / "s.yaml").write_text(
        f"""
        data: {{source: {source}, target: y{", features: x" if kind == "npz" else ""}}}
        model: {{layers: [embedding: {{num_embeddings: COUNT, embedding_dim: 2}}, flatten, linear: 1]}}
        loss: mse
        optimizer: adam
        """
    )
    text = (tmp_path / "s.yaml").read_text()
    (tmp_path / "s.yaml").write_text(text.replace("COUNT", "9"))
    with pytest.raises(SpecError) as raised:
        check(tmp_path / "s.yaml")
    assert str(raised.value).startswith("error: " + message.format(place=place))
    if "{place}" in message:
        (tmp_path / "s.yaml").write_text(text.replace("COUNT", "$vocabulary"))
        with pytest.raises(SpecError, match=r"`\$vocabulary` needs features that are indices.*; " + place):
            check(tmp_path / "s.yaml")
