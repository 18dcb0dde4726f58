"""Shared by the sources of tables: which files there are, and the rows that a file of its own has for a split."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dlrun.components.sources import Source, SourceError, SplitName, Table, resolve
from dlrun.components.sources._bad_rows import BadRows
from dlrun.components.sources._cells import MISSING
from dlrun.components.sources._own_splits import Part, own_splits
from dlrun.errors import SpecPath
from dlrun.language.paths import FilePath

WHOLE = 1 << 23
"""Bytes of files that are read to their end even where only a look is wanted."""
LOOK = 1 << 20
"""Bytes that are read of larger files where only a look is wanted."""
TYPED_ROWS = 1000
"""How many rows of a file decide what sort of values its columns have; of large files, they alone are looked at for
notes."""


@dataclass(frozen=True, slots=True)
class CellRules:
    """How the cells of a table are read, of whatever sort its files are."""

    missing: tuple[str, ...]
    """Texts that say that a value is missing."""
    no_missing: str
    """How a spec says that no text does."""
    bad: BadRows | None
    """Takes the rows that cannot be read, which are NaN and '' then; None where they are errors."""


class TableSource(Source):
    """A source whose rows stand in files."""

    path: FilePath
    """The file, or a pattern such as `parts/*` for several with the same columns, which are read in the order of
    their names. A relative path starts from the folder of the file that has it."""
    validation: FilePath | None = None
    """A file, or a pattern, whose rows are the validation rows; it has the same columns."""
    test: FilePath | None = None
    """The same for the test rows."""
    missing: tuple[str, ...] = MISSING
    """Texts that say that a value is missing, in any case; they cannot be classes. An empty text says it always."""

    def open(self, folder: Path, whole: bool = True, bad: BadRows | None = None) -> Table:
        """The same as for every source; `bad` takes the rows that cannot be read, None makes them errors."""
        raise NotImplementedError

    def files(self, folder: Path) -> list[TableFile]:
        """The files in the order of their rows.

        Raises:
            SourceError: a path or a pattern names none, or two of them the same one.
        """
        found = [TableFile(file, self._at("path")) for file in find_files(self.path, folder, self._at("path"))]
        for split in SPLITS:
            if (path := getattr(self, split)) is not None:
                at = self._at(split)
                own = [TableFile(file, at, split) for file in find_files(path, folder, at)]
                _refuse_twice(found, own)
                found += own
        names = Counter(file.path.name for file in found)
        for file in found:
            if names[file.path.name] > 1:
                file.name = f"{file.path.parent.name}/{file.path.name}"
        return found

    def rules(self, bad: BadRows | None) -> CellRules:
        """What decides how cells are read."""
        return CellRules(self.missing, f"{self.kind}: {{path: {self.path}, missing: []}}", bad)

    def origin(self) -> tuple[str, str]:
        return Path(self.path).name, self.path

    def _at(self, setting: str) -> SpecPath:
        return ("source", self.kind, setting)


SPLITS: tuple[SplitName, ...] = ("validation", "test")


@dataclass(slots=True)
class TableFile:
    """One file of a table."""

    path: Path
    at: SpecPath
    """The path below `data` of the setting that names it."""
    split: SplitName | None = None
    """The split that its rows are for; None where the spec's `split` says it."""
    rows: int = 0
    """How many rows it has, once read."""
    name: str = ""
    """How errors call it: by the name of its folder too where several have its name."""
    before: tuple[int, int] = field(init=False)
    """Its size and the time of its last change, when it was found."""

    def __post_init__(self) -> None:
        self.name = self.name or self.path.name
        self.before = self._seen()

    @property
    def size(self) -> int:
        """Its bytes."""
        return self.before[0]

    def need_unchanged(self) -> None:
        """Hold the file to what it was when it was found.

        Raises:
            SourceError: it changed.
        """
        if self._seen() != self.before:
            hint = "run it again once nothing writes to the file"
            raise SourceError(f"{self.name} changed while it was read", self.at, hint)

    def _seen(self) -> tuple[int, int]:
        try:
            found = self.path.stat()
        except OSError as error:
            raise cannot_be_read(self, error) from None
        return found.st_size, found.st_mtime_ns


