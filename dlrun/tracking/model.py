"""The network of a run in MLflow: the files by which `dlrun predict` works, as one folder that can be downloaded."""

from __future__ import annotations

import hashlib
from functools import partial
from pathlib import Path

from dlrun.runs import folder as run_folder
from dlrun.tracking.mlflow_run import MlflowRun, Upload

FOLDER = "network"
"""Of the artifacts."""
DIGEST = "network.sha256"
"""The tag with the SHA-256 of the files that are there."""


def uploads(run: MlflowRun, folder: Path) -> list[Upload]:
    """The call that sends the network of a run; none where it has learned nothing, or its folds have."""
    # A link in a folder from another machine must not copy a file of this one.
    files = [file for name in run_folder.NETWORK if (file := folder / name).is_file() and not file.is_symlink()]
    return [("the network", partial(_send, run, files))] if folder / run_folder.BEST in files else []


def _send(run: MlflowRun, files: list[Path]) -> None:
    """Send the files, if the store does not have them as they are."""
    digest = hashlib.sha256()
    for file in files:
        with file.open("rb") as content:
            digest.update(hashlib.file_digest(content, "sha256").digest())
    if run.tag(DIGEST) == digest.hexdigest():
        return
    for file in files:
        run.log_file(FOLDER, file)
    run.set_tag(DIGEST, digest.hexdigest())
