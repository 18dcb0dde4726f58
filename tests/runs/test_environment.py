"""What a run records of what its bits depend on besides its spec and its data."""

from __future__ import annotations

import platform
import re
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
import torch
from networks import checked
from places import ROOT
from watching import run_silently

from dlrun.runs.environment import PACKAGES, as_tag, environment_of, installed, packages_of
from dlrun.runs.run_json import read_run

SPEC = """
data: {source: {circles: 40}}
model: {layers: [linear: $classes]}
loss: cross_entropy
optimizer: adam
train: {epochs: 1}
tracking: off
"""


def test_the_packages_are_those_that_dlrun_needs_and_the_one_of_an_extra_that_trains() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    needed = [*project["dependencies"], *project["optional-dependencies"]["subword"]]
    assert list(PACKAGES) == sorted(re.split("[>=]", line)[0] for line in needed)


def test_a_run_records_the_versions_that_are_installed_and_the_machine(tmp_path: Path) -> None:
    tags = read_run(run_silently(checked(tmp_path, SPEC), tmp_path / "runs").folder).info.tags
    assert packages_of(tags) == installed()
    assert installed()["numpy"] == metadata.version("numpy")
    found = environment_of(tags)
    assert (found["Python"], found["torch"], found["threads"]) == (platform.python_version(), torch.__version__, "1")
    assert found["processor"] == torch.backends.cpu.get_cpu_capability()


def test_versions_are_written_as_pip_reads_them() -> None:
    tag = as_tag({"numpy": "2.4.6", "torch": "2.13.0+cpu"})
    assert tag == "numpy==2.4.6\ntorch==2.13.0+cpu"
    assert packages_of({"run.packages": tag}) == {"numpy": "2.4.6", "torch": "2.13.0+cpu"}
    assert packages_of({}) == {}


@pytest.mark.parametrize("line", ["other==1.0", "numpy==1.0 --index-url=x", "numpy @ http://x", "--pre", "numpy==-r x"])
def test_only_versions_of_known_packages_are_taken_from_a_run(line: str) -> None:
    assert packages_of({"run.packages": f"{line}\nrich==15.0.0"}) == {"rich": "15.0.0"}
