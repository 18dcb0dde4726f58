"""MLflow's own server behind a proxy that fails on purpose.

The server is a separate process with MLflow's handlers and an SQLite store. The proxy is an HTTP server in a thread of
the test, which passes requests on, or does not.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

FAULTS = ("reset", "error", "hang", "late", "drop", "cut")
"""Ways in which a request fails:

reset   the connection is reset while the request is sent
error   the response is status 500
hang    there is no response
late    as hang, but the request is carried out after the client has stopped waiting
drop    the request is carried out, and the connection closed without a response
cut     the request is carried out, and half of the response is sent
"""

PROGRAM = """
import os, sys
store, artifacts = sys.argv[1:]
os.environ.update({
    "_MLFLOW_SERVER_FILE_STORE": store, "_MLFLOW_SERVER_REGISTRY_STORE": store,
    "_MLFLOW_SERVER_ARTIFACT_ROOT": artifacts, "_MLFLOW_SERVER_SERVE_ARTIFACTS": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
})
from mlflow.server import app
from werkzeug.serving import make_server
server = make_server("127.0.0.1", 0, app, threaded=True)
print(server.port, flush=True)
server.serve_forever()
"""


class Server:
    """MLflow's server, without faults."""

    def __init__(self, store: Path):
        self.store = store
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", PROGRAM, f"sqlite:///{store}", str(store.with_suffix(""))],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()


Script = Callable[[int], str]
"""The fault of each request, by its number from 0: one of FAULTS, or ''."""


class Proxy:
    """The address that a client connects to in place of the server."""

    def __init__(self, server: Server, script: Script, timeout: float):
        """`timeout` is how many seconds a client waits for a response."""
        self.requests = 0
        self.faults = 0
        self._busy = 0
        self._script = script
        self._well = threading.Event()
        self._turn = threading.Lock()
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle(self) -> None:
                with contextlib.suppress(OSError):
                    super().handle()

            def pass_on(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                fault = proxy._fault()
                with proxy._at_work():
                    self.act(fault, body)

            def act(self, fault: str, body: bytes) -> None:
                if fault in ("reset", "hang", "late"):
                    if fault != "reset":
                        proxy._well.wait(timeout + 0.5)
                    if fault == "late":
                        self.ask(body)
                    self.hang_up()
                elif fault == "error":
                    self.answer(500, b"<h1>Internal Server Error</h1>", "text/html")
                else:
                    status, said, kind = self.ask(body)
                    if fault == "drop":
                        self.hang_up()
                    elif fault == "cut":
                        self.answer(status, said, kind, len(said) // 2)
                        self.hang_up()
                    else:
                        self.answer(status, said, kind)

            def ask(self, body: bytes) -> tuple[int, bytes, str]:
                with contextlib.closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)) as connection:
                    headers = {"Content-Type": self.headers.get("Content-Type", "application/json")}
                    connection.request(self.command, self.path, body, headers)
                    answer = connection.getresponse()
                    return answer.status, answer.read(), answer.getheader("Content-Type", "application/json")

            def answer(self, status: int, body: bytes, kind: str, sent: int | None = None) -> None:
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body[:sent])

            def hang_up(self) -> None:
                # With this option, closing the connection resets it.
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.close_connection = True

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = pass_on  # noqa: N815

            def log_message(self, format: str, *args: object) -> None: ...

        class Quiet(ThreadingHTTPServer):
            daemon_threads = True
            block_on_close = False

            def shutdown_request(self, request: socket.socket) -> None:  # type: ignore[override]
                self.close_request(request)  # without a shutdown, so that a reset is one

            def handle_error(self, request: object, client_address: object) -> None: ...

        self._http = Quiet(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self._http.server_port}"
        threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def _fault(self) -> str:
        with self._turn:
            number = self.requests
            self.requests += 1
            fault = "" if self._well.is_set() else self._script(number)
            self.faults += bool(fault)
        return fault

    @contextlib.contextmanager
    def _at_work(self) -> Iterator[None]:
        with self._turn:
            self._busy += 1
        try:
            yield
        finally:
            with self._turn:
                self._busy -= 1

    def recover(self) -> None:
        """Stop all faults, and wait until the requests that were held back are done."""
        self._well.set()
        wait_for(lambda: not self._busy)

    def close(self) -> None:
        self._well.set()
        self._http.shutdown()
        self._http.server_close()


@contextlib.contextmanager
def proxy(server: Server, script: Script, timeout: float) -> Iterator[Proxy]:
    made = Proxy(server, script, timeout)
    try:
        yield made
    finally:
        made.close()


def wait_for(condition: Callable[[], object], seconds: float = 60.0) -> None:
    """Wait until a condition is true."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not true after {seconds:g} s"
        time.sleep(0.02)
