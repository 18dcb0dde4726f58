"""The source of pairs of sentences against plain Python, and what a user is told of wrong columns and cells."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dlrun
from dlrun.checks.check import check
from dlrun.components.sources.pairs import RESERVED

SPEC = """
data:
  source: {pairs: {path: phrases.csv, source: english, target: german, SETTINGS}}
  features: {source: source, target_in: target_in}
  split: {validation: 0.2, test: 0.2}
model:
  layers:
    - input: source
    - embedding: {num_embeddings: $vocabulary(source), embedding_dim: 16}
    - positional_encoding
    - transformer_encoder_layer: {nhead: 2, dim_feedforward: 32, name: encoder}
    - input: target_in
    - embedding: {num_embeddings: $vocabulary(target_in), embedding_dim: 16}
    - positional_encoding
    - transformer_decoder_layer: {nhead: 2, dim_feedforward: 32, memory: encoder, causal: true}
    - linear: $classes
loss: cross_entropy
metrics: [accuracy]
optimizer: {adam: 1e-2}
train: {epochs: 12, batch_size: 16}
tracking: off
"""
ARTICLES = {"the": "der", "a": "ein"}
NOUNS = {"dog": "Hund", "cat": "Kater", "man": "Mann", "boat": "Kahn"}
VERBS = {"sees": "sieht den", "has": "hat einen", "runs": "rennt"}


def phrases(count: int = 120) -> list[tuple[str, str]]:
    random = np.random.default_rng(0)
    found = []
    for _ in range(count):
        article, noun, other, verb = (random.choice(list(words)) for words in (ARTICLES, NOUNS, NOUNS, VERBS))
        end = (".", ".") if verb == "runs" else (f" {other}.", f" {NOUNS[other]}.")
        found.append((f"{article} {noun} {verb}{end[0]}", f"{ARTICLES[article]} {NOUNS[noun]} {VERBS[verb]}{end[1]}"))
    return found


def write(folder: Path, rows: list[tuple[str, str]], settings: str = "lower: false", name: str = "phrases.csv") -> Path:
    (folder / name).write_text("english,german\n" + "".join(f"{one},{other}\n" for one, other in rows), "utf-8")
    file = folder / "spec.yaml"
    file.write_text(SPEC.replace("SETTINGS", settings), "utf-8")
    return file


@pytest.mark.parametrize("settings", ["lower: false", "length: 4, minimum: 3, lower: true", "vocabulary: 9"])
def test_sentences_are_indices_of_the_words_of_the_training_rows(settings: str, tmp_path: Path) -> None:
    rows = [*phrases(60), ("a zebra", "ein Zebra"), ("no", "nein")]
    checked = check(write(tmp_path, rows, settings))
    assert checked.data_info is not None
    table: Any = checked.data_info.table
    train = checked.data_info.splits(checked.experiment.need("data").split, checked.experiment.seed).train
    lower, minimum = "lower: true" in settings, 3 if "minimum" in settings else 1
    for place, fields in enumerate((["source"], ["target_in", "target_out"])):
        split = [re.findall(r"\w+|[^\w\s]", row[place].lower() if lower else row[place]) for row in rows]
        counts = Counter(word for row in train for word in split[row])
        common = sorted((w for w in counts if counts[w] >= minimum), key=lambda w: (-counts[w], w))
        labels = [*RESERVED, *common][: 9 if "vocabulary" in settings else None]
        length = 4 if "length" in settings else max(len(split[row]) for row in train) + place
        for name in fields:
            assert list(table.labels[name]) == labels
            found = table.numbers([name])
            assert found.shape == (len(rows), length)
            for row, words in enumerate(split):
                known = [word if word in labels else "(unknown)" for word in words[: length - place]]
                whole = {"source": known, "target_in": ["(start)", *known], "target_out": [*known, "(end)"]}[name]
                whole += ["(padding)"] * (length - len(whole))
                assert [labels[index] for index in found[row]] == whole, (name, row)


def test_the_other_rows_change_nothing_that_training_sees(tmp_path: Path) -> None:
    rows = phrases(60)
    one = check(write(tmp_path, rows)).data_info
    assert one is not None
    experiment = check(tmp_path / "spec.yaml").experiment
    splits = one.splits(experiment.need("data").split, experiment.seed)
    for row in (*splits.validation, *splits.test):
        rows[row] = ("quite other words stand in these rows of the table", "lauter andere Worte")
    other = check(write(tmp_path, rows)).data_info
    assert other is not None
    for name in ("source", "target_in", "target_out"):
        assert one.table.fields[name] == other.table.fields[name]
        assert np.array_equal(one.table.numbers([name])[splits.train], other.table.numbers([name])[splits.train])


def test_a_file_of_test_sentences_is_the_test(tmp_path: Path) -> None:
    write(tmp_path, phrases(20), name="later.csv")
    file = write(tmp_path, phrases(60), "test: later.csv")
    file.write_text(file.read_text().replace(", test: 0.2", ""))
    checked = check(file)
    assert checked.sizes is not None
    assert (checked.sizes.train, checked.sizes.validation, checked.sizes.test) == (48, 12, 20)


def test_a_network_learns_to_translate(tmp_path: Path) -> None:
    file = write(tmp_path, phrases())
    assert check(file).notes == ()
    done = dlrun.train(file, runs=tmp_path / "runs")
    assert done.test["accuracy"] > 0.75  # of two articles, four nouns and three verbs
    kept = json.loads((done.folder / "columns.json").read_text("utf-8"))
    vocabularies = {name: kept["inputs"][name]["recipes"][name]["vocabulary"] for name in ("source", "target_in")}
    assert "Hund" in vocabularies["target_in"] and "dog" in vocabularies["source"]
    assert json.loads((done.folder / "labels.json").read_text("utf-8")) == vocabularies["target_in"]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("source: english", "source: englisch", "phrases.csv has no column 'englisch'; did you mean 'english'?"),
        ("target: german", "target: english", "`source` and `target` name one column"),
        ("test: 0.2}", "test: 0.2, group: english}", "`group` cannot be given: the rows of pairs are two sentences"),
        ("test: 0.2}", "stratify: true}", "`stratify` cannot be given: the rows of pairs are two sentences"),
        ("lower: false", "minimum: 900", "no word is 900 times in the training rows of the column 'english'"),
        ("loss: cross_entropy", "loss: mse", "'target_out' has a word in each place, and the loss needs numbers"),
    ],
)
def test_what_cannot_be_meant_is_told(old: str, new: str, message: str, tmp_path: Path) -> None:
    file = write(tmp_path, phrases(60))
    file.write_text(file.read_text().replace(old, new))
    with pytest.raises(dlrun.SpecError) as caught:
        check(file)
    assert caught.value.problems[0].message == message


def test_a_row_without_a_sentence_is_told_with_its_line(tmp_path: Path) -> None:
    rows = phrases(60)
    rows[7] = ("a dog", " ")
    with pytest.raises(dlrun.SpecError) as caught:
        check(write(tmp_path, rows))
    assert caught.value.problems[0].message == "phrases.csv:9: column 'german' is ''; a sentence is expected"
