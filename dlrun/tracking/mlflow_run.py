"""One run in MLflow: the calls of its client. MLflow is imported by the first of them, which takes seconds."""

from __future__ import annotations

import contextlib
import getpass
import json
import logging
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from dlrun.errors import RunError, visible
from dlrun.runs.info import DataSet, Record, RunInfo, Status
from dlrun.runs.run_json import RUNNING, read_run, with_texts
from dlrun.tracking.mlflow_limits import (
    ENTRIES_AT_A_TIME,
    MAX_DATASET_NAME,
    MAX_PARAM,
    MAX_TAG,
    METRICS_AT_A_TIME,
    SHOWN_DIGEST,
    chunks,
    clean_entries,
    clean_keys,
    cut,
)
from dlrun.tracking.mlflow_view import SIDE, TAG, TEST, view_of
from dlrun.tracking.schema import schema_trouble
from dlrun.tracking.store import artifacts_of, make_store, prepare_process, sqlite_file

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

FOLDER = "run.folder"
"""The tag that identifies a run on a machine."""

PARENT = "mlflow.parentRunId"
"""MLflow's tag for the run that another one is a part of."""

COMMAND = "run.command"
"""The tag that holds the command line; MLflow shows it as the run's description."""

RUNS_IN_VIEW = 100
"""The number of latest runs whose differences the view shows."""
RUNS_FOUND = 500
"""The number of latest runs among which those are, besides their baselines."""

LOGGERS = ("mlflow", "alembic", "sqlalchemy", "urllib3", "huey")
"""Loggers of MLflow and its libraries; they write to the screen if a server is down or a store is new."""

Upload = tuple[str, Callable[[], object]]
"""The name of something to send, for reports, and the call that sends it."""


