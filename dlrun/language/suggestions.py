"""Suggestions for words that are not known, and values as an error shows them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

MOST_COMPARED = 100_000
"""How many names and synonyms the unknown words of one spec are compared with: more suggestions help nobody."""
_left: ContextVar[list[int] | None] = ContextVar("left", default=None)


@contextmanager
def few_suggestions() -> Iterator[None]:
    """Bound the time that all suggestions made inside the `with` take together; those beyond it are ''."""
    if _left.get() is not None:
        yield
        return
    token = _left.set([MOST_COMPARED])
    try:
        yield
    finally:
        _left.reset(token)


def snake_case(word: str) -> str:
    """``Conv2D`` -> ``conv2d``, ``BatchNorm2d`` -> ``batch_norm2d``, ``ReLU`` -> ``relu``."""
    word = re.sub(r"[\s.-]+", "_", word.strip())
    word = re.sub(r"(?<=[a-z0-9])(?=[A-Z][a-z])", "_", word)
    return word.lower()


def suggest(word: str, known: Iterable[str], synonyms: Mapping[str, str] | Mapping[str, tuple[str, ...]]) -> str:
    """The known name that somebody who wrote `word` most likely meant, or ''."""
    if (left := _left.get()) is not None and left[0] <= 0:
        return ""
    names = list(known)
    if left is not None:
        left[0] -= len(names) + len(synonyms)
    snake = snake_case(word)
    squeezed = snake.replace("_", "")
    for name in names:
        if name.replace("_", "").lower() == squeezed:
            return name
    by_letters = {key.replace("_", ""): meant for key, meant in synonyms.items()}
    for meant in (synonyms.get(word), synonyms.get(snake), by_letters.get(squeezed)):
        for name in (meant,) if isinstance(meant, str) else meant or ():
            if name.split(":")[0] in names:
                return name
    letters = sorted(snake)
    for name in names:  # the right letters in another order: difflib takes a longer name for nearer
        if len(name) == len(snake) and sorted(name.lower()) == letters:
            return name
    import difflib  # slow to import, and only a mistake needs it

    close = difflib.get_close_matches(snake[:100], names, 1, 0.7)
    return close[0] if close else ""


def did_you_mean(word: str, known: Iterable[str], synonyms: Mapping[str, str] | Mapping[str, tuple[str, ...]]) -> str:
    """``; did you mean 'x'?``, or ''."""
    meant = suggest(word, known, synonyms)
    return f"; did you mean '{meant}'?" if meant else ""


def shorten(value: object, limit: int = 60) -> str:
    """A received value as the user would write it, cut to fit a line."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        text = "true" if value else "false"
    elif isinstance(value, tuple | list):
        text = "[" + ", ".join(shorten(item, 20) for item in value[:8]) + (", …" if len(value) > 8 else "") + "]"
    elif isinstance(value, dict):
        text = "{" + ", ".join(f"{key}: …" for key in list(value)[:4]) + "}"
    elif isinstance(value, str):
        text = f"'{value}'"
    else:
        text = str(value)
    return text if len(text) <= limit else text[: limit - 1] + "…"
