from __future__ import annotations

from pydantic import field_validator

from dlrun.components.trackers import Tracker
from dlrun.errors import without_password


class Mlflow(Tracker):
    """MLflow, by default in an SQLite file under runs/, without a server.

    Reference: https://mlflow.org/docs/latest/ml/tracking.
    Example: mlflow: {uri: http://localhost:5000, experiment: digits}
    """

    synonyms = ("ml_flow",)

    uri: str | None = None
    """The tracking store: an address, or `sqlite:///` and a path; if not given, the SQLite file runs/mlflow.db."""
    experiment: str | None = None
    """The MLflow experiment of the run; if not given, the spec's `name`."""

    @field_validator("uri")
    @classmethod
    def _has_no_password(cls, uri: str | None) -> str | None:
        if uri is not None and without_password(uri) != uri:
            raise ValueError(
                "a spec is kept with the run and in MLflow, so an address in it has no password; write it without one, "
                "and set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or write both into ~/.netrc"
            )
        return uri
