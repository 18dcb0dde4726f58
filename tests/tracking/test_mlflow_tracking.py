"""The training process's side of a delivery."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest
from run_folders import make_run

from dlrun.tracking import mlflow_tracking
from dlrun.tracking.mlflow_tracking import MlflowTracking


def test_ctrl_c_ends_the_waiting_for_a_delivery_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hanging = subprocess.Popen(["sleep", "60"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    monkeypatch.setattr(mlflow_tracking, "start_process", lambda: hanging)
    info = make_run(tmp_path / "calm-otter")
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with MlflowTracking("http://localhost:1", tmp_path) as tracking:
            tracking.begin(info)
            threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
            begun = time.monotonic()
            missing = tracking.end("FINISHED", 30)
        assert time.monotonic() - begun < 10
        assert "lacks some of this run: stopped waiting after Ctrl-C; `dlrun sync" in missing
        assert hanging.poll() is None  # it delivers what it still can
    finally:
        signal.signal(signal.SIGINT, before)
        hanging.kill()
        hanging.wait()
        assert hanging.stdout is not None
        hanging.stdout.close()
