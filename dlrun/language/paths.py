"""Settings that are paths: a relative path starts from the folder of the file that it is written in."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, get_args

from dlrun.errors import Source, SpecPath
from dlrun.language.component import Component, Settings, marks
from dlrun.language.fields import Names

Move = Callable[[str, Path, Source], str]
"""Gives a path another start: from the path, the spec's folder, and the text that the path is written in."""
WrittenIn = Callable[[SpecPath], Source | None]
"""The text that the value at a place of the spec is written in; None where a spec does not write it."""


class PathSetting:
    """Marks a field that is a path: ``Annotated[str, PathSetting(move)]``."""

    def __init__(self, move: Move, is_file: bool = False):
        """`is_file`: once it is read, it starts from the spec's folder."""
        self.move, self.is_file = move, is_file


def from_the_spec(path: str, _folder: Path, source: Source) -> str:
    """A path as seen from the spec's folder."""
    try:
        return str(source.folder / Path(path).expanduser())
    except RuntimeError:  # a home folder that nobody has: the error comes when the file is read
        return path


FilePath = Annotated[str, PathSetting(from_the_spec, is_file=True)]
"""A file; a relative path starts from the folder of the file that it is written in, once read from the spec's."""

FilePaths = Annotated[Names, get_args(FilePath)[1]]
"""One file or several."""


def with_paths_of(value: Any, folder: Path, written_in: WrittenIn, at: SpecPath = ()) -> Any:
    """A validated value at the path `at`, with the paths in it as seen from the spec's folder, which is `folder`."""
    return _changed(value, lambda path, place, mark: _moved(path, place, mark, folder, written_in), at)


def with_absolute_paths(value: Any, folder: Path) -> Any:
    """A validated value with its files' paths absolute; relative ones start from `folder`."""
    return _changed(value, lambda path, _at, mark: _absolute(path, folder) if mark.is_file else path, ())


def _absolute(path: str, folder: Path) -> str:
    return str((folder / Path(path).expanduser()).resolve())


def _moved(path: str, at: SpecPath, mark: PathSetting, folder: Path, written_in: WrittenIn) -> str:
    source = written_in(at)
    return path if source is None else mark.move(path, folder, source)


@functools.cache
def path_settings(cls: type[Settings]) -> dict[str, PathSetting]:
    """The settings of a class that are paths, by the names of its fields."""
    found = {}
    for name, field in cls.model_fields.items():
        if paths := [mark for mark in marks(field) if isinstance(mark, PathSetting)]:
            found[name] = paths[0]
    return found


def file_settings(component: Settings, name: str) -> list[str]:
    """The settings of a component called `name` that are files, as `flattened` names them: `data.source.path`."""
    return [f"{name}.{setting}" for setting, mark in path_settings(type(component)).items() if mark.is_file]


def _changed(value: Any, change: Callable[[str, SpecPath, PathSetting], str], at: SpecPath) -> Any:
    """The value with each path in it changed; the same object where nothing is."""
    if isinstance(value, tuple):
        items = tuple(_changed(item, change, (*at, index)) for index, item in enumerate(value))
        return items if any(item is not old for item, old in zip(items, value, strict=True)) else value
    if not isinstance(value, Settings):
        return value
    if isinstance(value, Component):
        at = (*at, value.kind)
    cls, update = type(value), {}
    paths = path_settings(cls)
    for name, field in cls.model_fields.items():
        given = getattr(value, name)
        if given is None or isinstance(given, bool | int | float):
            continue
        here = (*at, field.alias or name)
        if isinstance(given, str):
            new = change(given, here, paths[name]) if name in paths else given
        elif isinstance(given, dict) and name in paths:
            new = {word: change(path, (*here, word), paths[name]) for word, path in given.items()}
        elif isinstance(given, tuple) and name in paths:
            new = tuple(change(path, (*here, index), paths[name]) for index, path in enumerate(given))
        else:
            new = _changed(given, change, here)
        if new is not given and new != given:
            update[name] = new
    return value.model_copy(update=update) if update else value
