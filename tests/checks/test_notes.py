"""Notes: what can be meant but rarely is. Each is located, can be silenced by its name, and is an error when strict."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import numpy as np
import pytest
from places import DOCS, NETS, ROOT, SPECS
from typer.testing import CliRunner

from dlrun.checks.check import Checked, check
from dlrun.commands.app import app
from dlrun.errors import SpecError
from dlrun.language.kinds import find, kinds
from dlrun.language.notes import NOTES

LINEAR = "[flatten, linear: $classes]"


def spec(
    folder: Path,
    x: np.ndarray,
    y: np.ndarray,
    layers: str = LINEAR,
    metrics: str = "[accuracy, f1]",
    more: str = "",
    batch: str = "8",
) -> Path:
    np.savez(folder / "rows.npz", x=x, y=y)
    file = folder / "spec.yaml"
    file.write_text(
        f"""\
data: {{source: {{npz: rows.npz}}, features: x, target: y}}
model:
  layers: {layers}
loss: cross_entropy
metrics: {metrics}
optimizer: adam
train: {{epochs: 1, batch_size: {batch}}}
{more}
""",
        "utf-8",
    )
    return file


def names(checked: Checked) -> list[str]:
    return [note.note for note in checked.notes]


def even(rows: int = 60) -> np.ndarray:
    return np.arange(rows) % 2


def images(*shape: int, rows: int = 60) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(rows, *shape)).astype(np.float32)


@pytest.mark.parametrize(
    ("shape", "layer", "line"),
    [
        ((8, 8, 3), "conv2d: {out_channels: 4, kernel_size: 3}", "- permute: [2, 0, 1]"),
        ((16, 12, 1), "avg_pool2d: {kernel_size: 2, padding: same}", "- permute: [2, 0, 1]"),
        ((9, 8, 7, 3), "conv3d: {out_channels: 4, kernel_size: 3}", "- permute: [3, 0, 1, 2]"),
        ((100, 6), "conv1d: {out_channels: 4, kernel_size: 3}", "- permute: [1, 0]"),
    ],
)
def test_a_convolution_along_the_wrong_axis(tmp_path, shape, layer, line):
    file = spec(tmp_path, images(*shape), even(), f"[{layer}, flatten, linear: $classes]")
    (note,) = check(file).notes
    assert note.note == "axis_order"
    assert note.place is not None and (note.place.line, note.place.path) == (3, ("model", "layers", 0))
    assert line in note.hint
    permuted = f"[{line[2:]}, {layer}, flatten, linear: $classes]"
    file = spec(tmp_path, images(*shape), even(), permuted)
    assert not check(file).notes


def test_an_embedding_before_a_convolution_has_its_features_last(tmp_path):
    words = np.random.default_rng(0).integers(0, 9, (60, 12))
    layers = "embedding: {num_embeddings: 9, embedding_dim: 16}, dropout: 0.1"
    convolved = "conv1d: {out_channels: 4, kernel_size: 3}, flatten, linear: $classes"
    assert names(check(spec(tmp_path, words, even(), f"[{layers}, {convolved}]"))) == ["axis_order"]
    assert not check(spec(tmp_path, words, even(), f"[{layers}, permute: [1, 0], {convolved}]")).notes


@pytest.mark.parametrize(("shape", "layer"), [((3, 8, 8), "conv2d"), ((6, 100), "conv1d"), ((512, 4, 4), "conv2d")])
def test_channels_first_is_no_note(tmp_path, shape, layer):
    layers = f"[{layer}: {{out_channels: 4, kernel_size: 3}}, flatten, linear: $classes]"
    assert not check(spec(tmp_path, images(*shape), even(), layers)).notes


@pytest.mark.parametrize(
    ("shape", "front", "noted"),
    [
        ((5, 40), "conv1d: {out_channels: 8, kernel_size: 3}, relu", True),
        ((5, 42), "conv1d: {out_channels: 8, kernel_size: 3}, batch_norm, max_pool1d: 2", True),
        ((3, 16, 16), "conv2d: {out_channels: 8, kernel_size: 4, stride: 4}, flatten: {start_dim: 1}", True),
        ((5, 40), "conv1d: {out_channels: 8, kernel_size: 3}, relu, permute: [1, 0]", False),
        ((40, 8), "layer_norm, relu", False),
    ],
)
@pytest.mark.parametrize("layer", ["lstm: 4", "transformer_encoder_layer: {nhead: 2, dim_feedforward: 8}, flatten"])
def test_a_recurrent_layer_or_attention_over_channels(tmp_path, shape, front, noted, layer):
    found = check(spec(tmp_path, images(*shape), even(), f"[{front}, {layer}, linear: $classes]")).notes
    assert [(note.note, note.hint) for note in found] == [("axis_order", "write `- permute: [1, 0]` before it")] * noted


def test_every_kind_of_a_room_declares_its_channel_axis():
    rooms = {"convolution": "first", "pooling": "first", "attention": "last", "recurrent": "last"}
    for kind in kinds("layers"):
        layer = find("layers", kind)
        if layer.room in rooms:
            assert layer.channel_axis == rooms[layer.room], kind  # type: ignore[attr-defined]


def test_accuracy_alone_says_little_of_unequal_classes(tmp_path):
    rare = (np.arange(60) % 10 == 0).astype(int)
    (note,) = check(spec(tmp_path, images(4), rare, metrics="[accuracy]")).notes
    assert note.note == "unequal_classes" and "90% of the rows are '0'" in note.message
    assert note.place is not None and note.place.path == ("metrics", 0)
    assert not check(spec(tmp_path, images(4), rare, metrics="[accuracy, f1]")).notes
    assert not check(spec(tmp_path, images(4), even(), metrics="[accuracy]")).notes


def test_accuracy_alone_is_judged_at_each_output(tmp_path):
    np.savez(tmp_path / "rows.npz", x=images(4), rare=(np.arange(60) % 10 == 0).astype(int), even=even())
    file = tmp_path / "spec.yaml"
    text = """\
