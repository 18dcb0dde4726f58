"""Create snippets.npz, sentences of film reviews as numbers of words, from vaderSentiment's source archive.

    pip download --no-deps --no-binary :all: vaderSentiment==3.3.2
    python specs/nets/data/make_snippets.py vaderSentiment-3.3.2.tar.gz specs/nets/data/snippets.npz

README.md in this folder describes the content of the archive and its licence.
"""

from __future__ import annotations

import io
import re
import sys
import tarfile
from collections import Counter
from pathlib import Path

INNER = "additional_resources/hutto_ICWSM_2014.tar.gz"
RATED = "movieReviewSnippets_GroundTruth.txt"
CLEAR = 1.0
"""The smallest distance of a mean rating (-4 to 4) from 0; below it the raters do not agree on the sign."""
LENGTH = 40
"""Words per row; 1 sentence in 80 is longer and is cut."""
NOTHING, UNKNOWN = "", "<unknown>"
"""The words with the numbers 0 and 1."""
WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*|[!?]")


def rated(archive: Path) -> str:
    """The rated sentences; each line is a number, the mean rating and the sentence, separated by tabs."""
    with tarfile.open(archive) as outer:
        (member,) = (name for name in outer.getnames() if name.endswith(INNER))
        inside = outer.extractfile(member)
        assert inside is not None
        with tarfile.open(fileobj=io.BytesIO(inside.read())) as inner:
            (member,) = (name for name in inner.getnames() if name.endswith("/" + RATED))
            inside = inner.extractfile(member)
            assert inside is not None
            return inside.read().decode("utf-8")


def words_of(sentence: str) -> tuple[str, ...]:
    """Words in lower case, with the apostrophes inside them; the only other signs are ! and ?."""
    return tuple(WORD.findall(sentence.lower().replace("’", "'")))


def clear(text: str) -> list[tuple[tuple[str, ...], bool]]:
    """Each clear sentence once, and whether it is positive; no sentence may be in both training and test rows."""
    ratings: dict[tuple[str, ...], list[float]] = {}
    for line in text.splitlines():
        _, rating, sentence = line.split("\t", 2)
        ratings.setdefault(words_of(sentence), []).append(float(rating))
    means = {words: sum(given) / len(given) for words, given in ratings.items() if words}
    return [(words, mean > 0) for words, mean in means.items() if abs(mean) >= CLEAR]


def vocabulary(sentences: list[tuple[str, ...]]) -> list[str]:
    """The words by number: those that occur at least twice, the most frequent first.

    The ratings are not used, so the number of a word reveals nothing about the labels of the test rows.
    """
    counts = Counter(word for words in sentences for word in words)
    often = [word for word, count in counts.items() if count > 1]
    return [NOTHING, UNKNOWN, *sorted(often, key=lambda word: (-counts[word], word))]


def main(archive: Path, made: Path) -> None:
    import numpy as np

    rows = clear(rated(archive))
    words = vocabulary([sentence for sentence, _ in rows])
    number = {word: at for at, word in enumerate(words)}
    ids = np.zeros((len(rows), LENGTH), np.uint16)
    for row, (sentence, _) in zip(ids, rows, strict=True):
        row[: len(sentence)] = [number.get(word, number[UNKNOWN]) for word in sentence[:LENGTH]]
    label = np.array(["positive" if praises else "negative" for _, praises in rows])
    np.savez_compressed(made, ids=ids, label=label, words=np.array(words))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