def _refuse_twice(files: Sequence[TableFile], more: Sequence[TableFile]) -> None:
    """Refuse a file that is for two splits: its rows would be trained on and measured."""
    paths = {file.path: file for file in files}
    if both := [file for file in more if file.path in paths]:
        setting, other = both[0].at[-1], paths[both[0].path].at[-1]
        message = f"{both[0].name} is a file of `{other}`, and of `{setting}` too"
        hint = f"give `{other}` a path or a pattern without the file, or remove `{setting}`"
        raise SourceError(message, both[0].at, hint)


def find_files(path: str, folder: Path, at: SpecPath) -> list[Path]:
    """The file of a path, or the files of a pattern, sorted by name.

    Raises:
        SourceError: there is none.
    """
    try:
        full = (folder / Path(path).expanduser()).absolute()
        if not any(character in path for character in "*?[") or full.exists():
            if full.is_dir():
                hint = f"`{path.rstrip('/')}/*` reads the files in it as one table"
                raise SourceError(f"the file {path} is a folder", at, hint)
            return [resolve(path, folder, at)]
        start = next(parent for parent in full.parents if parent.exists())
        found = sorted(file.resolve() for file in start.glob(str(full.relative_to(start))) if file.is_file())
    except (OSError, ValueError, RuntimeError, NotImplementedError) as error:
        raise SourceError(f"the path cannot be read: {error}", at) from None
    if not found:
        hint = f"looked for {full}; a path starts from the folder of the file that has it"
        raise SourceError(f"no file matches {path}", at, hint)
    return found


def table_name(path: str, files: Sequence[TableFile]) -> str:
    """How errors call a table: by its file's name, or by the pattern."""
    own = [file for file in files if file.split is None]
    return own[0].name if len(own) == 1 else str(Path(*Path(path).parts[-2:]))


def rows_apart(files: Sequence[TableFile]) -> Mapping[SplitName, range]:
    """The rows of each split that has files of its own."""
    sizes: dict[Part, int] = {}
    for file in files:
        part = file.split or "train"
        sizes[part] = sizes.get(part, 0) + file.rows
    return own_splits(sizes)


def need_same(files: Sequence[TableFile], columns: Sequence[Sequence[str]], what: str) -> None:
    """Hold all files to the columns of the first one.

    Raises:
        SourceError: one has others.
    """
    first = list(columns[0])
    for file, names in zip(files, columns, strict=True):
        if list(names) == first:
            continue
        lacking = [name for name in first if name not in names]
        more = [name for name in names if name not in first]
        differ = [f"lacks {_some(lacking)}"] * bool(lacking) + [f"has {_some(more)} besides"] * bool(more)
        message = f"{file.name} has the columns of {files[0].name} in another order"
        if differ:
            message = f"{file.name} has other columns than {files[0].name}: it {' and '.join(differ)}"
        hint = f"{files[0].name} has {_some(first)}; {file.name} has {_some(names)}"
        raise SourceError(message, file.at, f"{what}: {hint}")


def need_names(file: TableFile, names: Sequence[str]) -> None:
    """Hold the columns of a file to names of their own.

    Raises:
        SourceError: there are none, one has no name, or two have the same.
    """
    hint = "give each column a name of its own"
    if not names:
        raise SourceError(f"{file.name} has no columns", file.at)
    if not all(name.strip() for name in names):
        number = next(number for number, name in enumerate(names, 1) if not name.strip())
        raise SourceError(f"{file.name}: column {number} has no name", file.at, hint)
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise SourceError(f"{file.name} has two columns that are called '{twice[0]}'", file.at, hint)


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - 10} more" if len(names) > 10 else ""
    return ", ".join(f"'{name}'" for name in names[:10]) + more


def cannot_be_read(file: TableFile, error: Exception) -> SourceError:
    """The error for a file that the system does not give."""
    what = getattr(error, "strerror", None) or str(error).partition("\n")[0] or type(error).__name__
    return SourceError(f"{file.name} cannot be read: {what}", file.at)
