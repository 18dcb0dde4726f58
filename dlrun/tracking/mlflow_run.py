"""One run in MLflow: the calls of its client. MLflow is imported by `open`, which takes seconds."""

from __future__ import annotations

import contextlib
import getpass
import json
import logging
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from dlrun.tracking import DataSet, Record, RunInfo, Status
from dlrun.tracking.limits import (
    ENTRIES_AT_A_TIME,
    MAX_DATASET_NAME,
    MAX_PARAM,
    MAX_TAG,
    METRICS_AT_A_TIME,
    SHOWN_DIGEST,
    chunks,
    clean_entries,
    clean_key,
    cut,
)
from dlrun.tracking.store import artifacts_of, locked, sqlite_file
from dlrun.tracking.view import SIDE, TAG, view_of

if TYPE_CHECKING:
    from mlflow import MlflowClient

FOLDER = "run.folder"
"""The tag that tells a run from all others on the same machine."""

RUNS_IN_VIEW = 100
"""The latest runs of the experiment, whose differences are shown."""

CHATTY = ("mlflow", "alembic", "sqlalchemy", "urllib3", "huey")
"""Loggers of MLflow and of what it calls; they write to the screen if a server is away or a store is new."""

Task = tuple[str, Callable[[], object]]
"""What is to be sent, for people, and the call that sends it."""


class MlflowRun:
    """A run in an MLflow store. Each method may raise what MLflow raises, and can then be called again."""

    def __init__(self, uri: str, experiment: str, info: RunInfo):
        self.uri = uri
        self.experiment = experiment
        self.info = info
        self.run_id: str | None = None
        """None until the run is there."""
        self.page = ""
        """The run's page, below the address of a server."""
        self._client: MlflowClient | None = None
        self._experiment_id = ""

    def open(self) -> list[Task]:
        """Open the store, find or make the experiment, and start the run in it; gives what is left to send.

        If the run is there already, it goes on: the answer to an earlier attempt got lost, or the run was
        resumed in its folder.
        """
        import_quietly()
        from mlflow import MlflowClient

        file = sqlite_file(self.uri)
        with locked(file):
            self._client = client = MlflowClient(tracking_uri=self.uri)
            self._experiment_id = experiment_id = _experiment_id(client, self.experiment, file)
        tags = clean_entries(_tags(self.info), MAX_TAG)
        run_id, known = _find_run(client, experiment_id, self.info, tags)
        if run_id is None:
            # As many tags as one call takes: from its first moment on, the run can be found by its folder.
            first = dict(list(tags.items())[:ENTRIES_AT_A_TIME])
            run = client.create_run(experiment_id, self.info.started, first, self.info.name)
            run_id = run.info.run_id
            tags = {key: value for key, value in tags.items() if key not in first}
        self.page = f"/#/experiments/{experiment_id}/runs/{run_id}?{SIDE}"
        self.run_id = run_id
        return list(_tasks(client, run_id, self.info, tags, known))

    def log(self, records: list[Record]) -> None:
        """Send figures. Some may be sent twice: MLflow keeps one of a name, epoch, time and value."""
        from mlflow.entities import Metric

        metrics = [
            Metric(clean_key(key), float(value), record.time, record.epoch)
            for record in records
            for key, value in record.metrics.items()
        ]
        client, run_id = self._opened()
        for chunk in chunks(metrics, METRICS_AT_A_TIME):
            client.log_batch(run_id, metrics=chunk, synchronous=True)

    def terminate(self, status: Status, time: int) -> None:
        """The run is over, since `time`."""
        client, run_id = self._opened()
        client.set_terminated(run_id, status, time)
        with contextlib.suppress(Exception):  # a view is a convenience: the run is complete without it
            self._renew_view(client, time)

    def _renew_view(self, client: MlflowClient, time: int) -> None:
        runs = client.search_runs([self._experiment_id], max_results=RUNS_IN_VIEW)
        tag = view_of(((run.data.metrics, run.data.params) for run in runs), time)
        client.set_experiment_tag(self._experiment_id, TAG, tag)

    def _opened(self) -> tuple[MlflowClient, str]:
        assert self._client is not None
        assert self.run_id is not None
        return self._client, self.run_id


