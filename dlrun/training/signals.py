"""Stopping on Ctrl-C or SIGTERM: the current step is finished, then the run ends.

An exception raised by a signal appears wherever the interpreter happens to be, also where exceptions are swallowed (a
finalizer, a callback from C code), and then the run would continue. So the first signal is only noted, and the loop
checks for it after each step; a second signal raises at once.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any


class Terminated(BaseException):
    """SIGTERM asked the process to end."""


class Reached(KeyboardInterrupt):
    """A run has come as far as it was to come. It ends as one that was interrupted there."""


@dataclass(slots=True)
class StopRequest:
    """Whether a signal has asked the run to stop."""

    number: int | None = None
    """The number of the signal; None before one has come."""
    urgent: bool = False
    """Whether a second signal came, so that nothing more is written."""

    def check(self) -> None:
        """Raise if a signal has come.

        Raises:
            KeyboardInterrupt: it was Ctrl-C.
            Terminated: it was SIGTERM.
        """
        if self.number is not None:
            raise Terminated if self.number == signal.SIGTERM else KeyboardInterrupt


@contextmanager
def stop_on_signals(stop_request: StopRequest) -> Iterator[None]:
    """Note a first SIGINT or SIGTERM in `stop_request`; a second one raises at once."""

    def on_signal(number: int, _frame: Any) -> None:
        stop_request.urgent = stop_request.number is not None
        stop_request.number = number
        if stop_request.urgent:
            stop_request.check()

    previous: dict[int, Any] = {}
    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            previous[number] = signal.signal(number, on_signal)
    except ValueError:  # not in the main thread, where signals do not arrive either
        pass
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