class MlflowRun:
    """A run in an MLflow store. Each method may raise MLflow's errors, and can then be called again."""

    def __init__(self, uri: str, experiment: str, info: RunInfo):
        self.uri = uri
        self.experiment = visible(experiment)
        self.info = info
        self.run_id: str | None = None
        """None until the store has the run."""
        self.page = ""
        """The path of the run's page on a server."""
        self._client: MlflowClient | None = None
        self._experiment_id = ""

    def open(self, running: bool, known: str | None = None) -> list[Upload]:
        """Open the store, find or make the experiment, and start the run in it; returns what is left to send.

        If the run is there already, it is continued: the response to an earlier attempt was lost, the run was
        resumed, or it is delivered again. `known` is its earlier id. A run that is not `running` keeps its status.
        """
        self._client = client = client_of(self.uri)
        tags = clean_entries({**_tags(self.info), **self._parent()}, MAX_TAG)
        run = self._known(known, tags) or self._found(client, tags)
        settings = set(run.data.params) if run else set()
        if run is None:
            # As many tags as one call takes: the run can then be found by its folder at once.
            first = dict(list(tags.items())[:ENTRIES_AT_A_TIME])
            run = client.create_run(self._experiment_id, self.info.started, first, visible(self.info.name))
            tags = {key: value for key, value in tags.items() if key not in first}
        else:
            if run.info.lifecycle_stage == "deleted":
                client.restore_run(run.info.run_id)
            if running:
                client.update_run(run.info.run_id, status="RUNNING")
        self.page = f"/#/experiments/{self._experiment_id}/runs/{run.info.run_id}?{SIDE}"
        self.run_id = run.info.run_id
        return list(_uploads(client, run.info.run_id, self.info, tags, settings))

    def log(self, records: list[Record]) -> None:
        """Send metrics. Some may be sent twice: MLflow keeps one value per name, epoch, time and value."""
        from mlflow.entities import Metric

        metrics = [
            # MLflow draws a line for values at steps from 1 on, and bars, run beside run, for values at step 0.
            Metric(name, float(record.metrics[key]), record.time, 0 if key.startswith(TEST) else record.epoch)
            for record in records
            for key, name in clean_keys(record.metrics).items()
        ]
        client, run_id = self._connection()
        for chunk in chunks(metrics, METRICS_AT_A_TIME):
            client.log_batch(run_id, metrics=chunk, synchronous=True)

    def set_tag(self, name: str, value: str) -> None:
        """Set one tag."""
        client, run_id = self._connection()
        client.set_tag(run_id, name, cut(visible(value), MAX_TAG))

    def log_text(self, path: str, text: str) -> None:
        """Send a file of text; one of that name is replaced."""
        client, run_id = self._connection()
        client.log_text(run_id, text, path)

    def log_file(self, folder: str, file: Path) -> None:
        """Send a file into a folder of the artifacts; one of that name is replaced."""
        client, run_id = self._connection()
        client.log_artifact(run_id, str(file), folder)

    def tag(self, name: str) -> str:
        """The value of a tag in the store; '' where there is none."""
        client, run_id = self._connection()
        return client.get_run(run_id).data.tags.get(name, "")

    def terminate(self, status: Status, time: int) -> None:
        """End the run at `time`."""
        client, run_id = self._connection()
        self._remove_twins(client, run_id)
        client.set_terminated(run_id, status, time)
        if PARENT in self.info.tags:  # the run above renews the view
            return
        with contextlib.suppress(Exception):  # the run is complete without the view
            self._renew_view(client, time)

    def _parent(self) -> dict[str, str]:
        """The tag that names the run that this one is a part of; it is begun in the store where it is not there."""
        if self.info.parent is None:
            return {}
        known = read_run(self.info.parent)
        parent = MlflowRun(self.uri, known.info.experiment, with_texts(known.info))
        parent.open(known.status == RUNNING)
        client, run_id = parent._connection()
        if known.status != RUNNING:  # a new run would have this status
            client.set_terminated(run_id, known.status, known.ended)
        return {PARENT: run_id}

    def _known(self, run_id: str | None, tags: dict[str, str]) -> Run | None:
        """Find the run by its id, in any experiment."""
        from mlflow.exceptions import MlflowException

        if run_id is None or self._client is None:
            return None
        try:
            run = self._client.get_run(run_id)
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            return None
        if not self._is_this(run, tags):
            return None
        self._experiment_id = run.info.experiment_id
        experiment = self._client.get_experiment(self._experiment_id)
        self.experiment = experiment.name  # it may have another name by now, and baselines go to the same
        if experiment.lifecycle_stage == "deleted":
            self._client.restore_experiment(self._experiment_id)
            run = self._client.get_run(run_id)
        return run

    def _found(self, client: MlflowClient, tags: dict[str, str]) -> Run | None:
        """Find the run by its start time and folder; the experiment is made or restored if needed."""
        self._experiment_id = _experiment_id(client, self.experiment, sqlite_file(self.uri))
        return min(self._twins(client, tags), key=_preference, default=None)

    def _twins(self, client: MlflowClient, tags: dict[str, str]) -> list[Run]:
        """All copies of this run; there are several if a server carried out a request late."""
        from mlflow.entities import ViewType

        same_moment = f"attributes.start_time = {self.info.started}"
        found = client.search_runs([self._experiment_id], same_moment, ViewType.ALL)
        return [run for run in found if self._is_this(run, tags)]

    def _is_this(self, run: Run, tags: dict[str, str]) -> bool:
        """Compare by start time and folder; the tag keeps the first folder if the run is moved."""
        return run.info.start_time == self.info.started and run.data.tags.get(FOLDER) == tags[FOLDER]

    def _remove_twins(self, client: MlflowClient, run_id: str) -> None:
        for run in self._twins(client, clean_entries(_tags(self.info), MAX_TAG)):
            if run.info.run_id != run_id and run.info.lifecycle_stage == "active" and not run.data.metrics:
                client.delete_run(run.info.run_id)

    def _renew_view(self, client: MlflowClient, time: int) -> None:
        runs = client.search_runs([self._experiment_id], max_results=RUNS_FOUND)
        own = [run for run in runs if PARENT not in run.data.tags][:RUNS_IN_VIEW]
        tag = view_of(((run.data.metrics, run.data.params) for run in own), time)
        client.set_experiment_tag(self._experiment_id, TAG, tag)

    def _connection(self) -> tuple[MlflowClient, str]:
        assert self._client is not None
        assert self.run_id is not None
        return self._client, self.run_id


