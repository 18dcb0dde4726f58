"""Processes that have MLflow loaded when they start.

Loading it takes seconds of the processor. One process loads it and forks, so that a hundred runs do not load it a
hundred times. The children run the same program that `dlrun train` starts.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from typing import IO

PROGRAM = """
import os, signal, socket, sys
import dlrun.tracking.delivery_process
from dlrun.tracking.mlflow_run import import_quietly
import_quietly()
import mlflow.store.tracking.sqlalchemy_store, mlflow.store.tracking.rest_store
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
parent = socket.socket(fileno=int(sys.argv[1]))
while True:
    _, descriptors, _, _ = socket.recv_fds(parent, 1, 2)
    if not descriptors:
        os._exit(0)
    child = os.fork()
    if not child:
        os.setsid()
        parent.close()
        for descriptor, number in zip(descriptors, (0, 1)):
            os.dup2(descriptor, number)
            os.close(descriptor)
        dlrun.tracking.delivery_process.main()
    for descriptor in descriptors:
        os.close(descriptor)
    parent.sendall(str(child).encode())
"""


class Child:
    """The part of Popen that is needed."""

    def __init__(self, pid: int, stdin: IO[bytes], stdout: IO[bytes]):
        self.pid, self.stdin, self.stdout = pid, stdin, stdout

    def poll(self) -> int | None:
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return 0
        return None

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)

    def wait(self) -> None:
        while self.poll() is None:
            time.sleep(0.005)


class Nursery:
    """A process that has MLflow loaded, and forks a child on request."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._own, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-W", "ignore", "-c", PROGRAM, str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                env={**os.environ, "MLFLOW_HTTP_REQUEST_TIMEOUT": "1"},
                stderr=subprocess.DEVNULL,
            )

    def start(self) -> Child:
        """Fork a delivery process."""
        inward, requests = os.pipe()
        answers, outward = os.pipe()
        with self._turn:
            socket.send_fds(self._own, [b"x"], [inward, outward])
            pid = int(self._own.recv(32))
        os.close(inward)
        os.close(outward)
        return Child(pid, os.fdopen(requests, "wb"), os.fdopen(answers, "rb"))

    def close(self) -> None:
        self._own.close()
        self._process.wait()
