"""Bringing a run's figures to a place that may be slow, away, or coming and going."""

from __future__ import annotations

import queue
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from dlrun.tracking import Record, Status
from dlrun.tracking.limits import METRICS_AT_A_TIME, cut
from dlrun.tracking.mlflow_run import MlflowRun, Task
from dlrun.tracking.store import without_password

GATHER = 1.0
"""Seconds between two batches. Sending needs the processor that training needs, and nobody looks oftener."""
LONGEST_PAUSE = 30.0
"""Seconds between attempts at a server that stays away."""
LAST_ATTEMPTS = 3
LAST_PAUSE = 0.5
LONGEST_REASON = 300

NOT_FINAL = (401, 403, 404, 408, 429)
"""HTTP statuses of refusals that may be over at the next attempt: a proxy, a login, a server that starts."""


@dataclass(frozen=True, slots=True)
class End:
    """The last message of a run."""

    status: Status
    time: int
    """Milliseconds since 1970."""


class Delivery:
    """What the background thread does: `work` runs on it; `report` is for the thread that waits for it."""

    def __init__(self, run: MlflowRun, inbox: queue.SimpleQueue[Record | End]):
        self._run = run
        self._inbox = inbox
        self._records: deque[Record] = deque()
        self._others: list[Task] = []
        """What belongs to the run besides its figures."""
        self._end: End | None = None
        self._delivered = 0
        self._done = False
        self._trouble = ""
        """Why the last attempt failed; '' after one that didn't."""
        self._refused: list[str] = []

    def work(self) -> None:
        """Send until the end has come and all is sent, or can't be."""
        try:
            self._work()
        except BaseException as error:
            # An exception that left the thread would be printed over the user's screen.
            self._trouble = reason(error)

    def report(self, asked: int, late: str) -> str:
        """One line on what did not arrive, of `asked` figures, and why; '' if all did."""
        if self._done and not self._refused:
            return ""
        shown = without_password(self._run.uri)
        why = "; ".join(part for part in (late, self._trouble) if part).replace(self._run.uri, shown)
        if self._run.run_id is None:
            return f"MLflow at {shown} has nothing of this run: {why or 'no reason was given'}"
        missing = [f"{asked - self._delivered} of {asked} figures"] if asked > self._delivered else []
        missing += [name for name, _ in list(self._others)] + list(self._refused)
        missing += [] if self._done else ["the run's status"]
        return f"MLflow at {shown} lacks {', '.join(missing)}" + (f": {why}" if why else "")

    def _work(self) -> None:
        pause = 0.0
        while self._end is None:
            self._gather(time.monotonic() + pause)
            if self._end is None:
                pause = GATHER if self._attempt() else min(max(2 * pause, 1.0), LONGEST_PAUSE)
        for attempt in range(LAST_ATTEMPTS):
            if attempt:
                time.sleep(LAST_PAUSE)
            if self._attempt(last=attempt == LAST_ATTEMPTS - 1):
                break

    def _gather(self, earliest: float) -> None:
        """Take from the inbox until there is something to send and the time has come, or until the end."""
        while self._end is None:
            left = earliest - time.monotonic()
            waiting = bool(self._records or self._others or self._run.run_id is None)
            try:
                taken = self._inbox.get(timeout=max(left, 0.0) if waiting else None)
            except queue.Empty:
                return
            if isinstance(taken, End):
                self._end = taken
            else:
                self._records.append(taken)

    def _attempt(self, last: bool = False) -> bool:
        """Send all that waits; False if some of it must be tried again.

        After the end that includes the run's status, which comes last; the last attempt sends it anyway.
        """
        self._trouble = ""
        if self._run.run_id is None and not self._try("the run", self._open):
            return False
        figures, others = self._send_figures(), self._send_others()
        complete = figures and others
        if self._end is None:
            return complete
        if complete or last:
            terminate = partial(self._run.terminate, self._end.status, self._end.time)
            self._done = self._try("the run's status", terminate) and complete
        return self._done

    def _open(self) -> None:
        self._others = self._run.open()

    def _try(self, name: str, send: Callable[[], object]) -> bool:
        """Send one thing; False if it must be tried again."""
        try:
            send()
        except Exception as error:
            if self._run.run_id is None or not is_refusal(error):
                self._trouble = reason(error)
                return False
            self._refused.append(f"{name} ({reason(error)})")
        return True

    def _send_figures(self) -> bool:
        while self._records:
            taken = self._next_batch()
            refused = len(self._refused)
            if not self._try("some figures", partial(self._run.log, taken)):
                return False
            for _ in taken:
                self._records.popleft()
            if len(self._refused) == refused:
                self._delivered += sum(len(record.metrics) for record in taken)
        return True

    def _next_batch(self) -> list[Record]:
        """As many whole records as one call takes, but at least one."""
        taken: list[Record] = []
        figures = 0
        for record in self._records:
            figures += len(record.metrics)
            if taken and figures > METRICS_AT_A_TIME:
                break
            taken.append(record)
        return taken

    def _send_others(self) -> bool:
        self._others = [(name, send) for name, send in self._others if not self._try(name, send)]
        return not self._others


def is_refusal(error: Exception) -> bool:
    """Whether a server has understood and would refuse the same again."""
    status = getattr(error, "get_http_status_code", lambda: 500)()
    return 400 <= status < 500 and status not in NOT_FINAL


def reason(error: BaseException) -> str:
    """The root of an error in a line: MLflow wraps what the system said in several layers of its own."""
    inner: BaseException | None = error
    while inner is not None:
        if isinstance(inner, OSError) and inner.strerror:
            return inner.strerror
        inner = inner.__cause__ or inner.__context__
    first = str(error).strip().split("\n")[0] or type(error).__name__
    return cut(first, LONGEST_REASON)
