from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

from dlrun.components.trackers import Tracker
from dlrun.errors import Source
from dlrun.language.paths import PathSetting

_SQLITE = re.compile(r"sqlite:///(?!:memory:)(?P<path>[^?]+)(?P<rest>.*)", re.DOTALL)


def _absolute_store(uri: str, folder: Path, source: Source) -> str:
    """An address whose SQLite file has an absolute path; on the command line it starts from the current folder."""
    match = _SQLITE.fullmatch(uri)
    if match is None or match["path"].startswith("/"):
        return uri
    start = folder / source.folder if source.numbered else Path()
    return f"sqlite:///{(start / match['path']).absolute()}{match['rest']}"


class Mlflow(Tracker):
    """MLflow, by default in an SQLite file under runs/, without a server.

    Reference: https://mlflow.org/docs/latest/ml/tracking.
    Example: mlflow: {uri: http://localhost:5000, experiment: digits}
    """

    synonyms = ("ml_flow",)

    uri: Annotated[str, PathSetting(_absolute_store)] | None = None
    """The tracking store: an address, or `sqlite:///` and a path, which starts from the folder of the file that has it;
    if not given, the SQLite file runs/mlflow.db."""
    experiment: str | None = None
    """The MLflow experiment of the run; if not given, the spec's `name`."""
