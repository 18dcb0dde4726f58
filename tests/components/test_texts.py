"""The source of texts: windows, vocabulary and parts against plain Python, and what a user is told of a wrong file."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from places import SPECS

import dlrun
from dlrun.checks.check import check
from dlrun.components.sources import SourceError
from dlrun.components.sources._corpus import UNKNOWN
from dlrun.components.sources.text import Text
from dlrun.components.sources.words import Words
from dlrun.language.split import Split

SENTENCES = "The cat sat. A cat, a mat; the Mat!\n" * 9 + "Where is 1 zebra?\nThe cat sat. A cat, a mat!\n"


def table(folder: Path, text: str, split: dict[str, Any] | None = None, **settings: Any) -> Any:
    """The windows of a text, split."""
    (folder / "text.txt").write_text(text, "utf-8")
    found = Text(path="text.txt", **settings).open(folder)
    found.divide(Split.read({"validation": 0.2, "test": 0.2, **(split or {})}), np.arange)
    return found


def split_by_hand(tokens: list[str], sizes: tuple[int, int]) -> dict[str, list[str]]:
    validation, test = sizes
    train = len(tokens) - validation - test
    return {"train": tokens[:train], "validation": tokens[train : train + validation], "test": tokens[-test:]}


@pytest.mark.parametrize("step", [None, 1, 5, 9])
@pytest.mark.parametrize("unit", ["character", "word"])
def test_every_part_is_cut_into_windows_with_the_token_after_each(unit: str, step: int | None, tmp_path: Path) -> None:
    found = table(tmp_path, SENTENCES, unit=unit, length=6, step=step)
    tokens = list(SENTENCES) if unit == "character" else re.findall(r"\w+|[^\w\s]", SENTENCES)
    fifth = round(len(tokens) * 0.2)
    parts = split_by_hand(tokens, (fifth, fifth))
    counts = Counter(parts["train"])
    vocabulary = [UNKNOWN, *sorted(counts, key=lambda token: (-counts[token], token))]
    assert list(found.labels) == vocabulary and found.vocabulary(["tokens"]) == len(vocabulary)
    here, later = found.numbers(["tokens"]), found.numbers(["next"])
    assert here.shape == later.shape == (found.rows, 6)
    rows = {"train": range(found.own_splits["validation"].start), **found.own_splits}
    for name, part in parts.items():
        starts = range(0, len(part) - 6, step or 6)
        expected = [[vocabulary.index(t) if t in vocabulary else 0 for t in part[s : s + 7]] for s in starts]
        assert here[rows[name]].tolist() == [row[:-1] for row in expected], name
        assert later[rows[name]].tolist() == [row[1:] for row in expected], name
    assert 0 in later[rows["test"]]  # the z of the zebra, or the zebra
    assert list(found.counts("next").values()) == np.bincount(later.ravel(), minlength=len(vocabulary)).tolist()


@pytest.mark.parametrize("window", [1, 3])
@pytest.mark.parametrize("model", ["cbow", "skip_gram"])
def test_each_word_has_the_words_around_it(model: str, window: int, tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text(SENTENCES, "utf-8")
    found: Any = Words(path="text.txt", model=model, window=window, minimum=3).open(tmp_path)
    found.divide(Split.read({"validation": 0.2, "test": 12}), np.arange)
    words = re.findall(r"\w+|[^\w\s]", SENTENCES)
    parts = split_by_hand(words, (round(len(words) * 0.2), 12 + 2 * window))
    counts = Counter(word for word in parts["train"])
    common = {word for word, count in counts.items() if count >= 3}
    assert set(found.labels) == {UNKNOWN, *common}
    rows = {"train": range(found.own_splits["validation"].start), **found.own_splits}
    labels = np.array(found.labels)
    for name, part in parts.items():
        named = [word if word in common else UNKNOWN for word in part]
        centres = range(window, len(named) - window)
        around = [[*named[c - window : c], *named[c + 1 : c + window + 1]] for c in centres]
        context = labels[found.numbers(["context"])[rows[name]]].tolist()
        word = labels[found.numbers(["word"])[rows[name]]].tolist()
        if model == "cbow":
            assert (context, word) == (around, [[named[c]] for c in centres]), name
        else:
            pairs = [(near, named[c]) for c, those in zip(centres, around, strict=True) for near in those]
            assert [(near, centre) for (near,), (centre,) in zip(context, word, strict=True)] == pairs, name
    assert len(rows["test"]) == (12 if model == "cbow" else 12 * 2 * window)


def test_vectors_of_words_are_learned_from_the_words_around_them(tmp_path: Path) -> None:
    """Words that stand in the same places are nearer to each other than to those of other places."""
    random = np.random.default_rng(0)
    animals, things = ["cat", "dog", "fox", "hen"], ["hat", "cup", "pot", "bag"]
    lines = [f"see the {random.choice(animals)} run . buy a {random.choice(things)} now ." for _ in range(200)]
    (tmp_path / "text.txt").write_text("\n".join(lines), "utf-8")
    spec = tmp_path / "spec.yaml"
    spec.write_text("""
