from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain, repeat
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from dlrun.components.preprocess import Column, EncodeError, Encoder, Learned
from dlrun.components.preprocess._categories import need_values
from dlrun.components.preprocess._subwords import learn_pieces, pieces
from dlrun.language.fields import Positive
from dlrun.language.words import most_frequent, splitter

PADDING, UNKNOWN, START, END = range(4)


class Tokenize(Encoder):
    """Turn a column of texts into sequences of indices of their words, characters or pieces of words.

    The column is an input of its own: `features: {message: message, rest: [...]}`, or `features: message`. A word is a
    run of letters, digits and `_`, of any script; every other character but a space is a word of its own:
    `don't stop!` is `don`, `'`, `t`, `stop`, `!`. The most frequent words of the training rows have indices from 4 on,
    equally frequent ones in the order of the alphabet. Index 0 is padding, 1 is a word that has no index, 2 is the
    start of a text, 3 its end.

    A text of more than `length` words is cut at its end; a shorter one is filled up with index 0, for `padding_idx: 0`
    of `embedding`, whose `num_embeddings` is `$vocabulary`.

    Shape: one text -> (length,) indices
    Reference: Jurafsky and Martin, Speech and language processing, chapter 2; Sennrich, Haddow and Birch, Neural
        machine translation of rare words with subword units, 2016.
    Example: tokenize: {columns: message, unit: word, vocabulary: 5000, length: 50}
    """

    synonyms = ("tokenizer", "text_vectorization", "count_vectorizer", "tokens", "bag_of_words", "texts_to_sequences")
    takes = ("text",)
    reads = "text"
    own_input: ClassVar[bool] = True

    unit: Literal["word", "character", "subword"] = "word"
    """What has an index: a word; a character, spaces too; or a `subword`, a piece of a word that is frequent in the
    training rows, for which the package tokenizers is installed (`pip install 'dlrun[subword]'`)."""
    vocabulary: Annotated[int, Field(gt=4)] = 5000
    """The most indices, with the four that are no words."""
    length: Positive | None = None
    """How many indices a row has; unless given, as many as the longest training row needs."""
    lower: bool = True
    """Turn capital letters into small ones first."""
    minimum: Positive = 1
    """How often a word must be in the training rows to have an index of its own."""
    start: bool = False
    """Put index 2 before the first word."""
    end: bool = False
    """Put index 3 after the last word, also of a text that is cut."""
    padding: Literal["right", "left"] = "right"
    """On which side a short text is filled up."""

    @model_validator(mode="after")
    def _length_for_words(self) -> Self:
        if self.length is not None and self.length <= self.start + self.end:
            raise ValueError(f"a `length` of {self.length} has no place for a word beside the start and the end")
        return self

    def learn(self, column: Column) -> Learned:
        import numpy as np

        assert column.codes is not None
        rows = np.bincount(column.codes[column.codes >= 0], minlength=len(column.texts)).tolist()
        if self.unit == "subword":
            texts = chain.from_iterable(map(repeat, column.texts, rows))
            learned: Learned = {"tokenizer": learn_pieces(texts, self.vocabulary, self.minimum, self.lower)}
        else:
            counts: Counter[str] = Counter()
            for words, often in zip(self._split(column.texts), rows, strict=True):
                counts.update(words if often == 1 else words * often)
            learned = {"vocabulary": most_frequent(counts.items(), self.minimum, self.vocabulary - 1 - END)}
        if self.index_count(learned) == 1 + END:
            message = f"no {self.unit} is {self.minimum} times in the training rows of the column '{column.name}'"
            raise EncodeError(message, "lower `minimum`" if self.minimum > 1 else "leave the column out")
        length = self.length
        if length is None:
            length = max(map(len, self._numbered(column.texts, learned))) + self.start + self.end
        return {**learned, "length": length}

    def encode(self, column: Column, learned: Learned) -> list[Column]:
        import numpy as np

        assert column.codes is not None
        need_values(column, "a text")
        length = learned["length"]
        table = np.full((len(column.texts), length), PADDING, np.int32)
        for row, indices in zip(table, self._numbered(column.texts, learned), strict=True):
            kept = indices[: length - self.start - self.end]
            whole = [START] * self.start + kept + [END] * self.end
            if self.padding == "right":
                row[: len(whole)] = whole
            else:
                row[length - len(whole) :] = whole
        rows = table[column.codes]
        return [Column(f"{column.name}[{place}]", rows[:, place]) for place in range(length)]

    def index_count(self, learned: Learned) -> int:
        if self.unit == "subword":
            return len(learned["tokenizer"]["model"]["vocab"])
        return len(learned["vocabulary"]) + 1 + END

    def _split(self, texts: Sequence[str]) -> Iterator[Sequence[str]]:
        """The words, or the characters, of each text."""
        split = splitter("word" if self.unit == "word" else "character")
        return (split(text.lower() if self.lower else text) for text in texts)

    def _numbered(self, texts: Sequence[str], learned: Learned) -> Iterator[list[int]]:
        """The indices of the words of each text."""
        if self.unit == "subword":
            yield from pieces(list(texts), learned["tokenizer"])
            return
        places = {word: place for place, word in enumerate(learned["vocabulary"], 1 + END)}
        for words in self._split(texts):
            yield [places.get(word, UNKNOWN) for word in words]
