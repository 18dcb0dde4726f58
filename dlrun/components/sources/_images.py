"""Images as a field: their size from the headers of some files, and their numbers from the cache."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlrun import cache
from dlrun.components.sources import Field, SourceError
from dlrun.components.sources._decoding import DecodingError, decoded
from dlrun.components.sources._pixels import Header, ImageError, Rule, header
from dlrun.stored import stamp

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

AT = ("source", "images", "path")
VERSION = 1
"""Of the rules in `_pixels.py`: another one makes the images of the cache anew."""
LOOKED_AT = 512
"""How many files are opened to find the size of all images."""
NAMED = 20
"""How many files an error names."""


@dataclass(frozen=True, slots=True)
class ImageSettings:
    """Those of the source that decide what an image becomes, and which files are read."""

    size: tuple[int, ...] | None
    """(height, width)"""
    resize: str
    channels: int | None
    outside: bool


class ImageFiles:
    """The files of the rows, in order."""

    def __init__(self, name: str, root: Path, paths: Sequence[str], settings: ImageSettings, whole: bool):
        """Look at some of the files.

        Args:
            name: what the data is called.
            root: the folder that the paths start from.
            paths: of each row's image.
            settings: the source's.
            whole: whether all images will be decoded.

        Raises:
            SourceError: a file is no image, or the images differ in size or channels and no setting makes them equal.
        """
        self.name, self.root, self.paths, self.settings = name, root, paths, settings
        self.rule = self._rule(whole)
        self._cached: cache.Cached | None = None

    def field(self, name: str) -> Field:
        """The images as a field of the data."""
        rule = self.rule
        recipe = {
            "size": [rule.height, rule.width],
            "resize": rule.resize,
            "channels": rule.channels,
            "bits": rule.bits,
        }
        shape = (rule.channels, rule.height, rule.width)
        return Field(name, "image", shape, rule.bits // 8, whole=True, what="images", stored=True, recipe=recipe)

    def cached(self) -> cache.Cached:
        """The numbers of all images (N, channels, height, width), decoded where they are not in the cache.

        Raises:
            SourceError: files cannot be used; the first ones are named.
        """
        if self._cached is None:
            from importlib.metadata import version

            rule, before = self.rule, self._stamps()
            recipe = {"version": VERSION, "pillow": version("pillow"), **rule._replace(like="")._asdict()}
            name = cache.key("images", recipe, zip(self.paths, before, strict=True))
            size = len(self.paths) * rule.channels * rule.height * rule.width * rule.bits // 8
            what = f"{len(self.paths):,} images of {self.name}"
            try:
                entry = cache.entry(name, what, size, lambda writer: self._decode(what, before, writer))
            except cache.CacheError as error:
                raise SourceError(error.message, AT, error.hint) from None
            self._cached = entry.arrays["images"]
        return self._cached

    def forget(self) -> None:
        """Free the numbers."""
        self._cached = None

    def _rule(self, whole: bool) -> Rule:
        count = len(self.paths)
        step = max(1, -(-count // LOOKED_AT))
        headers, wrong = self._headers(range(0, count, step))
        if wrong and (not whole or not headers):  # where all are decoded, all that are wrong are found then
            headers, wrong = self._headers(range(count))
            refuse(wrong, f"{len(wrong):,} of {count:,} images cannot be used")
        given = self.settings
        size = given.size or self._same(headers, lambda one: one[:2], lambda v: f"is {v[0]} x {v[1]} pixels", SIZE_HINT)
        channels = given.channels or self._same(
            headers, lambda one: one.channels, lambda v: "is grey" if v == 1 else "has colours", CHANNELS_HINT
        )
        bits = 8
        if channels == 1:
            bits = self._same(headers, lambda one: one.bits, lambda v: f"has {v} bits a pixel", BITS_HINT)
        resize = given.resize if given.size else None
        return Rule(size[0], size[1], channels, bits, resize, given.channels == 1, self.paths[next(iter(headers))])

    def _headers(self, rows: Iterable[int]) -> tuple[dict[int, Header], list[str]]:
        """What the files of some rows say, and which cannot be used, and why."""
        found: dict[int, Header] = {}
        wrong: list[str] = []
        for row in rows:
            try:
                found[row] = header(f"{self.root}{os.sep}{self.paths[row]}")
            except ImageError as error:
                wrong.append(f"{self.paths[row]} {error}")
        return found, wrong

    def _same(
        self, headers: Mapping[int, Header], part: Callable[[Header], Any], words: Callable[[Any], str], hint: str
    ) -> Any:
        """What all headers have in common.

        Raises:
            SourceError: two of them differ.
        """
        (first, one), *others = headers.items()
        value = part(one)
        for row, other in others:
            if part(other) != value:
                message = f"{self.paths[first]} {words(value)}, and {self.paths[row]} {words(part(other))}"
                raise SourceError(message, AT, hint)
        return value

    def _stamps(self) -> list[str]:
        """Of every file, what changes with it.

        Raises:
            SourceError: a file is not there any more.
        """
        wrong, found = [], []
        root = f"{self.root}{os.sep}"
        for path in self.paths:
            try:
                found.append(stamp(os.stat(root + path)))  # noqa: PTH116  # a Path takes longer than the call
            except OSError as error:
                wrong.append(f"{path}: {error.strerror}")
        refuse(wrong, f"{len(wrong):,} of {len(self.paths):,} images cannot be read")
        return found

    def _decode(self, what: str, before: list[str], writer: cache.Writer) -> Mapping[str, Any]:
        import numpy as np

        wrong: list[str] = []
        dtype, shape = "|u1" if self.rule.bits == 8 else "<u2", (self.rule.channels, self.rule.height, self.rule.width)
        task = f"decoding {what}"
        done, paths = 0, [f"{self.root}{os.sep}{path}" for path in self.paths]
        try:
            with contextlib.closing(decoded(paths, self.rule)) as blocks:  # its processes end with it
                for errors, found in blocks:
                    cache.report(task, done / len(paths))
                    names = self.paths[done : done + len(errors)]
                    wrong += [f"{name} {error}" for name, error in zip(names, errors, strict=True) if error]
                    done += len(errors)
                    if not wrong:
                        writer.add("images", np.frombuffer(found, dtype).reshape(-1, *shape))
        except DecodingError as error:
            raise SourceError(str(error), AT, "there may be too little memory") from None
        refuse(wrong, f"{len(wrong):,} of {len(paths):,} images cannot be used")
        cache.report(task, 1)
        changed = [name for name, old, new in zip(self.paths, before, self._stamps(), strict=True) if old != new]
        refuse(changed, f"{len(changed):,} images changed while they were read")
        return {}


SIZE_HINT = "`size: [height, width]` makes them equal, as `resize` says: stretch, fit or crop"
CHANNELS_HINT = "`channels: 3` reads all as colours, `channels: 1` as grey"
BITS_HINT = "save all with 8 bits, or all with 16; `channels: 3` keeps the high 8 bits"


def refuse(wrong: Sequence[str], what: str, hint: str = "mend or remove them") -> None:
    """Name files that cannot be used, the first ones.

    Raises:
        SourceError: there are any.
    """
    if not wrong:
        return
    more = [f"and {len(wrong) - NAMED:,} more"] if len(wrong) > NAMED else []
    raise SourceError("\n  ".join([f"{what}:", *wrong[:NAMED], *more]), AT, hint)
