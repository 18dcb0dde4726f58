"""Layers, augmentations and reshapes that take an axis for another one, and variables that are not read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dlrun.checks.check import check
from dlrun.errors import SpecError

CHANNELS_FIRST = (
    "batch_norm",
    "group_norm: 4",
    "instance_norm",
    "local_response_norm: 3",
    "dropout2d: 0.1",
    "feature_alpha_dropout: 0.1",
    "upsample: 2",
    "pad: 1",
    "crop: 1",
    "conv2d: {out_channels: 2, kernel_size: 3}",
    "max_pool2d: 2",
)


def write(folder: Path, shape: tuple[int, ...], layers: str, data: str = "", more: str = "tracking: off") -> Path:
    x = np.random.default_rng(0).normal(size=(40, *shape)).astype(np.float32)
    np.savez(folder / "rows.npz", x=x, y=np.arange(40) % 2)
    file = folder / "spec.yaml"
    text = f"""\
data: {{source: {{npz: rows.npz}}, features: x, target: y, {data}}}
model: {{layers: [{layers}, linear: $classes]}}
loss: cross_entropy
optimizer: adam
{more}
"""
    file.write_text(text, "utf-8")
    return file


def notes(file: Path) -> list[tuple[str, str]]:
    return [(note.note, note.hint) for note in check(file).notes]


@pytest.mark.parametrize("layer", CHANNELS_FIRST)
def test_a_layer_that_takes_the_height_for_the_channels_is_noted(tmp_path: Path, layer: str) -> None:
    ((name, hint),) = notes(write(tmp_path, (16, 16, 3), f"{layer}, flatten"))
    assert (name, hint) == ("axis_order", "write `- permute: [2, 0, 1]` before it")
    assert notes(write(tmp_path, (16, 16, 3), f"permute: [2, 0, 1], {layer.replace('4', '3')}, flatten")) == []


def test_an_augmentation_of_images_whose_last_axis_has_the_channels_is_noted(tmp_path: Path) -> None:
    ((name, hint),) = notes(write(tmp_path, (16, 16, 3), "flatten", "augment: [random_horizontal_flip]"))
    assert name == "axis_order"
    assert "x.transpose(0, 3, 1, 2)" in hint
    assert notes(write(tmp_path, (3, 16, 16), "flatten", "augment: [random_horizontal_flip]")) == []
    assert notes(write(tmp_path, (16, 16, 3), "flatten", "augment: [gaussian_noise: 0.1]")) == []


def test_a_reshape_that_mixes_axes_is_noted(tmp_path: Path) -> None:
    ((name, hint),) = notes(write(tmp_path, (16, 12, 3), "reshape: [3, 16, 12], flatten"))
    assert (name, hint) == ("axis_order", "write `- permute: [2, 0, 1]` before it, or in place of it")
    for plain in ("[576]", "[16, 36]", "[16, 4, 3, 3]", "[192, 3]"):
        assert notes(write(tmp_path, (16, 12, 3), f"reshape: {plain}, flatten")) == [], plain


@pytest.mark.parametrize("last", ["dropout: 0.5", "gaussian_noise: 0.1", "alpha_dropout: 0.1"])
def test_a_random_last_layer_is_noted_whatever_is_before_it(tmp_path: Path, last: str) -> None:
    file = write(tmp_path, (3,), "relu")
    file.write_text(file.read_text("utf-8").replace("linear: $classes", f"linear: $classes, {last}"), "utf-8")
    assert [name for name, _ in notes(file)] == ["random_output"]


@pytest.mark.parametrize("variable", ["WORLD_SIZE", "OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "SLURM_STEP_NUM_TASKS"])
def test_one_of_several_processes_does_not_train(
    tmp_path: Path, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write(tmp_path, (3,), "relu")
    monkeypatch.setenv(variable, "2")
    with pytest.raises(SpecError, match=f"{variable} is 2"):
        check(file, training=True)
    monkeypatch.setenv(variable, "1")
    check(file, training=True)


def test_a_cell_that_is_no_index_is_found_by_check(tmp_path: Path) -> None:
    for cell, fits in (("3", True), ("-1", False), ("1.5", False)):
        (tmp_path / "rows.csv").write_text("a,y\n" + f"{cell},p\n2,q\n" * 20, "utf-8")
        (tmp_path / "spec.yaml").write_text(
            "data: {source: {csv: rows.csv}, target: y}\n"
            "model: {layers: [embedding: {num_embeddings: 9, embedding_dim: 2}, flatten, linear: $classes]}\n"
            "loss: cross_entropy\noptimizer: adam\ntracking: off\n",
            "utf-8",
        )
        if fits:
            check(tmp_path / "spec.yaml")
        else:
            with pytest.raises(SpecError, match="an index is a whole number from 0 on"):
                check(tmp_path / "spec.yaml")


def test_the_way_out_of_a_limited_output_keeps_a_layer_that_learns(tmp_path: Path) -> None:
    file = write(tmp_path, (6, 3), "relu")
    text = file.read_text("utf-8").replace("linear: $classes", "lstm: {hidden_size: 2}")
    file.write_text(text, "utf-8")
    with pytest.raises(SpecError) as caught:
        check(file)
    assert caught.value.problems[0].hint == "write `- linear: 2` after the final `lstm`"
    file.write_text(text.replace("lstm: {hidden_size: 2}", "lstm: {hidden_size: 2}, linear: 2"), "utf-8")
    check(file)


def test_an_autoencoder_follows_the_size_that_fitting_decides(tmp_path: Path) -> None:
    file = write(tmp_path, (6,), "relu", "preprocess: [pca: 0.9]")
    text = file.read_text("utf-8").replace(", target: y", "").replace("loss: cross_entropy", "loss: {mse: input}")
    file.write_text(text.replace("linear: $classes", "linear: 2"), "utf-8")
    with pytest.raises(SpecError) as caught:
        check(file)
    assert caught.value.problems[0].hint == "end in `- linear: $features`"
    file.write_text(text.replace("linear: $classes", "linear: $features"), "utf-8")
    check(file)


def test_bounds_further_apart_than_float32_reaches_are_refused(tmp_path: Path) -> None:
    file = write(tmp_path, (3,), "linear: {out_features: 4, init: {uniform: {a: -3e38, b: 3e38}}}")
    with pytest.raises(SpecError, match="more than float32 holds"):
        check(file)


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ([250_000 + 1_000 * number for number in range(60)], "unscaled_target"),
        ([1_700_000_000 + number for number in range(60)], "merged_targets"),
        ([number / 60 for number in range(60)], None),
    ],
)
def test_a_target_of_numbers_far_from_0_and_1_is_noted_by_check(
    tmp_path: Path, values: list[float], name: str | None
) -> None:
    (tmp_path / "rows.csv").write_text("a,y\n" + "".join(f"{i / 60},{value}\n" for i, value in enumerate(values)))
    (tmp_path / "spec.yaml").write_text(
        "data: {source: {csv: rows.csv}, target: y}\nmodel: {layers: [linear: 1]}\nloss: mse\noptimizer: adam\n"
    )
    assert [note.note for note in check(tmp_path / "spec.yaml").notes] == ([name] if name else [])
    scaled = check(tmp_path / "spec.yaml", ["data.target_preprocess=[standardize]"])
    assert scaled.notes == ()


def test_features_that_float32_merges_are_noted_unless_a_step_scales_them(tmp_path: Path) -> None:
    times = [1_700_000_000 + number for number in range(60)]
    (tmp_path / "rows.csv").write_text("a,t,y\n" + "".join(f"{i},{time},{i % 2}\n" for i, time in enumerate(times)))
    (tmp_path / "spec.yaml").write_text(
        "data: {source: {csv: rows.csv}, target: y}\nmodel: {layers: [linear: 2]}\n"
        "loss: cross_entropy\noptimizer: adam\n"
    )
    (note,) = check(tmp_path / "spec.yaml").notes
    assert note.note == "merged_features" and "number 2 of a row has 60 distinct values" in note.message
    assert check(tmp_path / "spec.yaml", ["data.preprocess=[standardize]"]).notes == ()
    assert check(tmp_path / "spec.yaml", ["data.features=a"]).notes == ()
