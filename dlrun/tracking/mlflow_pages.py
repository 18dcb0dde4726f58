"""MLflow's pages, opened where models are trained.

A browser keeps which of its two sides MLflow shows, models or language-model applications, and MLflow begins with the
applications: a link to a run leads there, whatever the experiment's tags say. So the first page sets what a browser
has not kept yet. `mlflow server --app-name dlrun` finds `create_app` by the entry point in pyproject.toml.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

APP = "dlrun"
"""The name of the entry point, in the group `mlflow.app`."""

CHOICES = {
    "mlflow.workflowType_v1": json.dumps("machine_learning"),
    # The assistant opens by itself, and covers a quarter of the page.
    "mlflow.assistant.fab.autoOpenedOnFirstLoad_v1": json.dumps(True),
}
"""What a browser keeps of MLflow's pages; a choice that its user has made stays."""

SCRIPT = (
    f"<script>for (const [key, value] of Object.entries({json.dumps(CHOICES)})) "
    "if (localStorage.getItem(key) === null) localStorage.setItem(key, value);</script>"
)


def create_app() -> Any:
    """MLflow's server, whose first page has `SCRIPT` too."""
    from flask import request
    from mlflow.server import app

    page = Path(app.static_folder or "") / "index.html"

    def first_page() -> str | None:
        if request.path != "/" or not page.is_file():
            return None
        return page.read_text("utf-8").replace("<head>", f"<head>{SCRIPT}", 1)

    app.before_request(first_page)
    try:
        from mlflow.server.fastapi_app import app as with_flask
    except ImportError:  # an older MLflow
        return app
    return with_flask
