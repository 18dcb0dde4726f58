from __future__ import annotations

from pathlib import Path
from typing import Self

from pydantic import model_validator

from dlrun.components.sources import Source, Table, resolve
from dlrun.components.sources._hub_table import AT, HubTable, load_parts
from dlrun.components.sources._own_splits import Part
from dlrun.language.paths import FilePath


class Hub(Source):
    """A data set of the Hugging Face hub, or a folder in one of its formats; the library `datasets` reads it.

    Its columns are the fields. A column of class labels has the names of its classes, in their order. Numbers, texts,
    and lists and arrays of numbers that have one length in all rows can be used; images and sound cannot.

    If the set has validation or test rows of its own, they are the validation and the test rows; `split` divides the
    others.

    Shape: (columns,), the features in the order of `features`; an array of numbers keeps its axes
    Reference: Lhoest and others, Datasets: a community library for natural language processing, 2021.
    Example: hub: {name: ag_news, revision: main}
    """

    synonyms = ("huggingface", "hugging_face", "datasets", "load_dataset")

    name: str | None = None
    """The name of a set on the hub, such as `ag_news`; it is downloaded once. Write either `name` or `folder`."""
    folder: FilePath | None = None
    """A folder with parquet, csv or json files, or one that `save_to_disk` has written; nothing is downloaded. A
    relative path starts from the folder of the file that has it."""
    config: str | None = None
    """The configuration, where the set has several."""
    revision: str | None = None
    """The version on the hub, a tag or a commit: without it, the set may change from one day to another."""
    train: str = "train"
    """The set's name for the rows to train on."""
    validation: str | None = None
    """The set's name for its validation rows: `validation` unless given, if it has them."""
    test: str | None = None
    """The set's name for its test rows: `test` unless given, if it has them."""

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.name is None) == (self.folder is None):
            raise ValueError("write either `name`, a set of the hub, or `folder`, a folder on this machine")
        return self

    def open(self, folder: Path, whole: bool = True) -> Table:
        path = None if self.folder is None else resolve(self.folder, folder, (*AT, "folder"), ("folder",))
        wanted: dict[Part, str | None] = {"train": self.train, "validation": self.validation, "test": self.test}
        return HubTable(self.origin()[0], load_parts(self.name, path, self.config, self.revision, wanted))

    def origin(self) -> tuple[str, str]:
        if self.folder is not None:
            return Path(self.folder).name, self.folder
        assert self.name is not None
        return self.name, "/".join(filter(None, (self.name, self.config, self.revision)))
