"""The architecture page: its tree, and its examples of a kind for each family, followed literally."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from places import DOCS, ROOT

from dlrun.language.kinds import families

PAGE = (DOCS / "architecture.md").read_text()
EXAMPLES = re.findall(r"^```python\n# (dlrun/components/\S+)\n(.*?)^```$", PAGE, re.M | re.S)
SPEC = """
data:
  source: {line: 60}
  preprocess: [center]
  augment: [drop_numbers: 0.1]
model:
  layers:
    - linear: {out_features: 8, init: {alternating: 0.1}}
    - reshape: [4, 2]
    - channel_shuffle: 2
    - flatten
    - linear: 1
loss: {charbonnier: {eps: 0.5}}
metrics: [log_cosh]
regularizers: [log_sum: 1e-4]
constraints: [at_most_one]
optimizer: {sign_sgd: {lr: 1e-2}}
schedule: {inverse_root: 2.0}
train: {epochs: 3, device: cpu, average: {polynomial: 3}}
baselines: [middle]
tracking: off
"""
"""Every example in one spec."""


def test_the_tree_names_every_file_of_the_rooms_that_it_lists_whole() -> None:
    tree = PAGE[PAGE.index("dlrun/\n  errors.py") :].split("```")[0]
    named = set(re.findall(r"\w+", tree))
    rooms = ("language", "language/text", "plan", "checks", "runs", "data", "network", "training")
    rooms += ("trained", "trained/report", "training/lifecycle", "training/speed", "training/baselines")
    files = {file.stem for room in rooms for file in (ROOT / "dlrun" / room).glob("*.py")} - {"__init__"}
    assert files <= named, files - named


def test_there_is_an_example_for_every_family_but_trackers() -> None:
    shown = {path.split("/")[2] for path, _ in EXAMPLES}
    assert shown == set(families()) - {"trackers"}


@pytest.fixture(scope="module")
def extended(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of dlrun with the files of the examples."""
    folder = tmp_path_factory.mktemp("extended")
    shutil.copytree(ROOT / "dlrun", folder / "dlrun", ignore=shutil.ignore_patterns("__pycache__"))
    for path, code in EXAMPLES:
        assert not (folder / path).exists(), f"{path} is there already: choose another example"
        (folder / path).write_text(code)
    return folder


def dlrun(folder: Path, *arguments: str) -> str:
    command = [sys.executable, "-m", "dlrun", *arguments]
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, "PYTHONPATH": str(folder)}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_examples_are_kinds_and_train(extended: Path) -> None:
    for path, _ in EXAMPLES:
        family, kind = path.split("/")[2], Path(path).stem
        assert kind in dlrun(extended, "kinds", f"{family}.{kind}")
    (extended / "spec.yaml").write_text(SPEC)
    dlrun(extended, "train", "spec.yaml", "--runs", "runs")
    (run,) = (extended / "runs").glob("*/run.json")
    assert json.loads(run.read_text())["status"] == "FINISHED"


def test_the_tree_names_every_room_and_no_other() -> None:
    tree = PAGE[PAGE.index("dlrun/\n") : PAGE.index("api.py ")]
    shown = set(re.findall(r"^  (\w+)/", tree, re.M))
    assert shown == {path.parent.name for path in (ROOT / "dlrun").glob("*/__init__.py")}


def test_every_file_that_the_page_names_is_there() -> None:
    for name in set(re.findall(r"`((?:\w+/)+\w+\.(?:py|md))`", PAGE)):
        assert any((base / name).exists() for base in (ROOT, ROOT / "dlrun", ROOT / "dlrun" / "components")), name
