"""Shared by the sources of texts: the files as one sequence of tokens, and the vocabulary of its first part."""

from __future__ import annotations

import codecs
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlrun.components.sources import SourceError
from dlrun.components.sources._encoding import other_file
from dlrun.components.sources._files import LOOK, WHOLE, find_files
from dlrun.components.sources._labels import counts_of
from dlrun.errors import SpecPath
from dlrun.language.words import Unit, most_frequent, splitter

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

UNKNOWN = "(unknown)"
"""Index 0: every token that is not in the vocabulary. No token is written so."""


@dataclass(frozen=True, slots=True, eq=False)
class Corpus:
    """The tokens of some files, one file after the other."""

    name: str
    at: SpecPath
    """The path below `data` of the setting that names the files."""
    unit: Unit
    distinct: tuple[str, ...]
    """Each token once."""
    codes: Array
    """(tokens,) for each token its place in `distinct`."""
    ends: tuple[int, ...]
    """Where each file ends among the tokens."""
    share: float = 1.0
    """The share of the bytes that was read."""

    def __len__(self) -> int:
        return len(self.codes)

    @property
    def complete(self) -> bool:
        """Whether all of it was read."""
        return self.share == 1.0

    def pieces(self, start: int, end: int) -> list[tuple[int, int]]:
        """The parts of the files between two tokens: where each starts and ends."""
        starts = (0, *self.ends[:-1])
        found = ((max(start, first), min(end, last)) for first, last in zip(starts, self.ends, strict=True))
        return [(first, last) for first, last in found if first < last]

    def vocabulary(self, count: int, minimum: int = 1, most: int | None = None) -> tuple[str, ...]:
        """The tokens that have an index, in order: `UNKNOWN`, then the most frequent ones of the first `count` tokens;
        equally frequent ones by the alphabet.

        Args:
            count: how many tokens it is learned from.
            minimum: how often one must be among them.
            most: the most indices.
        """

        often = counts_of(self.codes[:count], len(self.distinct))
        counts = zip(self.distinct, often, strict=True)
        return (UNKNOWN, *most_frequent(counts, minimum, None if most is None else most - 1))

    def indices(self, vocabulary: Sequence[str]) -> Array:
        """(tokens,) the index of each token, as the smallest whole numbers that hold all."""
        import numpy as np

        places = {token: place for place, token in enumerate(vocabulary)}
        kind = np.min_scalar_type(len(vocabulary))
        return np.array([places.get(token, 0) for token in self.distinct], kind)[self.codes]


def read_corpus(path: str, folder: Path, at: tuple[str, ...], unit: Unit, lower: bool, whole: bool = True) -> Corpus:
    """Read the files of a path or a pattern, in the order of their names.

    Args:
        path: the file, or a pattern.
        folder: where a relative path starts.
        at: the path below `data` of the setting that names the files.
        unit: what a token is.
        lower: whether capital letters become small ones.
        whole: whether all is wanted; of large files only a part is read otherwise.

    Raises:
        SourceError: there is no such file, one is not UTF-8 text, or has no tokens.
    """
    import numpy as np

    files = find_files(path, folder, at)
    size = sum(file.stat().st_size for file in files)
    looks = not whole and size > WHOLE
    left, split = (LOOK if looks else size), splitter(unit)
    read, ends, codes, places = 0, [], [], dict[str, int]()
    for file in files:
        if looks and left <= 0:
            break
        text, taken = read_text(file, at, left if looks else None)
        read, left = read + taken, left - taken
        tokens = split(text.lower() if lower else text)
        if not tokens:
            what = f"no {unit}s" if text else "no text"
            raise SourceError(f"{file.name} has {what} in it", at)
        found = _codes(tokens, places)
        codes.append(found)
        ends.append((ends[-1] if ends else 0) + len(found))
    name = files[0].name if len(files) == 1 else str(Path(*Path(path).parts[-2:]))
    share = read / size if looks else 1.0
    return Corpus(name, at, unit, tuple(places), np.concatenate(codes), tuple(ends), share)


def _codes(tokens: Sequence[str], places: dict[str, int]) -> Array:
    """The place of each token; new ones get the next."""
    import numpy as np

    if isinstance(tokens, str):
        points = np.frombuffer(tokens.encode("utf-32-le"), np.uint32)
        used = np.flatnonzero(np.bincount(points))
        found = np.zeros(used[-1] + 1, np.int32)
        found[used] = [places.setdefault(chr(point), len(places)) for point in used.tolist()]
        return found[points]
    return np.fromiter((places.setdefault(token, len(places)) for token in tokens), np.int32, len(tokens))


def read_text(file: Path, at: tuple[str, ...], most: int | None = None) -> tuple[str, int]:
    """A text of UTF-8, and how many bytes were read; a line ends in one newline, however the file ends it.

    Args:
        file: the file.
        at: the path below `data` of the setting that names it.
        most: the most bytes that are read, if not all.

    Raises:
        SourceError: the file cannot be read, or is not UTF-8.
    """
    try:
        with file.open("rb") as stream:
            data = stream.read(-1 if most is None else most)
    except OSError as error:
        raise SourceError(f"{file.name} cannot be read: {error.strerror or error}", at) from None
    if what := other_file(data):
        raise SourceError(f"{file.name} is {what}, not UTF-8 text", at, "unpack it, or save it as UTF-8 text")
    try:
        text = codecs.getincrementaldecoder("utf-8-sig")().decode(data, most is None)
    except UnicodeDecodeError as error:
        at_byte = error.start + len(codecs.BOM_UTF8) * data.startswith(codecs.BOM_UTF8)
        seen = data[at_byte : at_byte + 1]
        message = f"{_place(file, data, at_byte)}: the byte 0x{seen.hex()} is not UTF-8"
        hint = f"if it is '{seen.decode('cp1252', 'replace')}', the file is Windows-1252: save it as UTF-8"
        raise SourceError(message, at, hint) from None
    if "\0" in text:
        message = f"{_place(file, data, data.index(0))}: there is a NUL, which no text has"
        raise SourceError(message, at, "if the file is UTF-16, save it as UTF-8")
    return text.replace("\r\n", "\n"), len(data)


def _place(file: Path, data: bytes, byte: int) -> str:
    """The file, line and column of a byte; all before it is UTF-8."""
    before = data[:byte].decode("utf-8-sig")
    line = before.count("\n") + 1
    return f"{file.name}:{line}:{len(before) - before.rfind(chr(10))}"