data: {source: {npz: rows.npz}, features: x, target: {a: rare, b: even}}
model:
  outputs: [a, b]
  layers: [linear: {name: a, out_features: 2}, input: input, linear: {name: b, out_features: 2}]
loss: [cross_entropy: {output: a}, cross_entropy: {output: b}]
metrics: [accuracy: {output: a}, f1: {output: %s}, accuracy: {output: b}]
optimizer: adam
"""
    file.write_text(text % "b", "utf-8")
    assert names(check(file)) == ["unequal_classes"]
    file.write_text(text % "a", "utf-8")
    assert not check(file).notes


def test_a_batch_larger_than_the_training_rows(tmp_path):
    (note,) = check(spec(tmp_path, images(4), even(), batch="64")).notes
    assert note.note == "large_batch" and "64 rows" in note.message and "42 training rows" in note.message
    assert "batch_size: full" in note.hint
    assert not check(spec(tmp_path, images(4), even(), batch="42")).notes
    assert not check(spec(tmp_path, images(4), even(), batch="full")).notes


def test_a_note_is_silenced_by_its_name(tmp_path):
    assert names(check(spec(tmp_path, images(4), even(), batch="64"))) == ["large_batch"]
    assert not check(spec(tmp_path, images(4), even(), batch="64", more="allow: [large_batch]")).notes
    with pytest.raises(SpecError, match=r"a note is one of .*; received 'large_bach'; did you mean 'large_batch'\?"):
        check(spec(tmp_path, images(4), even(), batch="64", more="allow: [large_bach]"))


def test_strict_makes_notes_errors(tmp_path):
    file = spec(tmp_path, images(4), even(), batch="64")
    with pytest.raises(SpecError) as caught:
        check(file, strict=True)
    assert [problem.note for problem in caught.value.problems] == ["large_batch"]
    assert not check(spec(tmp_path, images(4), even(), batch="64", more="allow: [large_batch]"), strict=True).notes


def test_errors_come_before_notes(tmp_path):
    file = spec(tmp_path, images(4), even(), layers="[flatten, linear: 1]", batch="64")
    with pytest.raises(SpecError) as caught:
        check(file)
    assert [problem.note for problem in caught.value.problems] == ["", "large_batch"]


@pytest.mark.parametrize("command", ["check", "train"])
def test_the_commands_show_notes_and_obey_strict(tmp_path, command, monkeypatch):
    monkeypatch.chdir(tmp_path)
    file = spec(tmp_path, images(4), even(), batch="64", more="tracking: off")
    shown = CliRunner().invoke(app, [command, str(file)])
    assert shown.exit_code == 0, shown.output
    assert "note: a batch of 64 rows" in shown.stderr and "`allow: [large_batch]`" in shown.stderr
    assert isinstance(CliRunner().invoke(app, [command, str(file), "--strict"]).exception, SpecError)


def test_notes_are_in_the_json(tmp_path):
    file = spec(tmp_path, images(4), even(), batch="64")
    (found,) = json.loads(CliRunner().invoke(app, ["check", str(file), "--json"]).stdout)["specs"]
    (note,) = found["notes"]
    assert (note["note"], note["line"], note["path"]) == ("large_batch", 7, "train.batch_size")


@pytest.mark.parametrize("file", sorted([*SPECS.glob("*.yaml"), *NETS.glob("*.yaml")]), ids=lambda file: file.stem)
def test_no_shipped_spec_has_a_note(file):
    assert not check(file).notes


def test_every_note_is_given_somewhere_and_none_besides():
    """As a problem, by `reading.note`, or by a source: the name is always a text in the code."""
    calls = [
        node
        for file in (ROOT / "dlrun").rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.Call)
    ]
    given = set()
    for call in calls:
        named = getattr(call.func, "attr", getattr(call.func, "id", ""))
        noted = [word.value for word in call.keywords if word.arg == "note"]
        first = call.args[:1] if named in ("note", "SourceNote") else []
        given |= {arg.value for arg in (*noted, *first) if isinstance(arg, ast.Constant) and arg.value}
    assert given == NOTES.keys()


def test_the_language_page_lists_every_note():
    page = (DOCS / "language.md").read_text("utf-8")
    listed = dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", page.split("### Notes")[1].split("\n## ")[0], re.MULTILINE))
    assert listed == NOTES