data: {source: {words: {path: text.txt, window: 2, model: skip_gram}}, split: {validation: 0, test: 0.1}}
model:
  layers: [embedding: {num_embeddings: $vocabulary, embedding_dim: 6}, flatten, linear: $vocabulary]
loss: cross_entropy
optimizer: {adam: 0.03}
train: {epochs: 5, batch_size: 64}
tracking: off
""")
    done = dlrun.train(spec, runs=tmp_path / "runs")
    kept = json.loads((done.folder / "columns.json").read_text("utf-8"))
    labels = kept["inputs"]["input"]["recipes"]["word"]["vocabulary"]
    state = dlrun.load_network(done.folder).state_dict()
    weights = next(values for name, values in state.items() if "embedding" in name).numpy()
    vectors = weights / np.linalg.norm(weights, axis=1, keepdims=True)
    of = {word: vectors[labels.index(word)] for word in (*animals, *things)}
    same = min(of[a] @ of[b] for group in (animals, things) for a in group for b in group)
    other = max(of[a] @ of[b] for a in animals for b in things)
    assert same > other


def test_the_test_part_changes_nothing_that_training_sees(tmp_path: Path) -> None:
    one = table(tmp_path, SENTENCES, length=6)
    other = table(tmp_path, SENTENCES[:-60] + "%" * 60, length=6)
    train = slice(0, one.own_splits["validation"].start)
    assert one.labels == other.labels
    assert (one.numbers(["tokens"])[train] == other.numbers(["tokens"])[train]).all()
    assert (one.numbers(["next"])[train] == other.numbers(["next"])[train]).all()


@pytest.mark.parametrize("step", [1, 4, 11])
def test_a_number_of_rows_is_a_number_of_windows_also_over_several_files(step: int, tmp_path: Path) -> None:
    for name in "abcd":
        (tmp_path / f"{name}.txt").write_text(name.upper() * 30 + name * 13, "utf-8")
    found: Any = Text(path="?.txt", length=10, step=step).open(tmp_path)
    found.divide(Split.read({"validation": 3, "test": 7}), np.arange)
    assert {name: len(rows) for name, rows in found.own_splits.items()} == {"validation": 3, "test": 7}
    labels = np.array(found.labels)
    for row in np.concatenate([found.numbers(["tokens"]), found.numbers(["next"])], axis=1):
        assert len({label.lower() for label in labels[row] if label != UNKNOWN}) <= 1  # a window lies in one file


def test_rare_tokens_have_no_index_of_their_own(tmp_path: Path) -> None:
    none = {"validation": 0, "test": 0}
    text = "a a a b b c\n" * 2 + "d e A"
    assert table(tmp_path, text, none, unit="word", length=2, minimum=3).labels == (UNKNOWN, "a", "b")
    assert table(tmp_path, text, none, unit="word", length=2, vocabulary=3).labels == (UNKNOWN, "a", "b")
    lower = table(tmp_path, text, none, unit="word", length=2, lower=True)
    assert lower.labels == (UNKNOWN, "a", "b", "c", "d", "e")
    assert lower.counts("tokens")["a"] == 6


def test_the_end_of_a_line_is_one_token_however_it_is_written(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"\xef\xbb\xbfone\r\ntwo\r\n" * 1 + b"one\r\ntwo\r\n" * 5)
    found: Any = Text(path="a.txt", length=4).open(tmp_path)
    found.divide(Split.read({"validation": 0, "test": 0}), np.arange)
    assert set(found.labels) == {UNKNOWN, *"onetw\n"}


@pytest.mark.parametrize(
    ("content", "settings", "split", "at", "message"),
    [
        (b"", {}, {}, "path", "a.txt has no text in it"),
        (b" \n ", {"unit": "word"}, {}, "path", "a.txt has no words in it"),
        (b"ab\nc\xe4d", {}, {}, "path", "a.txt:2:2: the byte 0xe4 is not UTF-8"),
        (b"\xef\xbb\xbf\xe4", {}, {}, "path", "a.txt:1:1: the byte 0xe4 is not UTF-8"),
        ("ä\nöä".encode() + b"\xc3", {}, {}, "path", "a.txt:2:3: the byte 0xc3 is not UTF-8"),
        (b"a\nbc\0", {}, {}, "path", "a.txt:2:3: there is a NUL, which no text has"),
        (b"\xff\xfea\0", {}, {}, "path", "a.txt is UTF-16 text, not UTF-8 text"),
        (b"\x1f\x8bxx", {}, {}, "path", "a.txt is a gzip archive, not UTF-8 text"),
        (
            b"abc" * 4,
            {"length": 12},
            {},
            "length",
            "a window and the token after it are 13 characters, and a.txt has 12",
        ),
        (b"a" * 99, {}, {}, "path", "the training part of a.txt has fewer than 2 different characters to predict: 'a'"),
        (
            b"ab" * 50,
            {},
            {"test": 0.05},
            "test",
            "test has 5 of the 100 characters, and a window and the token after it are 9",
        ),
        (
            b"ab" * 50,
            {},
            {"validation": 70},
            "validation",
            "validation is to have 70 windows, and there are 10 of 9 characters",
        ),
        (
            b"ab" * 50,
            {},
            {"test": 0.9, "validation": 0.09},
            "split",
            "a.txt has 1 character left for training, too few: a window",
        ),
        (b"ab" * 50, {}, {"group": "x"}, "group", "`group` cannot be given: a text is split in its order"),
        (b"ab" * 50, {}, {"folds": 3}, "folds", "`folds` cannot be given: a text is split in its order"),
        (b"ab" * 50, {}, {"stratify": True}, "stratify", "`stratify` cannot be given: a text is split in its order"),
    ],
)
def test_a_text_that_cannot_be_used_is_told_with_its_place(
    content: bytes, settings: dict, split: dict, at: str, message: str, tmp_path: Path
) -> None:
    (tmp_path / "a.txt").write_bytes(content)
    with pytest.raises(SourceError) as caught:
        Text(path="a.txt", **{"length": 8, **settings}).open(tmp_path).divide(Split.read(split), np.arange)
    assert caught.value.message.startswith(message)
    assert caught.value.at[-1] == at


def test_check_reads_the_beginning_of_a_large_text(tmp_path: Path) -> None:
    (tmp_path / "large.txt").write_bytes("zwölf Boxkämpfer\n".encode() * 500_000)
    look: Any = Text(path="large.txt", length=100).open(tmp_path, whole=False)
    look.divide(Split.read({}), np.arange)
    assert not look.complete and look.read_rows < look.rows
    whole = 500_000 * 17 // 100
    assert look.rows == pytest.approx(whole, rel=0.2)
    assert len(look.labels) == len(set("zwölf Boxkämpfer\n")) + 1


def test_the_shipped_text_is_predicted_far_better_than_by_how_often_each_character_is_there(tmp_path: Path) -> None:
    text = (SPECS / "data" / "island.txt").read_text("utf-8")
    tenth = round(len(text) * 0.1)
    train, test = Counter(text[: len(text) - 2 * tenth]), text[-tenth:]
    logs = [math.log((train[c] + 1) / (train.total() + len(train) + 1)) for c in test]
    unigram = math.exp(-np.mean(logs))
    done = dlrun.train(SPECS / "text_characters.yaml", "tracking=off", runs=tmp_path)
    assert done.test["perplexity"] < unigram / 4
    kept = json.loads((done.folder / "columns.json").read_text("utf-8"))
    recipe = kept["inputs"]["input"]["recipes"]["tokens"]
    assert set(recipe["vocabulary"]) == {UNKNOWN, *train}
    assert recipe["unit"] == "character"
    assert json.loads((done.folder / "labels.json").read_text("utf-8")) == recipe["vocabulary"]


@pytest.mark.parametrize("loss", ["mse", "binary_cross_entropy"])
def test_the_next_token_is_a_class(loss: str, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("ab" * 500)
    spec = tmp_path / "spec.yaml"
    model = "model: {layers: [embedding: {num_embeddings: $vocabulary, embedding_dim: 2}, linear: 3]}"
    spec.write_text(f"data: {{source: {{text: a.txt}}}}\n{model}\nloss: {loss}\noptimizer: adam\n")
    with pytest.raises(dlrun.SpecError) as caught:
        check(spec)
    assert caught.value.problems[0].message == "'next' has a character in each place, and the loss needs numbers"
    assert caught.value.problems[0].hint == "use `loss: cross_entropy`"