def import_quietly() -> None:
    """Import MLflow and keep it from writing to the screen, where it would break into our own lines."""
    import mlflow  # noqa: F401  (importing it sets up the loggers that are silenced here)

    for name in CHATTY:
        logger = logging.getLogger(name)
        logger.handlers = [logging.NullHandler()]
        logger.propagate = False


def _experiment_id(client: MlflowClient, name: str, file: Path | None) -> str:
    """The id of an experiment, which is made if there is none, and brought back if it was deleted."""
    from mlflow.exceptions import MlflowException

    found = client.get_experiment_by_name(name)
    if found is None:
        place = artifacts_of(file).as_uri() if file else None
        # Without this tag MLflow's pages guess what the experiment is, and may show it as chats and traces.
        tags = {"mlflow.experimentKind": "custom_model_development"}
        try:
            return client.create_experiment(name, artifact_location=place, tags=tags)
        except MlflowException:
            # Somebody else may have made it a moment ago.
            found = client.get_experiment_by_name(name)
            if found is None:
                raise
    if found.lifecycle_stage == "deleted":
        client.restore_experiment(found.experiment_id)
    return found.experiment_id


def _tags(info: RunInfo) -> dict[str, str]:
    """A run's tags, and those that MLflow's pages show in columns of their own."""
    tags = {
        FOLDER: str(info.folder.absolute()),
        "mlflow.source.name": "dlrun",
        "mlflow.source.type": "LOCAL",
    }
    with contextlib.suppress(KeyError, OSError, ImportError):  # the user of a container may have no name
        tags["mlflow.user"] = getpass.getuser()
    if info.description:
        tags["mlflow.note.content"] = info.description
    if "git.commit" in info.tags:
        tags["mlflow.source.git.commit"] = info.tags["git.commit"]
    return {**tags, **info.tags}


def _find_run(
    client: MlflowClient, experiment_id: str, info: RunInfo, tags: dict[str, str]
) -> tuple[str | None, set[str]]:
    """The id of this very run if it is there, and the names of the settings that it has."""
    folder = tags[FOLDER]
    if '"' in folder or "\\" in folder:
        return None, set()  # a filter has no way to write these
    found = client.search_runs([experiment_id], filter_string=f'tags.`{FOLDER}` = "{folder}"')
    for run in found:
        if run.info.start_time == info.started:
            client.update_run(run.info.run_id, status="RUNNING")
            return run.info.run_id, set(run.data.params)
    return None, set()


def _tasks(client: MlflowClient, run_id: str, info: RunInfo, tags: dict[str, str], known: set[str]) -> Iterator[Task]:
    """The calls that send everything that is known of a run when it begins."""
    from mlflow.entities import Param, RunTag

    settings = clean_entries(info.params, MAX_PARAM)
    # MLflow takes no second value for a setting.
    params = [Param(key, value) for key, value in settings.items() if key not in known]
    for chunk in chunks(params, ENTRIES_AT_A_TIME):
        yield "settings", partial(client.log_batch, run_id, params=chunk, synchronous=True)
    for chunk in chunks([RunTag(key, value) for key, value in tags.items()], ENTRIES_AT_A_TIME):
        yield "tags", partial(client.log_batch, run_id, tags=chunk, synchronous=True)
    if info.data is not None:
        yield "the name of the data", partial(_log_data, client, run_id, info.data)
    for name, text in info.texts.items():
        yield name, partial(client.log_text, run_id, text, name)


def _log_data(client: MlflowClient, run_id: str, data: DataSet) -> None:
    from mlflow.entities import Dataset, DatasetInput, InputTag

    remote = data.source.startswith(("http://", "https://"))
    dataset = Dataset(
        name=cut(data.name, MAX_DATASET_NAME),
        digest=data.digest[:SHOWN_DIGEST],
        # MLflow's pages show where data came from only for the kinds of sources that they know.
        source_type="http" if remote else "local",
        source=json.dumps({"url" if remote else "uri": data.source}),
        profile=json.dumps({"num_rows": data.rows, "row_shape": data.shape, "source_type": data.source_type}),
    )
    client.log_inputs(run_id, [DatasetInput(dataset, [InputTag("mlflow.data.context", "training")])])
