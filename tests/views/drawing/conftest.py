from pathlib import Path

import pytest

from dlrun.checks.check import check_model
from dlrun.plan.network import Plan


@pytest.fixture
def planned(tmp_path: Path):
    def plan(text: str) -> Plan:
        file = tmp_path / "spec.yaml"
        file.write_text(text)
        return check_model(file)

    return plan
