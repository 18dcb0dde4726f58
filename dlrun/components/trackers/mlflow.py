from __future__ import annotations

from dlrun.components.trackers import Tracker


class Mlflow(Tracker):
    """MLflow, by default in an SQLite file under runs/, without a server.

    Reference: https://mlflow.org/docs/latest/ml/tracking.
    Example: mlflow: {uri: http://localhost:5000, experiment: digits}
    """

    synonyms = ("ml_flow",)

    uri: str | None = None
    """The tracking store: an address, or `sqlite:///` and a path; if not given, that of the environment variable
    MLFLOW_TRACKING_URI, or else the SQLite file runs/mlflow.db."""
    experiment: str | None = None
    """The MLflow experiment of the run; if not given, that of the environment variable MLFLOW_EXPERIMENT_NAME,
    or else the spec's `name`."""
