"""A password in an address is written and shown nowhere."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dlrun.checks.check import check
from dlrun.errors import SpecError, without_password

SECRETS = [
    "http://me:hunter2@host:5000",
    "https://me:p/hunter2@host",
    "http://me:h@hunter2@host/path",
    "http://:hunter2@host",
    "postgresql+psycopg://me:hunter2@host/db",
    "mysql://me:hunter2@host:3306/db?x=1",
    "postgresql://host/db?user=me&password=hunter2",
    "https://host/?access_token=hunter2",
    "https://host/?api_key=hunter2",
    "https://hunter2@host/",
    "HTTP://hunter2@host:5000",
]
PLAIN = ["http://host:5000", "http://host:5000/a@b", "sqlite:///a.db", "sqlite:////home/me@work/a.db", "databricks"]


@pytest.mark.parametrize("uri", SECRETS)
@pytest.mark.parametrize("where", ["spec", "override"])
def test_an_address_with_a_password_is_refused_and_the_error_does_not_show_it(
    tmp_path: Path, uri: str, where: str
) -> None:
    spec = tmp_path / "spec.yaml"
    line = f"tracking.mlflow.uri={uri}"
    tracking = f"tracking: {{mlflow: {{uri: '{uri}'}}}}\n" if where == "spec" else ""
    spec.write_text("model: {input: [3], layers: [linear: 2]}\n" + tracking)
    with pytest.raises(SpecError) as error:
        check(spec, [line] if where == "override" else [])
    shown = str(error.value) + json.dumps([problem.as_data() for problem in error.value.problems])
    assert "MLFLOW_TRACKING_PASSWORD" in shown
    assert "hunter2" not in shown


@pytest.mark.parametrize("uri", PLAIN)
def test_an_address_without_a_password_stays(uri: str) -> None:
    assert without_password(uri) == uri
