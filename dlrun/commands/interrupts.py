"""Ctrl-C before a command has something to clean up: one line, and the process ends at once.

An exception would come up wherever the interpreter happens to be, such as in an import inside another library, which
may swallow it or make another error of it. Nothing is lost: whatever a command writes survives a kill at any moment.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from types import FrameType
from typing import Any

INTERRUPTED = 130
"""The exit code after Ctrl-C."""
SHOW_CURSOR = "\033[?25h"


class _CtrlC:
    """What the signal does."""

    raises = False
    """Whether it is an exception: a run has begun, or a file is being written."""
    next_step = ""

    def __call__(self, _number: int, _frame: Any) -> None:
        if self.raises:
            raise KeyboardInterrupt
        with contextlib.suppress(Exception):  # where the signal came in the middle of writing
            sys.stdout.flush()
        with contextlib.suppress(OSError):
            cursor = SHOW_CURSOR + "\n" if os.isatty(2) else ""
            os.write(2, f"{cursor}error: interrupted{self.next_step}\n".encode(errors="replace"))
        os._exit(INTERRUPTED)


_ctrl_c = _CtrlC()


def end_at_once() -> None:
    """From now on Ctrl-C ends the process, unless it was started to ignore it, as in the background of a script."""
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, _ctrl_c)


def raise_from_now_on() -> None:
    """From now on Ctrl-C is an exception, for a command that must clean up."""
    _ctrl_c.raises = True


def say(next_step: str) -> None:
    """What the line of Ctrl-C says besides."""
    _ctrl_c.next_step = next_step


class AskedToEndError(BaseException):
    """A signal asked a command to end that goes on until then."""

    def __init__(self, number: int):
        self.exit_code = 0 if number == signal.SIGINT else 128 + number  # Ctrl-C is how users end it: no failure


@contextlib.contextmanager
def asked_to_end() -> Iterator[None]:
    """Turn a signal to end into an exception; a closed terminal, too, must not leave a server behind."""

    def end(number: int, _frame: FrameType | None) -> None:
        for other in numbers:
            signal.signal(other, signal.SIG_IGN)  # a second Ctrl-C must not interrupt the cleanup
        raise AskedToEndError(number)

    numbers = [signal.SIGINT, signal.SIGTERM] + ([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])
    before = {number: signal.signal(number, end) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
