"""Being asked to end, by Ctrl-C or SIGTERM: the step that is under way is finished, then the run unwinds.

An exception raised by a signal lands wherever the interpreter happens to be, also where exceptions are swallowed (a
finalizer, a callback out of C code), and the run would go on as if nobody had asked. So the first signal is only noted,
and the loop looks; a second one does not wait.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any


class Terminated(BaseException):
    """The process was asked to end, by SIGTERM."""


@dataclass(slots=True)
class StopRequest:
    """Whether somebody has asked the run to end."""

    number: int | None = None
    """The signal."""
    urgent: bool = False
    """Whether it came twice, so that nothing else is to be done."""

    def check(self) -> None:
        """Unwind if somebody has asked.

        Raises:
            KeyboardInterrupt: by Ctrl-C.
            Terminated: by SIGTERM.
        """
        if self.number is not None:
            raise Terminated if self.number == signal.SIGTERM else KeyboardInterrupt


@contextmanager
def listening(stop_request: StopRequest) -> Iterator[None]:
    """Note a first SIGINT or SIGTERM in `stop_request`; a second one raises at once."""

    def ask(number: int, _frame: Any) -> None:
        stop_request.urgent = stop_request.number is not None
        stop_request.number = number
        if stop_request.urgent:
            stop_request.check()

    before: dict[int, Any] = {}
    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            before[number] = signal.signal(number, ask)
    except ValueError:  # not in the main thread, where signals do not arrive either
        pass
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
