"""The invented tables that the shipped specs train on, and the scripts that make them."""

import csv
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from places import SPECS

DATA = SPECS / "data"


@pytest.mark.parametrize("name", ["people", "messages"])
def test_the_script_makes_the_shipped_table(name: str, tmp_path: Path) -> None:
    subprocess.run([sys.executable, DATA / f"make_{name}.py", tmp_path / "made.csv"], check=True, timeout=60)
    assert (tmp_path / "made.csv").read_bytes() == (DATA / f"{name}.csv").read_bytes()


def test_the_table_has_what_the_spec_shows() -> None:
    with (DATA / "people.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    works = Counter(row["work"] for row in rows)
    assert len(rows) == 400
    assert works[""] > 20 and works["army"] < 5
    assert sum(not row["hours_travel"] for row in rows) > 20
    assert {row["owner"] for row in rows} == {"yes", "no", "?"}
