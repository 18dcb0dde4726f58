"""A last layer whose outputs cannot say what the loss asks for, of any kind."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from networks import checked

from dlrun.errors import SpecError
from dlrun.training.lifecycle.setup import prepare_training


def spec(last: str, loss: str, target: str, out: int = 1, rest: str = "") -> str:
    return f"""
        data: {{source: {{npz: rows.npz}}, features: x, target: {target}}}
        model: {{layers: [linear: 8, relu, linear: {out}, {last}]}}
        loss: {loss}
        optimizer: adam
        {rest}
    """


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    draw = np.random.default_rng(0)
    values = {"x": draw.normal(size=(90, 3)), "two": np.arange(90) % 2, "three": np.arange(90) % 3}
    values |= {"y": draw.normal(size=90), "counts": draw.poisson(3.0, 90).astype(float), "shares": draw.random(90)}
    np.savez(tmp_path / "rows.npz", **values)
    return tmp_path


@pytest.mark.parametrize(
    ("last", "words"),
    [
        ("relu", "relu, whose outputs are never negative"),
        ("relu6", "relu6, whose outputs lie between 0 and 6"),
        ("softplus", "softplus, whose outputs are never negative"),
        ("abs", "abs, whose outputs are never negative"),
        ("tanh", "tanh, whose outputs lie between -1 and 1"),
        ("hardtanh", "hardtanh, whose outputs lie between -1 and 1"),
        ("scaled_tanh", "scaled_tanh, whose outputs lie between -1.7159 and 1.7159"),
        ("softsign", "softsign, whose outputs lie between -1 and 1"),
        ("arctan", "arctan, whose outputs lie between"),
        ("elu", "elu, whose outputs are never below -1"),
        ("gelu", "gelu, whose outputs are never below"),
        ("relu, dropout: 0.2", "relu, whose outputs are never negative"),
        ("relu, reshape: [1, 1], flatten", "relu, whose outputs are never negative"),
        ("sigmoid, dropout: 0.2", "dropout, whose outputs lie between 0 and 1.25"),
        ("relu, sigmoid", "sigmoid, whose outputs lie between 0.5 and 1"),
    ],
)
def test_binary_cross_entropy_needs_probabilities_near_0_and_1(rows: Path, last: str, words: str) -> None:
    with pytest.raises(SpecError, match=words) as error:
        checked(rows, spec(last, "binary_cross_entropy", "two"))
    assert error.value.problems[0].as_data()["path"] == "loss"


@pytest.mark.parametrize(
    "last", ["sigmoid", "hardsigmoid", "identity", "leaky_relu", "hardtanh: {min_val: -9, max_val: 9}"]
)
def test_a_last_layer_that_reaches_both_ends_is_right(rows: Path, last: str) -> None:
    kept = last if last != "identity" else "reshape: [1]"
    assert not checked(rows, spec(kept, "binary_cross_entropy", "two")).notes or "hardtanh" in last


@pytest.mark.parametrize("last", ["tanh", "hardtanh", "softsign"])
def test_cross_entropy_needs_a_probability_near_1(rows: Path, last: str) -> None:
    with pytest.raises(SpecError, match="cross_entropy gets probabilities from"):
        checked(rows, spec(last, "cross_entropy", "three", 3))


@pytest.mark.parametrize("last", ["relu", "relu6", "softplus", "abs", "elu"])
def test_logits_that_are_limited_on_one_side_are_noted(rows: Path, last: str) -> None:
    (note,) = checked(rows, spec(last, "cross_entropy", "three", 3)).notes
    assert note.note == "limited_logits"
    assert not checked(rows, spec(last, "cross_entropy", "three", 3, "allow: [limited_logits]")).notes


@pytest.mark.parametrize(("loss", "target", "out"), [("mse", "y", 1), ("cross_entropy", "three", 3)])
@pytest.mark.parametrize("last", ["dropout: 0.1", "alpha_dropout: 0.1", "gaussian_noise: 0.1", "dropout: 0.1, flatten"])
def test_random_outputs_are_noted(rows: Path, last: str, loss: str, target: str, out: int) -> None:
    (note,) = checked(rows, spec(last, loss, target, out)).notes
    assert note.note == "random_output"


@pytest.mark.parametrize(
    ("last", "target", "fits"),
    [
        ("relu", "y", False),
        ("tanh", "y", False),
        ("sigmoid", "y", False),
        ("softplus", "counts", True),
        ("relu", "counts", True),
        ("tanh", "counts", False),
        ("relu6", "counts", False),
        ("sigmoid", "shares", True),
        ("hardtanh", "shares", True),
        ("leaky_relu", "y", True),
        ("scaled_tanh: {amplitude: 30, slope: 1}", "counts", True),
    ],
)
@pytest.mark.parametrize("loss", ["mse", "l1"])
def test_the_numbers_to_predict_lie_in_the_range_of_the_outputs(
    rows: Path, last: str, target: str, fits: bool, loss: str
) -> None:
    ready = checked(rows, spec(last, loss, target))
    if fits:
        prepare_training(ready)
    else:
        with pytest.raises(SpecError, match="of the target in the training rows lie outside") as error:
            prepare_training(ready)
        assert error.value.problems[0].as_data()["path"] == "loss"


def test_an_autoencoder_gives_back_what_it_can_reach(rows: Path) -> None:
    text = spec("sigmoid", "{mse: {target: input}}", "y", 3)
    with pytest.raises(SpecError, match="of the inputs in the training rows lie outside"):
        prepare_training(checked(rows, text))
    prepare_training(checked(rows, text, "data.preprocess=[minmax]"))


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        ("layer_norm", "minus its mean is always 0"),
        ("rms_norm", "always 1 or -1"),
        ("softmax", "always the same"),
        ("log_softmax", "always the same"),
        ("softmin", "always the same"),
        ("group_norm: 1", "always 0"),
        ("reshape: [1, 1], instance_norm", "always 0"),
    ],
)
def test_a_layer_whose_output_is_always_the_same_is_refused(rows: Path, layer: str, words: str) -> None:
    with pytest.raises(SpecError, match=words):
        checked(rows, spec(f"{layer}, linear: 1", "mse", "y"))


@pytest.mark.parametrize(
    ("layers", "words"),
    [
        ("reshape: [8, 1], {transformer_encoder_layer: {nhead: 1, dim_feedforward: 4}}", "a single one minus"),
        ("log_sigmoid, relu", "relu are always 0, since its inputs are never positive"),
        ("abs, {hardtanh: {min_val: -2, max_val: -1}}", "hardtanh are always -1"),
        ("{reshape: {name: m, shape: [1, 8]}}, {cross_attention: {num_heads: 1, memory: m}}", "a single step"),
    ],
)
def test_a_layer_that_lets_nothing_through_is_refused(rows: Path, layers: str, words: str) -> None:
    with pytest.raises(SpecError, match=words):
        checked(rows, spec("reshape: [1]", "mse", "y").replace("relu, linear: 1", f"{layers}, flatten, linear: 1"))


@pytest.mark.parametrize(
    ("layers", "note"),
    [
        ("group_norm: 4", "norm_of_two"),
        ("linear: 2, layer_norm", "norm_of_two"),
        ("reshape: [4, 2], instance_norm, flatten", "norm_of_two"),
        ("reshape: [1, 8], lstm: 4", "one_step"),
        ("reshape: [1, 8], {multihead_attention: {num_heads: 2}}, flatten", "one_step"),
        ("reshape: [1, 8], scaled_dot_product_attention, flatten", "one_step"),
        ("reshape: [2, 4], lstm: 4", ""),
        ("group_norm: 2, layer_norm", ""),
    ],
)
def test_a_layer_of_little_use_is_noted(rows: Path, layers: str, note: str) -> None:
    notes = checked(rows, spec("reshape: [1]", "mse", "y").replace("relu, linear: 1", f"{layers}, linear: 1")).notes
    assert [one.note for one in notes] == [note] * bool(note)


@pytest.mark.parametrize("last", ["softmax", "softmin", "layer_norm: {elementwise_affine: false}"])
def test_outputs_with_a_fixed_sum_need_such_numbers_to_predict(rows: Path, last: str) -> None:
    draw = np.random.default_rng(0)
    free = draw.random((90, 3)) * 0.5
    fixed = free / free.sum(1, keepdims=True) if last.startswith("soft") else free - free.mean(1, keepdims=True)
    np.savez(rows / "rows.npz", x=draw.normal(size=(90, 3)), free=free, fixed=fixed)
    prepare_training(checked(rows, spec(last, "mse", "fixed", 3)))
    with pytest.raises(SpecError, match="whose outputs sum to"):
        prepare_training(checked(rows, spec(last, "mse", "free", 3)))
