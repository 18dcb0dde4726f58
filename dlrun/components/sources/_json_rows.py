"""Lines of JSON as rows: read strictly, with the line of each mistake."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from dlrun.components.sources import SourceError
from dlrun.components.sources._bad_rows import BadRows
from dlrun.components.sources._encoding import beginning, first_wrong_line, other_file
from dlrun.components.sources._files import TableFile
from dlrun.components.sources._text import Part, bounded, open_text
from dlrun.language.suggestions import shorten

Row = dict[str, Any]


@contextmanager
def open_rows(
    file: TableFile, limit: int | None = None, bad: BadRows | None = None, before: int = 0
) -> Iterator[JsonRows]:
    """The rows of a file, or of its first `limit` bytes.

    Args:
        file: the file.
        limit: how many bytes are read; None for all.
        bad: takes the rows that cannot be read, each of which is then one without values; None to refuse them.
        before: how many rows come before those of this file.

    Raises:
        SourceError: the file cannot be read, now or in the block.
    """
    try:
        with open_text(file, "utf-8-sig", limit) as part:
            yield JsonRows(file, part, bad, before)
    except UnicodeError:
        what = other_file(beginning(file))
        if what:
            raise SourceError(f"{file.name} is {what}, not UTF-8 text", file.at) from None
        line, text, start, _ = first_wrong_line(file, "utf-8-sig")
        byte = ord(text[start]) - 0xDC00 if text else 0
        message = f"{file.name}:{line}: the line has the byte 0x{byte:02x}, which is not UTF-8"
        raise SourceError(message, file.at, "save the file as UTF-8, as JSON is") from None


class JsonRows:
    """The rows of an open file."""

    def __init__(self, file: TableFile, part: Part, bad: BadRows | None, before: int):
        self.file, self.part, self.line, self.count = file, part, 0, 0
        self.bad, self.before = bad, before

    @property
    def place(self) -> str:
        """The last line read, ``wine.jsonl:17``."""
        return f"{self.file.name}:{self.line}"

    def __iter__(self) -> Iterator[Row]:
        """The object of each line that is not empty."""
        decode = strict_decoder()
        for text in bounded(self.file, self.part.text):
            self.line += 1
            if text.isspace():
                continue
            if self.bad is not None:
                self.bad.row = self.before + self.count
            try:
                row = self._read(decode, text)
            except SourceError as error:
                row = self.set_aside(error)
            self.count += 1
            yield row

    def set_aside(self, error: SourceError) -> Row:
        """Note down the last row as bad; gives one without values.

        Raises:
            SourceError: the same, where bad rows are errors.
        """
        if self.bad is None:
            raise error
        self.bad.add(error.message.removeprefix(f"{self.place}: "))
        return {}

    def _read(self, decode: Callable[[str], Any], text: str) -> Row:
        try:
            row = decode(text)
        except json.JSONDecodeError as error:
            raise self._broken(text, error) from None
        except WrongJsonError as error:
            raise SourceError(f"{self.place}: {error}", self.file.at, error.hint) from None
        except RecursionError:
            raise SourceError(f"{self.place}: nested too deep", self.file.at) from None
        except ValueError:  # Python limits the digits of a whole number
            raise SourceError(f"{self.place}: a number of too many digits", self.file.at) from None
        if "\\u" in text:
            self._refuse_half(row)
        if not isinstance(row, dict):
            message = f"{self.place}: {named(row)}, and each line is an object"
            raise SourceError(message, self.file.at, self._way_out(text))
        return row

    def _refuse_half(self, row: Any) -> None:
        """Refuse an escape that is half of a character, which no text can have."""
        try:
            json.dumps(row, ensure_ascii=False).encode()
        except UnicodeEncodeError as error:
            half = f"\\u{ord(error.object[error.start]):04x}"
            message = f"{self.place}: {half} is half of a character"
            raise SourceError(message, self.file.at, "write the character itself, or both of its escapes") from None

    def _broken(self, text: str, error: json.JSONDecodeError) -> SourceError:
        what = f"{error.msg[0].lower()}{error.msg[1:]}"
        message = f"{self.place}: the line is not JSON: {what}, at character {error.pos + 1}"
        return SourceError(message, self.file.at, self._way_out(text))

    def _way_out(self, text: str) -> str:
        if self.line == 1 and text.lstrip().startswith("["):
            return "write each row on a line of its own: `df.to_json(path, orient='records', lines=True)`"
        if text.lstrip().startswith("{") and "\0" not in text and self.line == 1:
            return 'write each row on one line: {"a": 1, "b": "x"}'
        return f"the line is {shorten(text.strip())}" if text.strip() else ""


def strict_decoder() -> Callable[[str], Any]:
    """What reads a text as JSON: no key twice, and no number that JSON does not have, which is a `WrongJsonError`."""
    return json.JSONDecoder(object_pairs_hook=_once, parse_constant=_no_constant).decode


class WrongJsonError(Exception):
    """A text is what many programs take for JSON, and is not."""

    def __init__(self, message: str, hint: str):
        super().__init__(message)
        self.hint = hint


def _once(pairs: list[tuple[str, Any]]) -> Row:
    row = dict(pairs)
    if len(row) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))
        raise WrongJsonError(f"the key '{shorten(twice)[1:-1]}' stands twice", "give each key a name of its own")
    return row


def _no_constant(name: str) -> Any:
    raise WrongJsonError(f"{name} is not JSON", "write null where there is no value")


def named(value: Any) -> str:
    """What a value is, in words."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, str):
        return f"the text {json.dumps(shorten(value)[1:-1], ensure_ascii=False)}"
    if isinstance(value, int | float):
        return f"the number {shorten(str(value))[1:-1]}"
    return "a list" if isinstance(value, list) else "an object"