def client_of(uri: str) -> MlflowClient:
    """A client of a store; a missing SQLite file is made.

    Raises:
        RunError: this MLflow cannot open the file.
    """
    import_quietly()
    from mlflow import MlflowClient

    file = sqlite_file(uri)
    make_store(file)
    if file is not None and (trouble := schema_trouble(file)):
        raise RunError(trouble)
    return MlflowClient(tracking_uri=uri)


def import_quietly() -> None:
    """Import MLflow and keep it from writing to the screen, between the lines of dlrun."""
    prepare_process()
    import mlflow  # noqa: F401  (importing it sets up the loggers that are silenced here)

    for name in LOGGERS:
        logger = logging.getLogger(name)
        logger.handlers = [logging.NullHandler()]
        logger.propagate = False


def _experiment_id(client: MlflowClient, name: str, file: Path | None) -> str:
    """The id of an experiment; it is made if there is none, and restored if it was deleted."""
    from mlflow.exceptions import MlflowException

    found = client.get_experiment_by_name(name)
    if found is None:
        place = artifacts_of(file).as_uri() if file else None
        # Without this tag MLflow guesses the kind of experiment, and may show chats and traces.
        tags = {"mlflow.experimentKind": "custom_model_development"}
        try:
            return client.create_experiment(name, artifact_location=place, tags=tags)
        except MlflowException:
            # Another process may have made it a moment ago.
            found = client.get_experiment_by_name(name)
            if found is None:
                raise
    if found.lifecycle_stage == "deleted":
        client.restore_experiment(found.experiment_id)
    return found.experiment_id


def _tags(info: RunInfo) -> dict[str, str]:
    """A run's tags, and those for which MLflow has its own columns."""
    tags = {
        FOLDER: str(info.folder.absolute()),
        "mlflow.source.name": "dlrun",
        "mlflow.source.type": "LOCAL",
    }
    with contextlib.suppress(KeyError, OSError, ImportError):  # the user of a container may have no name
        tags["mlflow.user"] = getpass.getuser()
    command = info.tags.get(COMMAND, "")
    if note := "\n\n".join(filter(None, [info.description, command and f"    {command}"])):
        tags["mlflow.note.content"] = note
    if "git.commit" in info.tags:
        tags["mlflow.source.git.commit"] = info.tags["git.commit"]
    return {**tags, **info.tags}


def _preference(run: Run) -> tuple[bool, int, str]:
    """A sort key: the run to continue comes first."""
    return run.info.lifecycle_stage == "deleted", -len(run.data.metrics), run.info.run_id


def _uploads(
    client: MlflowClient, run_id: str, info: RunInfo, tags: dict[str, str], known: set[str]
) -> Iterator[Upload]:
    """The calls that send the description of a run."""
    from mlflow.entities import Param, RunTag

    settings = clean_entries(info.params, MAX_PARAM)
    # MLflow refuses a second value for a param.
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
        name=cut(visible(data.name), MAX_DATASET_NAME),
        digest=data.digest[:SHOWN_DIGEST],
        # MLflow's pages show where data came from only for source types that they know.
        source_type="http" if remote else "local",
        source=json.dumps({"url" if remote else "uri": visible(data.source)}),
        profile=json.dumps({"num_rows": data.rows, "row_shape": data.shape, "source_type": data.source_type}),
    )
    client.log_inputs(run_id, [DatasetInput(dataset, [InputTag("mlflow.data.context", "training")])])
