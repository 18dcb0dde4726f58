"""What a shell is offered for each argument."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from run_folders import complete_run, make_run


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("dlrun train ", ["deep/", "digits.yaml"]),
        ("dlrun check di", ["digits.yaml"]),
        ("dlrun params deep/", ["deep/cnn.yml"]),
        ("dlrun draw nowhere/", []),
        ("dlrun kinds conv_t", ["conv_transpose1d", "conv_transpose2d", "conv_transpose3d"]),
        ("dlrun kinds loss", ["losses"]),
        ("dlrun kinds recu", ["recurrent"]),
        ("dlrun kinds early", ["early_stopping"]),
        ("dlrun new ima", ["images"]),
        ("dlrun resume --runs here ", ["last", "digits-2", "digits-1"]),
        ("dlrun sync --runs here digits-1", ["digits-1"]),
        ("dlrun resume --runs here digits-2/", ["digits-2/fold-1", "digits-2/fold-2"]),
        ("dlrun resume --runs good best:val", ["best:validation/loss"]),
        ("dlrun resume --runs good best:validation/loss@w", ["best:validation/loss@wine"]),
        ("dlrun resume ", []),
    ],
)
def test_tab_offers_what_the_argument_may_be(line: str, offered: list[str], tmp_path: Path) -> None:
    for name in ("digits.yaml", "notes.txt", "deep/cnn.yml", "here/digits-1/run.json", "here/digits-2/run.json"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    for part in ("fold-1", "fold-2"):
        make_run(tmp_path / "here" / "digits-2" / part)
    known = {"experiment": "wine", "greater_is_better": {"loss": False}}
    complete_run(tmp_path / "good" / "wine-1", {"validation/loss": 0.1}, {}, **known)
    asked = {"_DLRUN_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(line.count(" "))}
    code = "from dlrun.commands.app import app; app(prog_name='dlrun')"
    out = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env={**os.environ, **asked}, capture_output=True, text=True
    )
    assert [word for word in out.stdout.split() if word not in ("here/", "good/")] == offered, out.stderr
