"""Shared by the sources of tables: the rows that a reader finds, in memory, or in the cache where files are large."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from dlrun.cache import Entry, Writer
from dlrun.components.sources import Texts
from dlrun.components.sources._collected import Collected
from dlrun.components.sources._extents import Extent, known_extent, wider

if TYPE_CHECKING:
    import numpy as np

    from dlrun.stored import StoredArray

    Array = np.ndarray[Any, Any]

AT_A_TIME = 4096
"""Rows that a reader without blocks of its own adds together."""


class Filling:
    """What a reader fills: numbers side by side, and texts, which it adds before the numbers of the same rows."""

    def __init__(self, numbers: Sequence[str], texts: Sequence[str]):
        self.names = tuple(numbers)
        self.texts = {name: Collected() for name in texts}
        self.rows = 0

    def expect(self, rows: int) -> None:
        """About how many rows there will be."""

    def add(self, numbers: Array) -> None:
        """Add rows of numbers (rows, columns), float64."""
        self.rows += len(numbers)

    def clear(self) -> None:
        """Forget what was added: another reader begins."""
        self.rows = 0
        self.texts = {name: Collected() for name in self.texts}


class Block:
    """Rows that are added one by one, and to what is filled some at a time."""

    def __init__(self, into: Filling):
        self.into, self.values, self.rows = into, array("d"), 0

    def add(self, values: Iterable[float]) -> None:
        """Add a row of numbers."""
        self.values.extend(values)
        self.rows += 1
        if self.rows == AT_A_TIME:
            self.finish()

    def finish(self) -> None:
        """Add what is left."""
        import numpy as np

        if self.rows:
            self.into.add(np.frombuffer(self.values).reshape(self.rows, -1))
        self.values, self.rows = array("d"), 0


class InMemory(Filling):
    """All rows in memory."""

    def __init__(self, numbers: Sequence[str], texts: Sequence[str]):
        import numpy as np

        super().__init__(numbers, texts)
        self._table = np.empty((0, len(numbers)))

    def expect(self, rows: int) -> None:
        self._grow(rows)  # a page of memory that no row needs is never touched

    def add(self, numbers: Array) -> None:
        end = self.rows + len(numbers)
        if end > len(self._table):
            self._grow(end + end // 4)
        self._table[self.rows : end] = numbers
        super().add(numbers)

    def result(self) -> tuple[Numbers, dict[str, Texts]]:
        """What was added; the memory that no row needs is given back."""
        if self.names:
            self._table.resize((self.rows, len(self.names)), refcheck=False)
        return Numbers(self.names, self._table), {name: found.result() for name, found in self.texts.items()}

    def _grow(self, rows: int) -> None:
        import numpy as np

        table = np.empty((rows, len(self.names)))
        table[: self.rows] = self._table[: self.rows]
        self._table = table


class Numbers:
    """Columns of numbers side by side, in memory."""

    def __init__(self, names: Sequence[str], values: Any):
        """`values`: (rows, columns); None without columns."""
        self.places, self.values = {name: index for index, name in enumerate(names)}, values

    def columns(self, names: Sequence[str]) -> Array:
        """Some of the columns, (rows, columns) float64; no copy where they lie side by side."""
        places = [self.places[name] for name in names]
        if places == list(range(places[0], places[0] + len(places))):
            return self.values[:, places[0] : places[0] + len(places)]
        return self.values[:, places]

    def digest(self, names: Sequence[str]) -> str | None:
        """That of columns in the cache is known."""
        return None

    def extent(self, names: Sequence[str]) -> Extent | None:
        """That of columns in the cache is known."""
        return None


class InCache(Filling):
    """Rows that go to an entry of the cache as they come."""

    def __init__(
        self,
        numbers: Sequence[str],
        texts: Sequence[str],
        groups: Sequence[tuple[str, ...]],
        writer: Writer,
        watch: Callable[[float], None],
    ):
        """`groups`: the columns by the array that has them: see `groups_of`. `watch` is called with the share of the
        rows that are there, about."""
        super().__init__(numbers, texts)
        self.writer, self.watch = writer, watch
        self._expected = 0
        places = {name: place for place, name in enumerate(numbers)}
        self._places = [[places[name] for name in group] for group in groups]
        self._extents: list[Extent | None] = [None for _ in groups]

    def expect(self, rows: int) -> None:
        self._expected = rows

    def add(self, numbers: Array) -> None:
        import numpy as np

        if not len(numbers):
            return
        for number, places in enumerate(self._places):
            block = np.ascontiguousarray(numbers[:, places])
            self.writer.add(array_of_group(number), block)
            self._extents[number] = wider(self._extents[number], block)
        for place, found in enumerate(self.texts.values()):
            self.writer.add(array_of_text(place), found.take())
        super().add(numbers)
        if self._expected:
            self.watch(min(1.0, self.rows / self._expected))

    def clear(self) -> None:
        super().clear()
        self.writer.clear()
        self._extents = [None for _ in self._extents]

    def known(self) -> dict[str, Any]:
        """What the entry says besides its arrays."""
        return {
            "extents": [known_extent(found) for found in self._extents],
            "texts": [list(found.seen) for found in self.texts.values()],
        }


class CachedNumbers:
    """Columns of numbers in the cache."""

    def __init__(self, groups: Sequence[Sequence[str]], entry: Entry):
        self.groups, self.entry = [tuple(group) for group in groups], entry

    def columns(self, names: Sequence[str]) -> Array | StoredArray:
        """Some of the columns: those that lie side by side stay in their file, others are read."""
        import numpy as np

        if (number := self._group(names)) is not None:
            return self._stored(number)
        found = []
        for name in names:
            number = next(number for number, group in enumerate(self.groups) if name in group)
            stored = self._stored(number)
            found.append(stored if len(self.groups[number]) == 1 else stored.of((self.groups[number].index(name),)))
        return found[0] if len(found) == 1 else np.concatenate([one[:] for one in found], axis=1)

    def digest(self, names: Sequence[str]) -> str | None:
        """SHA-256 over what `columns` gives, where it is known."""
        number = self._group(names)
        return None if number is None else self.entry.arrays[array_of_group(number)].digest

    def extent(self, names: Sequence[str]) -> Extent | None:
        """The extent of the columns, where it is known."""
        number = self._group(names)
        found = None if number is None else self.entry.known["extents"][number]
        return None if found is None else (found[0], found[1], found[2])

    def _group(self, names: Sequence[str]) -> int | None:
        return self.groups.index(tuple(names)) if tuple(names) in self.groups else None

    def _stored(self, number: int) -> StoredArray:
        return self.entry.arrays[array_of_group(number)].values


def cached_texts(names: Sequence[str], entry: Entry) -> dict[str, Texts]:
    """Columns of texts in the cache."""
    words = entry.known["texts"]
    return {
        name: Texts(tuple(words[place]), entry.arrays[array_of_text(place)].values) for place, name in enumerate(names)
    }


def groups_of(numbers: Sequence[str], together: Sequence[Sequence[str]]) -> list[tuple[str, ...]]:
    """Columns of numbers by the array that has them: those of `together` side by side, in order, each other one by
    itself."""
    groups = [tuple(group) for group in together if set(group) <= set(numbers)]
    grouped = {name for group in groups for name in group}
    return [*dict.fromkeys(groups), *((name,) for name in numbers if name not in grouped)]


def array_of_group(number: int) -> str:
    """The name in the entry of an array of columns."""
    return f"numbers-{number}"


def array_of_text(place: int) -> str:
    """The name in the entry of the array of a column's codes."""
    return f"codes-{place}"
