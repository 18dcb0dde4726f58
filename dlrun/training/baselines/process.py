"""The process that fits baselines and predicts by them; it imports scikit-learn, and no torch.

The training process (worker.py) starts it, and can end it at any moment. It sends what to fit, the training rows block
by block, and then the rows to predict; each gets an answer. The process ends when its input closes, and when the
training process is gone.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterator
from typing import IO, Any

from dlrun.components.baselines import BaselineError, Fitted
from dlrun.language.component import choose
from dlrun.training.baselines.pipe import Array, receive, send


def main() -> None:
    """Answer the process at the other end of the standard streams."""
    output = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # a library may print
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    fitted: Fitted | None = None
    while (message := receive(sys.stdin.buffer)) is not None:
        content, arrays = message
        try:
            if "fit" in content:
                fitted = _fit(content, sys.stdin.buffer)
                send(output, {"figures": fitted.figures, "remark": fitted.remark})
            else:
                assert fitted is not None
                send(output, {}, [fitted.predict(arrays[0])])
        except (BaselineError, ArithmeticError, ValueError, ImportError, MemoryError, RuntimeError) as error:
            what = "there is not enough memory" if isinstance(error, MemoryError) else str(error).split("\n")[0]
            send(output, {"error": what or type(error).__name__})
    os._exit(0)


def _end_with(parent: int) -> None:
    """End when the training process is gone, also in the middle of fitting."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


def _fit(content: dict[str, Any], stream: IO[bytes]) -> Fitted:
    blocks = _blocks(stream)
    try:
        baseline: Any = choose("baselines", content["fit"])
        return baseline.fit(blocks, content["classes"], content["seed"])
    finally:
        for _ in blocks:  # what an error has left unread
            pass


def _blocks(stream: IO[bytes]) -> Iterator[tuple[Array, Array]]:
    while (message := receive(stream)) is not None and message[1]:
        x, y = message[1]
        yield x, y
