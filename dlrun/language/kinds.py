"""Which kinds there are: the listing of a family's folder is the list of its kinds.

``conv2d`` is ``Conv2d`` in ``components/layers/convolution/conv2d.py``. So nothing is registered, and a spec imports
just the kinds that it names, which keeps `check` and `params` quick however many there are.
"""

from __future__ import annotations

import functools
import importlib
import pkgutil
from typing import Any

COMPONENTS = "dlrun.components"
"""The package that holds the families."""


def kinds(family: str) -> tuple[str, ...]:
    """The kinds of a family, from the files in its folder and its rooms; none is imported."""
    return tuple(_modules(family))


@functools.cache
def _modules(family: str) -> dict[str, str]:
    """For each kind of a family its module, by kind in alphabetical order."""
    folder = importlib.import_module(f"{COMPONENTS}.{family}").__path__[0]
    found: dict[str, str] = {}
    for module in pkgutil.iter_modules([folder]):
        room = pkgutil.iter_modules([f"{folder}/{module.name}"]) if module.ispkg else [module]
        prefix = f"{COMPONENTS}.{family}." + (f"{module.name}." if module.ispkg else "")
        found |= {kind.name: prefix + kind.name for kind in room if not kind.name.startswith("_")}
    return dict(sorted(found.items()))


@functools.cache
def synonyms(family: str) -> dict[str, str]:
    """Other libraries' names for the kinds of a family, and ours. It imports all kinds, so only errors use it."""
    found: dict[str, str] = {}
    for kind in kinds(family):
        for synonym in vars(find(family, kind)).get("synonyms", ()):  # not those of a kind that it extends
            word, colon, settings = synonym.partition(": ")
            found[word] = kind + colon + settings
    return found


@functools.cache
def families() -> tuple[str, ...]:
    """The families, from the folders under components/."""
    package = importlib.import_module(COMPONENTS)
    return tuple(sorted(module.name for module in pkgutil.iter_modules(package.__path__) if module.ispkg))


@functools.cache
def find(family: str, kind: str) -> type[Any]:
    """The class of a kind that `kinds` lists."""
    module = importlib.import_module(_modules(family)[kind])
    return getattr(module, "".join(part.capitalize() for part in kind.split("_")))


def singular(family: str) -> str:
    """``an optimizer`` for ``optimizers``."""
    words = {"losses": "loss", "preprocess": "preprocessing step", "sources": "data source", "augment": "augmentation"}
    word = words.get(family, family.removesuffix("s"))
    return ("an " if word[0] in "aeiou" else "a ") + word
