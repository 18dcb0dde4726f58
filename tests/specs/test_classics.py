"""The experiments under specs/classics/ and specs/transfer/, and what docs/classics.md says of them.

Both sides of a comparison are trained by the commands of the page. Each conclusion is asserted with room: a factor, or
a distance several times that between two seeds.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from places import CLASSICS, DOCS, SPECS, TRANSFER
from safetensors.numpy import load_file
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import MinMaxScaler, StandardScaler

import dlrun
from dlrun.api import Run
from dlrun.checks.check import check

PAGE = (DOCS / "classics.md").read_text("utf-8")
MODELINE = "# yaml-language-server: $schema=../../docs/schema.json"
FILES = sorted([*CLASSICS.glob("*.yaml"), *TRANSFER.glob("*.yaml")])
Training = Callable[..., Run]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Training:
    """Trains by a command of the page, once, and reads the run."""
    runs = tmp_path_factory.mktemp("classics")

    @cache
    def train(command: str, room: Path = CLASSICS) -> Run:
        assert f"\n    dlrun train specs/{room.name}/{command}\n" in PAGE
        spec, *overrides = shlex.split(command)
        return dlrun.read_run(dlrun.train(room / spec, *overrides, "tracking=off", runs=runs).folder)

    return train


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_classic_checks_without_a_note_and_says_what_one_sees(file: Path) -> None:
    assert check(file, training=True).notes == ()
    first, *others = file.read_text("utf-8").splitlines()
    assert first == MODELINE
    assert all(line.startswith("# ") for line in others[:2])


def test_the_page_trains_every_classic() -> None:
    shown = re.findall(r"^    dlrun train specs/(\w+/\w+\.yaml)", PAGE, re.MULTILINE)
    assert set(shown) == {file.relative_to(SPECS).as_posix() for file in FILES}


def distance_to_scikit_learns(run: Run, C: float) -> float:
    """The largest difference between the weights of the neuron and those of the logistic regression."""
    numbers, benign = load_breast_cancer(return_X_y=True)
    theirs = LogisticRegression(C=C, tol=1e-8, max_iter=1000).fit(StandardScaler().fit_transform(numbers), benign)
    ours = dlrun.load_network(run.info.folder, which="last").state_dict()
    weights = np.append(ours["linear_1.weight"].numpy(), ours["linear_1.bias"].numpy())
    return np.abs(weights - np.append(theirs.coef_, theirs.intercept_)).max()


FEW_STEPS = "logistic_neuron.yaml optimizer=lbfgs train.epochs=30"


@pytest.mark.parametrize(
    ("command", "C"), [("logistic_neuron.yaml", 1), ("logistic_neuron.yaml vars.C=0.01", 0.01), (FEW_STEPS, 1)]
)
def test_one_neuron_is_scikit_learns_logistic_regression(command: str, C: float, trained: Training) -> None:
    assert distance_to_scikit_learns(trained(command), C) < 1e-3


def test_ten_times_as_many_steps_of_gradient_descent_do_not_reach_it(trained: Training) -> None:
    slow = trained("logistic_neuron.yaml train.epochs=300")
    assert distance_to_scikit_learns(slow, 1) > 0.01


def test_a_stronger_penalty_makes_the_weights_of_the_neuron_smaller(trained: Training) -> None:
    weak, strong = (trained(command) for command in ("logistic_neuron.yaml", "logistic_neuron.yaml vars.C=0.01"))
    norms = [
        dlrun.load_network(run.info.folder, which="last").state_dict()["linear_1.weight"].norm()
        for run in (weak, strong)
    ]
    assert norms[1] < norms[0] / 2


def test_a_refit_on_all_labelled_digits_is_right_on_more(trained: Training) -> None:
    refit = trained("early_stopping_refit.yaml")
    search = dlrun.read_run(refit.info.folder.parent)
    errors = [1 - run.metric("test/accuracy")[0] for run in (search, refit)]
    losses = [run.metric("test/loss")[0] for run in (search, refit)]
    assert errors[1] < 0.9 * errors[0]
    assert losses[1] < 0.9 * losses[0]


def test_a_deep_network_of_sigmoids_does_not_learn_and_one_of_relus_does(trained: Training) -> None:
    relu = trained("vanishing_gradients.yaml").metric("validation/accuracy")
    sigmoid = trained("vanishing_gradients.yaml vars.activation=sigmoid").metric("validation/accuracy")
    assert relu[-1] > 0.85
    assert max(sigmoid) < 0.2


VALLEY = {
    "sgd": "ill_conditioned_valley.yaml",
    "momentum": "ill_conditioned_valley.yaml optimizer.sgd.momentum=0.9",
    "rmsprop": "ill_conditioned_valley.yaml 'optimizer={rmsprop: {lr: 0.01}}'",
    "adam": "ill_conditioned_valley.yaml 'optimizer={adam: {lr: 0.01}}'",
    "lbfgs": "ill_conditioned_valley.yaml optimizer=lbfgs",
}


def test_momentum_needs_far_fewer_steps_in_an_ill_conditioned_valley(trained: Training) -> None:
    losses = {name: trained(command).metric("train/loss") for name, command in VALLEY.items()}
    steps = {name: next(step for step, loss in enumerate(of) if loss < 1e-3) for name, of in losses.items()}
    assert steps["sgd"] > 5 * steps["momentum"]
    assert steps["momentum"] > 10 * steps["lbfgs"]
    assert steps["sgd"] > 2 * max(steps["rmsprop"], steps["adam"])
    assert {name for name, of in losses.items() if min(of[-100:]) > 1e-4} == {"rmsprop"}
    assert max(losses[name][-1] for name in losses if name != "rmsprop") < 1e-4


MEAN_IMAGE = 0.0745
"""The loss of a network that gives the mean image for every digit."""
STAY = ["", " optimizer.sgd.lr=1", " optimizer.sgd.lr=10", " optimizer.sgd.momentum=0.9"]
STAY += [" optimizer.sgd.momentum=0.9 optimizer.sgd.lr=1"]
LEAVE = {
    " 'optimizer={adagrad: {lr: 0.03}}'": 0.06,
    " 'optimizer={rmsprop: {lr: 0.003}}'": 0.06,
    " 'optimizer={adam: {lr: 0.01}}'": 0.03,
    " 'optimizer={adamw: {lr: 0.01}}'": 0.03,
}


def test_the_mean_image_has_the_loss_that_the_page_says() -> None:
    digits = MinMaxScaler().fit_transform(load_digits().data)
    assert digits.var(axis=0).mean() == pytest.approx(MEAN_IMAGE, abs=5e-5)
    assert f"The loss is then {MEAN_IMAGE}, the mean variance" in PAGE


@pytest.mark.parametrize("change", STAY)
def test_gradient_descent_stays_on_a_plateau_at_each_rate(change: str, trained: Training) -> None:
    assert min(trained(f"optimizers.yaml{change}").metric("train/loss")) > 0.074


@pytest.mark.parametrize(("change", "loss"), LEAVE.items())
def test_optimizers_that_scale_each_gradient_leave_a_plateau(change: str, loss: float, trained: Training) -> None:
    assert trained(f"optimizers.yaml{change}").metric("train/loss")[-1] < loss


@pytest.mark.parametrize("change", ["vars.dropout=0.5", "'regularizers=[{l2: 1e-3}]'", "'constraints=[{max_norm: 1}]'"])
def test_what_keeps_a_large_network_from_overfitting(change: str, trained: Training) -> None:
    bare, kept = trained("overfitting.yaml"), trained(f"overfitting.yaml {change}")
    losses = bare.metric("validation/loss")
    assert bare.metric("train/accuracy")[-1] == 1
    assert losses[-1] > 2 * min(losses)
    assert kept.metric("validation/loss")[-1] < 0.6 * losses[-1]


def test_with_batch_norm_a_bad_start_does_not_matter(trained: Training) -> None:
    bare, normalized = (trained(f"{name}.yaml") for name in ("bad_start", "bad_start_batch_norm"))
    assert bare.metric("validation/accuracy")[-1] < 0.65
    assert normalized.metric("validation/accuracy")[-1] > 0.85


def test_at_depth_50_a_residual_network_learns_and_a_plain_one_does_not(trained: Training) -> None:
    plans = [check(CLASSICS / f"depth_{name}.yaml").plan for name in ("plain", "residual")]
    assert [sum(step.kind == "linear" for step in plan.steps) for plan in plans] == [50, 50]
    assert plans[0].total == plans[1].total
    assert trained("depth_plain.yaml").metric("train/accuracy")[-1] < 0.5
    assert trained("depth_residual.yaml").metric("validation/accuracy")[-1] > 0.9


def test_balanced_weights_find_more_of_a_rare_class(trained: Training) -> None:
    plain = trained("rare_class.yaml")
    balanced = trained("rare_class.yaml 'loss={cross_entropy: {weight: balanced}}'")
    for rows in ("validation", "test"):
        recall = [run.metric(f"{rows}/recall")[-1] for run in (plain, balanced)]
        assert recall[1] >= 1.5 * recall[0]
        for price in ("precision", "accuracy"):
            assert balanced.metric(f"{rows}/{price}")[-1] < plain.metric(f"{rows}/{price}")[-1] - 0.03


def test_one_wide_layer_comes_near_to_the_sine_everywhere(trained: Training) -> None:
    wide, middle, narrow = (
        trained(f"one_wide_layer.yaml{width}").metric("test/max_error")[0]
        for width in ("", " vars.width=16", " vars.width=2")
    )
    assert narrow > 0.3
    assert middle < narrow / 2
    assert wide < min(0.1, middle)


def test_two_directions_of_lda_are_as_good_as_all_numbers_and_two_of_raw_pca_are_not(trained: Training) -> None:
    changes = {
        "raw": "",
        "lda": " 'data.preprocess=[{lda: 2}]'",
        "pca": " 'data.preprocess=[{pca: 2}]'",
        "scaled": " 'data.preprocess=[standardize, {pca: 2}]'",
    }
    right = {
        name: trained(f"two_directions.yaml{change}").metric("test/accuracy")[0] for name, change in changes.items()
    }
    assert min(right["raw"], right["lda"], right["scaled"]) > 0.9
    assert right["lda"] > right["raw"] - 0.02
    assert right["pca"] < 0.8


def test_the_directions_of_raw_pca_are_nearly_two_columns() -> None:
    rows = np.loadtxt(SPECS / "wine.csv", delimiter=",", skiprows=1, usecols=range(13))
    largest = np.argsort(rows.std(axis=0))[-2:]
    directions = PCA(n_components=2).fit(rows).components_
    assert (np.square(directions[:, largest]).sum(axis=1) > 0.95).all()


def test_an_lstm_learns_the_adding_problem_and_a_plain_recurrent_network_does_not(trained: Training) -> None:
    of_the_mean = 2 * (1 / 12)  # the variance of a number between 0 and 1 is 1/12, and there are two
    assert trained("adding.yaml").metric("test/loss")[0] < of_the_mean / 10
    assert trained("adding.yaml 'model.layers[0]={rnn: 32}'").metric("test/loss")[0] > 0.8 * of_the_mean


def test_the_sum_to_predict_is_that_of_the_numbers_with_a_mark() -> None:
    with np.load(CLASSICS / "data" / "adding.npz") as file:
        numbers, marks = np.moveaxis(file["steps"].astype(np.float64), 2, 0)
        assert (marks[:, :20].sum(axis=1) == 1).all() and (marks[:, 20:].sum(axis=1) == 1).all()
        np.testing.assert_array_equal((numbers * marks).sum(axis=1), file["sum"])
        assert file["sum"].astype(np.float64).var() == pytest.approx(1 / 6, rel=0.05)


TRANSFERRED = {
    "trunk and head": "head.yaml",
    "head alone": "head.yaml model.freeze=trunk",
    "nothing": "head.yaml model.weights=null model.freeze=null",
}


def test_a_trunk_that_knows_other_digits_learns_new_ones_from_few_images(trained: Training) -> None:
    right = {name: trained(command, TRANSFER).metric("test/accuracy")[0] for name, command in TRANSFERRED.items()}
    assert right["trunk and head"] > 0.62
    assert right["trunk and head"] > right["head alone"] + 0.1
    assert right["head alone"] > right["nothing"] + 0.08
    assert right["nothing"] < 0.42


def test_the_shipped_trunk_is_that_of_its_spec(trained: Training) -> None:
    run = trained("trunk.yaml", TRANSFER)
    assert run.metric("test/accuracy")[0] > 0.95
    ours = dlrun.load_network(run.info.folder).state_dict()
    theirs = load_file(TRANSFER / "trunk.safetensors")
    assert {name: of.shape for name, of in theirs.items()} == {name: of.shape for name, of in ours.items()}


def test_a_trunk_that_was_just_trained_does_what_the_shipped_one_does(trained: Training, tmp_path: Path) -> None:
    start = f"model.weights.from={trained('trunk.yaml', TRANSFER).info.folder}"
    assert dlrun.train(TRANSFER / "head.yaml", start, "tracking=off", runs=tmp_path).test["accuracy"] > 0.62


def test_the_trunk_has_many_images_and_the_head_few(trained: Training) -> None:
    for command, rows in (("trunk.yaml", 2164), ("head.yaml", 100)):
        assert sum(split[0] for split in trained(command, TRANSFER).info.classes["target"].values()) == rows


def test_no_digit_is_in_two_splits_or_in_both_files() -> None:
    originals = []
    for file in sorted((TRANSFER / "data").glob("*.npz")):
        with np.load(file) as arrays:
            digits, labels = load_digits(return_X_y=True)
            for image, label, original in zip(arrays["image"], arrays["digit"], arrays["original"], strict=True):
                assert label == labels[original]
                places = np.lib.stride_tricks.sliding_window_view(image[0], (8, 8)).reshape(-1, 64)
                assert (places == digits[original]).all(axis=1).any()
            originals.append(arrays["original"])
    low, high = originals
    assert not set(low) & set(high)
    assert len(set(high)) == len(high)  # so those of head.yaml can be split as they like
    assert check(TRANSFER / "trunk.yaml").experiment.data.split.group == "original"


@pytest.mark.parametrize("room", [CLASSICS, TRANSFER], ids=lambda room: room.name)
def test_the_script_makes_the_shipped_data(room: Path, tmp_path: Path) -> None:
    subprocess.run([sys.executable, room / "data" / f"make_{room.name}.py", tmp_path], check=True, timeout=60)
    for made in sorted(tmp_path.iterdir()):
        shipped = room / "data" / made.name
        if made.suffix == ".npz":  # another zlib packs the same numbers into other bytes
            with np.load(made) as ours, np.load(shipped) as theirs:
                assert {name: ours[name].tobytes() for name in ours} == {
                    name: theirs[name].tobytes() for name in theirs
                }
        else:
            assert made.read_bytes() == shipped.read_bytes()
