"""Penalties in a training: on weights, on the outputs of layers and on predictions, beside the loss."""

from __future__ import annotations

from pathlib import Path

import networks
import numpy as np
import pytest
import scipy.special
import torch

from dlrun import train
from dlrun.language.kinds import find, kinds
from dlrun.network.files import load_network
from dlrun.plan.outputs import value_of
from dlrun.training.penalties import OutputPenalty, WeightPenalty
from dlrun.training.speed.capture import can_capture

SPEC = """
data: {source: {npz: rows.npz}, features: x, target: y, split: {validation: 0.25, test: 0}}
model:
  layers:
    - linear: {out_features: 6, name: first}
    - relu: {name: hidden}
    - linear: {out_features: 3, name: last}
loss: cross_entropy
metrics: [accuracy]
optimizer: {sgd: {lr: 0.1}}
train: {epochs: 1, batch_size: full}
"""


@pytest.fixture(autouse=True)
def rows(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    x = random.normal(size=(160, 4)).astype(np.float32)
    indices = random.integers(1, 9, size=(160, 5)) * (np.arange(5) < random.integers(1, 6, size=(160, 1)))
    np.savez(tmp_path / "rows.npz", x=x, y=(x[:, 0] > 0) + (x[:, 1] > 0), yes=x[:, 0] > 0, indices=indices)


def trained(folder: Path, regularizer: str, *overrides: str) -> networks.Trained:
    return networks.train(folder, SPEC, f"regularizers=[{regularizer}]", *overrides)


def outputs_of(done: networks.Trained, layer: str) -> torch.Tensor:
    """What a layer of the network gives for the training rows, with the weights that it has now."""
    task, found = done.ready.task, []
    hook = task.network.get_submodule(layer).register_forward_hook(lambda _module, _given, result: found.append(result))
    task.network(*task.data.train.batch(slice(0, len(task.data.train))).inputs)
    hook.remove()
    return found[0]


def in_first_weights(folder: Path, regularizer: str, *overrides: str) -> networks.Trained:
    """A training of one epoch that leaves the weights as they were."""
    return trained(folder, regularizer, "optimizer.sgd.lr=1e-30", *overrides)


def test_a_penalty_on_a_layers_output_is_its_sum_divided_by_the_rows(tmp_path: Path) -> None:
    done = in_first_weights(tmp_path, "l1: {coefficient: 0.5, output: hidden}")
    hidden = outputs_of(done, "first").relu().detach().numpy()  # one module computes both
    assert done.epochs[0]["train/penalty"] == pytest.approx(0.5 * np.abs(hidden).sum() / len(hidden), rel=1e-5)
    done = in_first_weights(tmp_path, "l2: {coefficient: 0.5, output: first}")
    first = outputs_of(done, "first").detach().numpy()
    assert done.epochs[0]["train/penalty"] == pytest.approx(0.5 * (first**2).sum() / len(first), rel=1e-5)


def test_the_step_follows_the_gradient_of_the_penalty_on_outputs(tmp_path: Path) -> None:
    without, penalized = trained(tmp_path, "l2: 0"), trained(tmp_path, "l2: {coefficient: 0.5, output: first}")
    x = without.ready.task.data.train.batch(slice(0, 120)).inputs[0]
    start = in_first_weights(tmp_path, "l2: 0").ready.network.state_dict()
    first = x @ start["first.weight"].T + start["first.bias"]
    gradient = 2 * 0.5 * first.T @ x / len(x)
    ours, theirs = (done.ready.network.state_dict()["first.weight"] for done in (penalized, without))
    torch.testing.assert_close(ours, theirs - 0.1 * gradient, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("pattern", ["first", "'fi*'", "'f?rst'"])
def test_a_pattern_chooses_layers_as_a_name_does(pattern: str, tmp_path: Path) -> None:
    done = in_first_weights(tmp_path, f"l1: {{coefficient: 1, output: {pattern}}}")
    (penalty,) = done.ready.task.penalties
    assert isinstance(penalty, OutputPenalty)
    assert penalty.steps == [1]


def test_a_layer_that_is_used_twice_is_penalized_at_both_places(tmp_path: Path) -> None:
    layers = "[{linear: {out_features: 4, name: shared}}, {use: shared}, {linear: 3}]"
    done = in_first_weights(tmp_path, "l1: {coefficient: 1, output: shared}", f"model.layers={layers}")
    task = done.ready.task
    x = task.data.train.batch(slice(0, 120)).inputs[0]
    shared = task.network.get_submodule("shared")
    expected = (shared(x).abs().sum() + shared(shared(x)).abs().sum()) / len(x)
    assert done.epochs[0]["train/penalty"] == pytest.approx(expected.item(), rel=1e-5)


def test_a_layer_made_of_layers_gives_what_its_last_one_gives(tmp_path: Path) -> None:
    layers = "[{sequential: {name: body, layers: [{linear: 5}, tanh]}}, {linear: 3}]"
    whole = in_first_weights(tmp_path, "l1: {coefficient: 1, output: body}", f"model.layers={layers}")
    last = in_first_weights(tmp_path, "l1: {coefficient: 1, output: body.tanh_1}", f"model.layers={layers}")
    assert whole.epochs[0]["train/penalty"] == last.epochs[0]["train/penalty"] > 0


def test_padding_does_not_count(tmp_path: Path) -> None:
    embedding = "{embedding: {num_embeddings: 9, embedding_dim: 3, padding_idx: 0}}"
    layers = f"[{embedding}, {{linear: {{out_features: 2, name: steps}}}}, {{select: -1}}, {{linear: 3}}]"
    changes = ("data.features=indices", f"model.layers={layers}")
    done = in_first_weights(tmp_path, "l1: {coefficient: 1, output: steps}", *changes)
    steps = outputs_of(done, "steps").detach()
    real = done.ready.task.data.train.batch(slice(0, len(steps))).inputs[0] != 0
    assert not real.all()
    expected = steps.abs().sum(-1)[real].sum() / len(steps)
    assert done.epochs[0]["train/penalty"] == pytest.approx(expected.item(), rel=1e-5)


def test_the_entropy_is_that_of_the_predictions(tmp_path: Path) -> None:
    done = in_first_weights(tmp_path, "entropy: 0.5")
    p = scipy.special.softmax(outputs_of(done, "last").detach().numpy(), axis=1)
    expected = -0.5 * scipy.special.entr(p).sum(axis=1).mean()
    assert done.epochs[0]["train/penalty"] == pytest.approx(expected, rel=1e-5)


def test_the_entropy_of_a_yes_or_no_comes_from_the_logits_under_a_sigmoid(tmp_path: Path) -> None:
    layers = "[{linear: {out_features: 1, name: last}}, sigmoid]"
    changes = ("data.target=yes", "loss=binary_cross_entropy", f"model.layers={layers}")
    done = in_first_weights(tmp_path, "entropy: 0.5", *changes)
    p = scipy.special.expit(outputs_of(done, "last").detach().numpy())
    expected = -0.5 * (scipy.special.entr(p) + scipy.special.entr(1 - p)).mean()
    assert done.epochs[0]["train/penalty"] == pytest.approx(expected, rel=1e-5)


POSITIONS = ("data.features=steps", "data.target=words", "model.layers=[{linear: {out_features: 3, name: last}}]")


@pytest.fixture
def positions(tmp_path: Path) -> None:
    random = np.random.default_rng(2)
    words = random.choice(["p", "q", "r"], size=(160, 5))
    np.savez(tmp_path / "rows.npz", steps=random.normal(size=(160, 5, 4)).astype(np.float32), words=words)


@pytest.mark.usefixtures("positions")
def test_the_entropy_leaves_out_positions_that_do_not_count_in_the_loss(tmp_path: Path) -> None:
    for loss in ("cross_entropy", "{cross_entropy: {ignore_index: r}}"):
        done = in_first_weights(tmp_path, "entropy: 0.5", *POSITIONS, f"loss={loss}")
        p = scipy.special.softmax(outputs_of(done, "last").detach().numpy(), axis=-1)
        entropy = scipy.special.entr(p).sum(axis=-1)
        classes = done.ready.task.data.train.batch(slice(None)).targets["target"].numpy()
        assert (classes >= 0).all() == (loss == "cross_entropy")
        assert done.epochs[0]["train/penalty"] == pytest.approx(-0.5 * entropy[classes >= 0].mean(), rel=1e-5)


@pytest.mark.usefixtures("positions")
@pytest.mark.skipif(not can_capture(), reason="this Python's torch cannot capture a step")
def test_a_captured_training_with_positions_that_do_not_count_has_the_bits_of_one_that_was_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = ("train.epochs=6", "train.batch_size=32", "regularizers=[entropy: 0.1]")
    changes += (*POSITIONS, "loss={cross_entropy: {ignore_index: r}}")
    codes = networks.two_ways(tmp_path, SPEC, monkeypatch, *changes)
    assert codes and all(code is not None for code in codes)


def test_predictions_that_pay_for_being_sure_are_less_sure(tmp_path: Path) -> None:
    def sure(coefficient: float) -> float:
        done = trained(tmp_path, f"entropy: {coefficient}", "train.epochs=200")
        return outputs_of(done, "last").softmax(1).max(1).values.mean().item()

    assert sure(1.0) < sure(0.0) - 0.1


def test_an_output_that_is_penalized_changes_no_bit_of_what_is_measured(tmp_path: Path) -> None:
    plain, penalized = trained(tmp_path, "l2: 0"), trained(tmp_path, "l2: {coefficient: 0, output: '*'}")
    for epoch in (plain.epochs[0], penalized.epochs[0]):
        del epoch["time/epoch"]
    assert plain.epochs == penalized.epochs


def test_transposed_kernels_are_read_by_output_channel(tmp_path: Path) -> None:
    settings = "{out_channels: 6, kernel_size: 2, groups: 2, name: up}"
    layers = f"[{{reshape: [4, 1]}}, {{conv_transpose1d: {settings}}}, flatten, {{linear: 3}}]"
    done = in_first_weights(tmp_path, "group_lasso: {coefficient: 1, weights: up}", f"model.layers={layers}")
    kernel = done.ready.network.state_dict()["up.weight"].numpy()  # (in, out / groups, size)
    groups = [kernel[start : start + 2, unit] for start in (0, 2) for unit in range(3)]
    expected = sum(np.sqrt(group.size) * np.sqrt((group**2).sum()) for group in groups)
    assert done.epochs[0]["train/penalty"] == pytest.approx(expected, rel=1e-5)


def test_recurrent_weights_alone_are_chosen_by_a_pattern(tmp_path: Path) -> None:
    layers = "[{reshape: [2, 2]}, {lstm: 3}, {linear: 3}]"
    done = in_first_weights(tmp_path, "l2: {coefficient: 1, weights: '*.weight_hh*'}", f"model.layers={layers}")
    (penalty,) = done.ready.task.penalties
    assert isinstance(penalty, WeightPenalty)
    held = done.ready.network.state_dict(keep_vars=True)
    assert [weight for _, weight in penalty.weights] == [held["lstm_1.weight_hh_l0"]]


def test_the_saved_network_gives_its_outputs_alone(tmp_path: Path) -> None:
    (tmp_path / "spec.yaml").write_text(SPEC + "tracking: off\nbaselines: off\n")
    change = "regularizers=[l1: {coefficient: 0.1, output: hidden}]"
    run = train(tmp_path / "spec.yaml", change, runs=tmp_path / "runs")
    assert load_network(run.folder)(torch.zeros(2, 4)).shape == (2, 3)


REGULARIZERS = [
    *(f"{{{kind}: 0.01}}" for kind in kinds("regularizers")),
    *(
        f"{{{kind}: {{coefficient: 0.01, output: hidden}}}}"
        for kind in kinds("regularizers")
        if "layer_outputs" in dir(find("regularizers", kind)) and "output" in find("regularizers", kind).model_fields
    ),
]


@pytest.mark.skipif(not can_capture(), reason="this Python's torch cannot capture a step")
@pytest.mark.parametrize("regularizer", REGULARIZERS)
def test_a_captured_training_with_a_penalty_has_the_bits_of_one_that_was_not(
    regularizer: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = ("train.epochs=6", "train.batch_size=32", f"regularizers=[{regularizer}]")
    codes = networks.two_ways(tmp_path, SPEC, monkeypatch, *changes)
    assert codes and all(code is not None for code in codes)


def test_a_value_that_a_training_adds_is_no_output_of_a_spec() -> None:
    assert "/" in value_of(3)
