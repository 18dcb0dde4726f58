"""Pieces of words, by byte-pair encoding: the library tokenizers, which is imported only here."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from dlrun.components.preprocess import EncodeError

RESERVED = ("[PAD]", "[UNK]", "[START]", "[END]")
"""The names of the indices that are no pieces, in order."""


def learn_pieces(texts: Iterable[str], size: int, minimum: int, lower: bool) -> dict[str, Any]:
    """What the library learned of some texts, as its own JSON.

    Args:
        texts: one for each training row.
        size: the most indices, with those of `RESERVED`.
        minimum: in how many places two pieces must be side by side to become one.
        lower: whether capital letters become small ones first.

    Raises:
        EncodeError: the library is not installed.
    """
    library = _library()
    tokenizer = library.Tokenizer(library.models.BPE(unk_token=RESERVED[1]))
    if lower:
        tokenizer.normalizer = library.normalizers.Lowercase()
    tokenizer.pre_tokenizer = library.pre_tokenizers.Whitespace()
    trainer = library.trainers.BpeTrainer(
        vocab_size=size, min_frequency=minimum, special_tokens=list(RESERVED), show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    return json.loads(tokenizer.to_str())


def pieces(texts: list[str], learned: dict[str, Any]) -> list[list[int]]:
    """The indices of the pieces of each text.

    Raises:
        EncodeError: the library is not installed.
    """
    tokenizer = _library().Tokenizer.from_str(json.dumps(learned))
    tokenizer.encode_special_tokens = True  # a text that has "[PAD]" in it means these characters
    return [found.ids for found in tokenizer.encode_batch(texts, add_special_tokens=False)]


def _library() -> Any:
    try:
        import tokenizers  # pyright: ignore[reportMissingImports]
    except ModuleNotFoundError:
        message = "`unit: subword` needs the package tokenizers, which is not installed"
        hint = "pip install 'dlrun[subword]'; `unit: word` and `unit: character` need no package"
        raise EncodeError(message, hint) from None
    return tokenizers
