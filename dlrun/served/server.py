"""The server of a service: it listens on a port, in a thread, until it is ended."""

from __future__ import annotations

import contextlib
import errno
import socket
import threading
from collections.abc import Callable, Iterator

import uvicorn

from dlrun.errors import SpecError
from dlrun.served.app import app_of
from dlrun.served.service import Service
from dlrun.trained.run import TrainedRun

LOOPBACK = ("127.0.0.1", "::1", "localhost")
PATIENCE = 5
"""Seconds that open requests have to end."""


@contextlib.contextmanager
def serving(
    run: TrainedRun, host: str, port: int, tell: Callable[[str], None]
) -> Iterator[tuple[str, threading.Thread]]:
    """Serve a run while the block lasts; gives the address and the thread that serves.

    Args:
        run: the run.
        host: the address of this machine to listen on.
        port: the port; 0 for a free one.
        tell: takes a line about a failure that is the program's own.

    Raises:
        SpecError: the port is taken, or the host is not this machine's.
    """
    listening = _listen(host, port)
    service = Service(run, tell)
    shown = f"[{host}]" if ":" in host else host
    names = ["localhost", "127.0.0.1", "[::1]", shown] if host in LOOPBACK else ["*"]
    config = uvicorn.Config(
        app_of(service, names),
        log_level="critical",
        access_log=False,
        lifespan="off",
        ws="none",
        server_header=False,
        timeout_graceful_shutdown=PATIENCE,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listening],), name="server", daemon=True)
    thread.start()
    try:
        yield f"http://{shown}:{listening.getsockname()[1]}", thread
    finally:
        server.should_exit = True
        thread.join(PATIENCE + 1)
        service.close()
        listening.close()


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(family, kind, protocol)
    except (OSError, UnicodeError) as error:
        raise SpecError(f"cannot listen on {host}: {getattr(error, 'strerror', None) or error}") from None
    # As every server does: a port that was closed a moment ago counts as free.
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind(address)
        listening.listen(128)
    except OSError as error:
        listening.close()
        if error.errno == errno.EADDRINUSE:
            raise SpecError(f"port {port} of {host} is taken; choose another with --port") from None
        raise SpecError(f"cannot listen on port {port} of {host}: {error.strerror or error}") from None
    return listening
