"""The settings of `model.weights`: which weights of which file a network starts from."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, PlainValidator, WithJsonSchema

from dlrun.errors import Source
from dlrun.language.component import Settings, checked
from dlrun.language.fields import Names
from dlrun.language.paths import PathSetting, from_the_spec
from dlrun.language.suggestions import shorten

ENDINGS = (".safetensors", ".pt", ".pth", ".bin")
"""How the name of a file of weights ends."""
BEST = "best:"
"""What the best run by a metric begins with, as runs/find.py reads it."""


def is_run_name(text: str) -> bool:
    """Whether a text is the name of a run, `last` or `best:METRIC`, and not a path."""
    return text.startswith(BEST) or ("/" not in text and not text.endswith(ENDINGS))


def _moved(text: str, folder: Path, source: Source) -> str:
    if is_run_name(text):
        return text
    path = from_the_spec(text, folder, source)
    return f"./{path}" if is_run_name(path) else path  # `./x` is a folder, as `x` would not be


RunOrFile = Annotated[str, PathSetting(_moved, is_file=True)]
"""A file of weights, a run's folder, or the name of a run."""


@dataclass(frozen=True, slots=True)
class Target:
    """What takes the place of a name: `stem.*`, `block_(*+1).weight part 1 of 3`, `linear.weight transposed`."""

    name: str
    part: int = 1
    parts: int = 1
    transposed: bool = False


_TARGET = re.compile(r"(\S+)(?: part (\d+) of (\d+))?( transposed)?")
STAR = re.compile(r"\(\*([+-]\d+)\)|\*")
"""What stands in a new name for a `*` of the old one, and perhaps a number that is added to it."""


def read_target(text: str) -> Target:
    """Read a new name.

    Raises:
        ValueError: with a message for the user.
    """
    found = _TARGET.fullmatch(text)
    part, parts = (int(found[2] or 1), int(found[3] or 1)) if found else (0, 0)
    if found is None or not 1 <= part <= parts:
        what = "a name, and after it perhaps `part 1 of 3` or `transposed`, is expected"
        raise ValueError(f"{what}; received {shorten(text)}")
    return Target(found[1], part, parts, found[4] is not None)


def read_names(value: Any) -> dict[str, str]:
    """Names of a file with the names here.

    Raises:
        ValueError: with a message for the user.
    """
    if not isinstance(value, dict) or not value or not all(isinstance(new, str) for new in value.values()):
        what = 'names of the file with the names here are expected, such as {"features.*": "stem.*"}'
        raise ValueError(f"{what}; received {shorten(value)}")
    for old, new in value.items():
        if len(STAR.findall(read_target(new).name)) > old.count("*"):
            raise ValueError(f"'{new}' has more `*` than '{old}': each stands for what one of '{old}' stands for")
    return dict(value)


_text: dict[str, Any] = {"type": "string"}


def _read_rename(value: Any) -> dict[str, str] | str:
    return value if isinstance(value, str) else read_names(value)


Renaming = Annotated[
    dict[str, str] | str,
    PlainValidator(checked(_read_rename)),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "object", "minProperties": 1, "additionalProperties": {"type": "string"}},
                {"type": "string"},
            ]
        }
    ),
]
"""Patterns of names, each with what takes its place; or a word for them."""


class StartWeights(Settings):
    """Which weights of which file the network starts from."""

    source: RunOrFile = Field(alias="from")
    """A file (safetensors, or the weights that torch saves as `.pt`, `.pth` or `.bin`), a run's folder, a run's name,
    or `last`; of a run these are the best weights."""
    only: Names | None = None
    """Patterns (`*` and `?`) of names of this network: the layers and weights to take from the file, where the others
    start as if there were no file. All unless given."""
    rename: Renaming | None = None
    """Patterns of names in the file, each with the name here: `{"features.*": "stem.*"}`. Each `*` there stands for
    what it stands for in the file; the first pattern that fits a name changes it. The name of a layer stands for all
    that lies in it. Or one of the words of `model.names`, such as `torchvision`."""
    missing: Literal["refuse", "allow"] = "refuse"
    """Whether weights may be missing in the file: those start as if there were no file."""
