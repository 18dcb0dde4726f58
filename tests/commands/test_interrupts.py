"""Ctrl-C while a command starts: exit code 130 and one line, wherever the interpreter is."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import os, signal, sys
from dlrun.__main__ import main

class CtrlC:
    "Ctrl-C when a module is about to be imported."

    def find_spec(self, name, path, target=None):
        if name == at:
            os.kill(os.getpid(), signal.SIGINT)

at = sys.argv.pop(1)
sys.meta_path.insert(0, CtrlC())
main()
"""
SPEC = """
data: {source: {sklearn: iris}}
model: {layers: [linear: $classes]}
loss: cross_entropy
optimizer: sgd
baselines: off
tracking: off
"""


def interrupted(folder: Path, at: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A command in a folder with a spec, with Ctrl-C where it imports a module."""
    (folder / "spec.yaml").write_text(SPEC)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", PROGRAM, at, *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("command", "at"),
    [
        *(("check", at) for at in ("typer", "pydantic", "pydantic_core.core_schema", "yaml", "dlrun.checks.check")),
        ("check", "dlrun.components.losses.cross_entropy"),
        ("params", "dlrun.components.layers.dense.linear"),
        *(("train", at) for at in ("numpy", "torch", "torch.nn", "dlrun.training.lifecycle.setup")),
    ],
)
def test_ctrl_c_while_a_command_starts_is_one_line(command: str, at: str, tmp_path: Path) -> None:
    done = interrupted(tmp_path, at, command, "spec.yaml")
    assert (done.returncode, done.stderr) == (130, "error: interrupted\n")


def test_ctrl_c_during_a_sync_says_how_to_go_on(tmp_path: Path) -> None:
    (tmp_path / "spec.yaml").write_text(SPEC.replace("tracking: off", ""))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    train = [sys.executable, "-m", "dlrun", "train", "spec.yaml", "train.epochs=1", "tracking=off"]
    subprocess.run(train, cwd=tmp_path, env=environment, capture_output=True, check=True)
    (run,) = (path for path in (tmp_path / "runs").iterdir() if path.is_dir())
    done = interrupted(tmp_path, "mlflow", "sync", run.name)
    assert done.returncode == 130
    assert done.stderr == f"error: interrupted; `dlrun sync runs/{run.name}` delivers the rest\n"


def test_a_command_that_was_started_to_ignore_ctrl_c_ignores_it() -> None:
    code = (
        "import os, signal; from dlrun.commands import interrupts; signal.signal(signal.SIGINT, signal.SIG_IGN); "
        "interrupts.end_at_once(); os.kill(os.getpid(), signal.SIGINT); print('it goes on')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "it goes on\n", "")
