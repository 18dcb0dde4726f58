"""The checks across sections that bad_specs does not show: what is right must pass, and sizes must add up."""

from pathlib import Path

import pytest

from dlrun.checks.check import check, check_model
from dlrun.errors import SpecError
from dlrun.language.experiment import Split
from dlrun.plan.memory import machine_memory
from dlrun.plan.split_sizes import SplitSizes, split_sizes

IRIS = """
data: {{source: {{sklearn: iris}}, split: {{validation: 0.2, test: 0.2}}}}
model: {{layers: [{{linear: 8}}, {layer}, {{linear: 3}}]}}
loss: cross_entropy
optimizer: {{{optimizer}: {{}}}}
train: {{batch_size: {batch}}}
"""


@pytest.fixture
def checked(tmp_path: Path):
    def run(text: str, **options):
        file = tmp_path / "spec.yaml"
        file.write_text(text)
        return check(file, **options)

    return run


@pytest.mark.parametrize(
    ("rows", "validation", "test", "sizes"),
    [
        (1797, 0.15, 0.15, (1257, 270, 270)),
        (10, 0.25, 0.5, (3, 2, 5)),
        (150, 0, 0.2, (120, 0, 30)),
        (5, 0, 0, (5, 0, 0)),
    ],
)
def test_splits_are_rounded_to_the_nearest_row(rows, validation, test, sizes) -> None:
    assert split_sizes(rows, Split(validation=validation, test=test)) == SplitSizes(*sizes)


def test_memory_adds_weights_gradients_state_activations_and_data(checked) -> None:
    memory = checked(IRIS.format(layer="relu", optimizer="adam", batch=16)).memory
    weights = (4 * 8 + 8) + (8 * 3 + 3)
    assert memory.weights == memory.gradients == 4 * weights
    assert memory.state == 2 * 4 * weights
    assert memory.activations == 4 * 16 * (8 + 8 + 3)
    assert memory.data == 150 * (4 * 4 + 2 * 8)  # a class number is loaded, and put beside the inputs
    assert memory.training == 4 * 4 * weights + 4 * 16 * 19 + 4800
    assert memory.total == max(memory.training, memory.preparing)


@pytest.mark.parametrize(("optimizer", "copies"), [("sgd", 0), ("rmsprop", 1), ("adam", 2), ("adamw", 2)])
def test_each_optimizer_keeps_its_own_number_of_copies(checked, optimizer, copies) -> None:
    memory = checked(IRIS.format(layer="relu", optimizer=optimizer, batch=16)).memory
    assert memory.state == copies * memory.weights


def test_a_batch_larger_than_the_data_is_all_of_the_data(checked) -> None:
    assert checked(IRIS.format(layer="relu", optimizer="adam", batch=10_000)).memory.batch == 90
    assert checked(IRIS.format(layer="relu", optimizer="adam", batch="full")).memory.batch == 90


@pytest.mark.parametrize(("batch", "right"), [(1, False), (89, False), (44, True), (45, True), ("full", True)])
def test_batch_norm_is_refused_where_a_batch_would_be_one_row(checked, batch, right) -> None:
    text = IRIS.format(layer="batch_norm", optimizer="adam", batch=batch)
    if right:
        checked(text)
    else:
        with pytest.raises(SpecError, match="more than one row"):
            checked(text)


def test_dropping_the_last_batch_of_one_row_makes_batch_norm_right(checked) -> None:
    text = IRIS.format(layer="batch_norm", optimizer="adam", batch="89, drop_last: true")
    assert checked(text).sizes.train == 90


def test_activations_that_do_not_fit_are_told_with_a_batch_that_would(checked, monkeypatch) -> None:
    monkeypatch.setattr("dlrun.checks.memory.machine_memory", lambda: 10_000)
    with pytest.raises(SpecError, match=r"about \d+ rows a batch would fit"):
        checked(IRIS.format(layer="relu", optimizer="adam", batch="full"))


def test_the_machine_has_memory() -> None:
    assert machine_memory() > 1 << 28


def test_a_network_alone_is_checked_but_not_trained(checked) -> None:
    text = "model: {input: 4, layers: [{linear: 2}]}"
    assert checked(text).plan.total == 10
    with pytest.raises(SpecError, match="no `data` to train on"):
        checked(text, training=True)


def test_params_needs_no_more_of_a_spec_than_its_model(tmp_path: Path) -> None:
    file = tmp_path / "spec.yaml"
    file.write_text("data: {source: {csv: gone.csv}, target: y}\nmodel: {input: 4, layers: [{linear: 2}]}\nlos: mse\n")
    assert check_model(file).total == 10


def test_params_tells_of_the_loss_where_sizes_hang_on_it(tmp_path: Path) -> None:
    file = tmp_path / "spec.yaml"
    file.write_text("data: {source: {sklearn: iris}}\nmodel: {layers: [{linear: 2}]}\nloss: crossentropy\n")
    with pytest.raises(SpecError, match="did you mean 'cross_entropy'"):
        check_model(file)


def test_a_final_change_of_shape_does_not_hide_what_the_outputs_are(checked) -> None:
    text = IRIS.replace("{{linear: 3}}", "{{linear: 3}}, softmax, flatten")
    with pytest.raises(SpecError, match="applies the softmax itself"):
        checked(text.format(layer="relu", optimizer="adam", batch=16))


def test_softmax_inside_a_network_is_not_mistaken_for_a_final_one(checked) -> None:
    checked(IRIS.format(layer="softmax", optimizer="adam", batch=16))


def test_a_problem_in_one_section_does_not_hide_a_shape_error_in_another(checked) -> None:
    with pytest.raises(SpecError) as caught:
        checked("model: {input: 4, layers: [max_pool2d: 2]}\noptimizer: {adam: {learning_rate: 1}}\nnmae: x")
    said = str(caught.value)
    assert "did you mean 'lr'" in said
    assert "did you mean 'name'" in said
    assert "channels, height, width" in said


def test_a_weights_file_is_held_against_the_network_without_torch(checked, tmp_path: Path) -> None:
    import torch
    from safetensors.torch import save_file

    text = "model: {input: 4, layers: [{linear: 2}], weights: w.safetensors}"
    with pytest.raises(SpecError, match="cannot read"):
        checked(text)
    (tmp_path / "w.safetensors").write_bytes(b"nonsense" * 9)
    with pytest.raises(SpecError, match="not a safetensors file"):
        checked(text)
    save_file({"linear_1.weight": torch.zeros(2, 4)}, tmp_path / "w.safetensors")
    with pytest.raises(SpecError, match=r"has no 'linear_1\.bias'"):
        checked(text)
    save_file({"linear_1.weight": torch.zeros(2, 5), "linear_1.bias": torch.zeros(2)}, tmp_path / "w.safetensors")
    with pytest.raises(SpecError, match=r"'linear_1.weight' is \(2, 5\)"):
        checked(text)
    save_file({"linear_1.weight": torch.zeros(2, 4), "linear_1.bias": torch.zeros(2)}, tmp_path / "w.safetensors")
    checked(text)
