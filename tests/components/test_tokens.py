"""Texts as sequences of indices, against scikit-learn's CountVectorizer and torch's padding."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from columns import column_of, encoded, matrix, step_of
from pydantic import ValidationError
from sklearn.feature_extraction.text import CountVectorizer
from torch.nn.utils.rnn import pad_sequence

from dlrun.components.preprocess import EncodeError
from dlrun.components.sources import SourceError
from dlrun.language.component import choose, choose_some, setting_problems
from dlrun.language.experiment import DataSection, as_tuple
from dlrun.plan.data_info import DataInfo
from dlrun.plan.describe_data import describe

TRAIN = [
    "Don't stop -- 3 Äpfel, 3 Birnen!",
    "stop! in the name of love",
    "In the name of love",
    "the end ...",
    "the end ...",
    "日本語 テキスト and naïve_text",
]
NEW = ["the unknown word", "THE END", "love " * 30, " ", "don't"]
PATTERN = {"word": {"token_pattern": r"\w+|[^\w\s]"}, "character": {"analyzer": "char"}}
FIRST = 4
"""The index of the most frequent word."""


def vectorizer(unit: str, **settings: Any) -> Any:
    return CountVectorizer(**PATTERN[unit], **settings)


def split(text: str, unit: str) -> list[str]:
    """A text as scikit-learn splits it; CountVectorizer joins spaces of characters, which are not joined here."""
    return list(text.lower()) if unit == "character" else vectorizer(unit).build_analyzer()(text)


def words(unit: str, minimum: int = 1) -> list[str]:
    """The vocabulary that scikit-learn counts, by count, then by the alphabet."""
    model = vectorizer(unit)
    counts = np.asarray(model.fit_transform(TRAIN).sum(axis=0))[0]
    found = [(-int(counts[place]), word) for word, place in model.vocabulary_.items() if counts[place] >= minimum]
    return [word for _, word in sorted(found)]


def sequences(unit: str, known: list[str], texts: list[str]) -> list[list[int]]:
    return [[known.index(word) + FIRST if word in known else 1 for word in split(text, unit)] for text in texts]


@pytest.mark.parametrize("unit", ["word", "character"])
@pytest.mark.parametrize("minimum", [1, 2, 3])
def test_the_vocabulary_is_that_of_scikit_learn_by_count_and_alphabet(unit: str, minimum: int) -> None:
    step = step_of({"tokenize": {"unit": unit, "minimum": minimum}})
    learned = step.learn(column_of(TRAIN))
    assert learned["vocabulary"] == words(unit, minimum)
    assert step.index_count(learned) == len(words(unit, minimum)) + FIRST
    assert learned["length"] == max(len(split(text, unit)) for text in TRAIN)


@pytest.mark.parametrize("unit", ["word", "character"])
@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("length", [3, 12, 40])
def test_rows_are_padded_and_cut_as_torch_pads_them(unit: str, side: str, length: int) -> None:
    ours = encoded({"tokenize": {"unit": unit, "length": length, "padding": side}}, TRAIN, NEW)
    cut = [torch.tensor(one[:length], dtype=torch.int64) for one in sequences(unit, words(unit), NEW)]
    whole = pad_sequence([*cut, torch.ones(length, dtype=torch.int64)], batch_first=True, padding_side=side)[:-1]
    assert matrix(ours).tolist() == whole.tolist()
    assert [column.name for column in ours] == [f"size[{place}]" for place in range(length)]


def test_a_vocabulary_of_few_indices_keeps_the_most_frequent_words() -> None:
    step = step_of({"tokenize": {"vocabulary": 9}})
    learned = step.learn(column_of(TRAIN))
    assert learned["vocabulary"] == words("word")[:5]
    assert step.index_count(learned) == 9


def test_the_start_and_the_end_stand_around_the_words_that_are_kept() -> None:
    around = {"start": True, "end": True}
    short, long = matrix(encoded({"tokenize": {"length": 4, **around}}, ["a a b"], ["b", "a b a b"]))
    assert short.tolist() == [2, 5, 3, 0]
    assert long.tolist() == [2, 4, 5, 3]
    assert matrix(encoded({"tokenize": around}, ["a a b"], ["c"])).tolist() == [[2, 1, 3, 0, 0]]


def test_capital_letters_may_stay() -> None:
    step = step_of({"tokenize": {"lower": False}})
    assert step.learn(column_of(["A a A b"]))["vocabulary"] == ["A", "a", "b"]


@pytest.mark.parametrize(
    ("settings", "values", "hint"),
    [
        ({"minimum": 1}, ["  "], "leave the column out"),
        ({"minimum": 1}, [None, None], "leave the column out"),
        ({"minimum": 2}, ["a b", "c"], "lower `minimum`"),
    ],
)
def test_a_column_without_a_word_is_told(settings: dict[str, Any], values: list[Any], hint: str) -> None:
    with pytest.raises(EncodeError) as caught:
        step_of({"tokenize": settings}).learn(column_of(values))
    message = f"no word is {settings['minimum']} times in the training rows of the column 'size'"
    assert (caught.value.message, caught.value.hint) == (message, hint)


def test_a_row_without_a_text_is_told_and_an_empty_text_is_padding() -> None:
    step, column = step_of("tokenize"), column_of(["a b", None])
    with pytest.raises(EncodeError, match="each row needs a text"):
        step.encode(column, step.learn(column))
    assert matrix(encoded("tokenize", ["a b"], [""])).tolist() == [[0, 0]]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"length": 2, "start": True, "end": True}, "a `length` of 2 has no place for a word beside the start and the"),
        ({"vocabulary": 4}, "'vocabulary' must be greater than 4; received 4"),
        ({"unit": "letter"}, "'unit' must be 'word', 'character' or 'subword'; received 'letter'"),
    ],
)
def test_settings_that_leave_no_word_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        choose("preprocess", {"tokenize": settings})
    assert message in setting_problems(caught.value)[0].message


LOSS = as_tuple(choose_some("losses", ["cross_entropy"]))


def described(folder: Path, features: Any, *steps: Any) -> DataInfo:
    lines = [f'"{text}",note {row},{row},{"ab"[row % 2]}' for row, text in enumerate(TRAIN)]
    (folder / "t.csv").write_text("\n".join(["message,note,number,y", *lines]), "utf-8")
    section = {"source": {"csv": "t.csv"}, "target": "y", "split": {"validation": 0, "test": 0}}
    return describe(DataSection.read({**section, "features": features, "preprocess": steps}), LOSS, folder)


def test_a_column_of_texts_is_an_input_of_whole_numbers(tmp_path: Path) -> None:
    info = described(tmp_path, {"text": "message", "rest": "number"}, {"tokenize": {"columns": "message"}})
    rows = info.inputs("text")
    assert rows.dtype == np.int32
    assert info.features["text"].vocabulary == len(words("word")) + FIRST
    assert [row[row != 0].tolist() for row in rows] == sequences("word", words("word"), TRAIN)


@pytest.mark.parametrize(
    ("features", "hint"),
    [
        (("message", "number"), "give it an input of its own: `features: {message: message, rest: [number]}`"),
        (("message", "note"), "give it an input of its own: `features: {message: message, note: note}`"),
    ],
)
def test_other_columns_in_the_same_input_are_refused_and_the_way_out_works(
    tmp_path: Path, features: Any, hint: str
) -> None:
    columns = [name for name in features if name != "number"]
    with pytest.raises(SourceError) as caught:
        described(tmp_path, features, {"tokenize": {"columns": columns}})
    assert caught.value.message == f"tokenize makes an input of 'message', and '{features[1]}' is in the same input"
    assert caught.value.hint == hint
    inputs = {"message": "message", "rest" if "number" in features else "note": features[1]}
    assert described(tmp_path, inputs, {"tokenize": {"columns": columns}}).features.keys() == inputs.keys()


def test_free_text_that_no_step_takes_gets_the_line_to_add(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("message,y\nsee you at the station,a\nthis is an offer for you,b\n")
    data = DataSection.read({"source": {"csv": "t.csv"}, "target": "y"})
    with pytest.raises(SourceError) as caught:
        describe(data, LOSS, tmp_path)
    assert caught.value.hint == "add to `preprocess`: `tokenize: {columns: message}`"


@pytest.mark.skipif(importlib.util.find_spec("tokenizers") is not None, reason="tokenizers is installed")
def test_pieces_of_words_without_their_package_are_refused_with_the_line_to_install_it() -> None:
    with pytest.raises(EncodeError) as caught:
        step_of({"tokenize": "subword"}).learn(column_of(TRAIN))
    assert caught.value.message == "`unit: subword` needs the package tokenizers, which is not installed"
    assert caught.value.hint == "pip install 'dlrun[subword]'; `unit: word` and `unit: character` need no package"


@pytest.mark.skipif(importlib.util.find_spec("tokenizers") is None, reason="tokenizers is not installed")
class TestPieces:
    def test_they_are_learned_from_the_training_rows_and_spell_every_text(self) -> None:
        step = step_of({"tokenize": {"unit": "subword", "vocabulary": 60}})
        learned = json.loads(json.dumps(step.learn(column_of(TRAIN))))
        assert learned == step.learn(column_of(TRAIN))
        names = {place: piece for piece, place in learned["tokenizer"]["model"]["vocab"].items()}
        assert [names[place] for place in range(FIRST)] == ["[PAD]", "[UNK]", "[START]", "[END]"]
        assert step.index_count(learned) == len(names) <= 60
        rows = matrix(step.encode(column_of(TRAIN), learned))
        for text, row in zip(TRAIN, rows, strict=True):
            assert "".join(names[place] for place in row if place) == text.lower().replace(" ", "")

    def test_the_name_of_a_reserved_index_in_a_text_is_plain_characters(self) -> None:
        step = step_of({"tokenize": {"unit": "subword", "lower": False}})
        learned = step.learn(column_of(["[PAD] [END] x", "y"]))
        (row,) = matrix(step.encode(column_of(["[PAD] [END] x"]), learned))
        assert (row >= FIRST).all()
