"""Bringing a run from its folder to a store that may be slow, away, or coming and going."""

from __future__ import annotations

import contextlib
import time
from collections import deque
from collections.abc import Callable
from enum import Enum, auto
from functools import partial
from pathlib import Path

from dlrun.errors import RunError
from dlrun.runs import durable
from dlrun.runs import folder as run_folder
from dlrun.runs.info import Record, Status
from dlrun.runs.journal import Tail
from dlrun.runs.run_json import RUNNING, read_run, with_texts
from dlrun.tracking.delivery_state import DeliveryState, recall, remember
from dlrun.tracking.mlflow_limits import METRICS_AT_A_TIME, cut
from dlrun.tracking.mlflow_run import MlflowRun, Upload
from dlrun.tracking.store import without_password

MAX_FAILURES = 3
"""How many in a row may bring nothing at all before the last ones are over."""
PAUSE = 0.5
MAX_REASON = 300

TEMPORARY = (401, 403, 404, 408, 429)
"""HTTP statuses of refusals that may be over at the next attempt: a proxy, a login, a server that starts."""


class SendResult(Enum):
    """What came of trying to send something."""

    SENT = auto()
    REFUSED = auto()
    """It would be refused again."""
    FAILED = auto()
    """It may go well another time."""


class Delivery:
    """Brings one run to one store, from where an earlier delivery ended. What is sent twice adds nothing.

    The journal is the way: it is followed while the run goes on, and brought to the disk before it is sent, so that
    the store has nothing that a resumed run could have lost.
    """

    def __init__(
        self,
        folder: Path,
        uri: str,
        stop: Callable[[], bool] = lambda: False,
        watch: Callable[[Delivery], None] = lambda _: None,
    ):
        """`stop` is asked between two calls, and may end all attempts; `watch` is told when figures were sent.

        Raises:
            RunError: the folder holds no run.
        """
        known = read_run(folder)
        self.folder = folder
        self._running = known.status == RUNNING
        self._run = MlflowRun(uri, known.info.experiment, with_texts(known.info))
        self._stop = stop
        self._watch = watch
        self._journal = folder / run_folder.JOURNAL
        self._earlier = recall(folder, uri) or DeliveryState()
        self._tail = Tail(self._journal)
        self._records: deque[tuple[Record, int]] = deque()
        """What was read and not sent, each with the offset after it."""
        self._delivered = 0
        """Bytes of the journal that have arrived without a gap."""
        self._gap = False
        self._unread = False
        """Whether the journal can't be read to its end."""
        self._others: list[Upload] = []
        """What belongs to the run besides its figures."""
        self._refused: list[str] = []
        self._successes = 0
        self._status_sent = False
        self._error = ""
        """Why the last attempt failed; '' after one that didn't."""
        self.sent = 0
        """Figures that were delivered by this very delivery."""
        remember(folder, uri, DeliveryState(self._earlier.run, self._earlier.journal))

    @property
    def page(self) -> str:
        """The run's page, below the address of a server; '' until it is there."""
        return self._run.page

    @property
    def share(self) -> float:
        """How much of the journal is delivered, from 0 to 1."""
        with contextlib.suppress(OSError):
            return self._delivered / max(self._journal.stat().st_size, 1)
        return 0.0

    @property
    def reached(self) -> bool:
        """Whether the store has the run."""
        return self._run.run_id is not None

    def attempt(self) -> bool:
        """Send all that is there now and wasn't sent; False if some of it must be result again."""
        self._error = ""
        if not self.reached and self._send("the run", self._open) is SendResult.FAILED:
            return False
        figures, others = self._send_metrics(), self._send_others()
        return figures and others

    def finish(self, status: Status, time_ended: int) -> None:
        """Send all that is left, the status last; a store that gives nothing but trouble is left alone soon."""
        failures = 0
        complete = False
        while not complete and failures < MAX_FAILURES and not self._stop():
            if failures:
                time.sleep(PAUSE)
            before = self._successes
            complete = self.attempt() and self._terminate(status, time_ended)
            failures = 0 if self._successes > before else failures + 1
        if not complete and self.reached and not self._stop():
            trouble = self._error
            self._terminate(status, time_ended)  # the rest may be refused, but a run that is over is not running
            self._error = trouble or self._error

    def report(self, late: str = "") -> str:
        """One line on what did not arrive, and why; '' if all did."""
        if self._complete:
            return ""
        uri = self._run.uri
        shown = without_password(uri)
        why = "; ".join(part for part in (late, self._error) if part).replace(uri, shown)
        if not self.reached:
            return f"MLflow at {shown} has nothing of this run: {why or 'no reason was given'}"
        figures = sum(len(record.metrics) for record, _ in list(self._records))
        missing = [f"{figures} figures"] if figures else []
        missing += ["the rest of the journal"] if self._unread else []
        missing += [name for name, _ in list(self._others)] + list(self._refused)
        missing += [] if self._status_sent else ["the run's status"]
        return f"MLflow at {shown} lacks {', '.join(dict.fromkeys(missing))}" + (f": {why}" if why else "")

    def _open(self) -> None:
        self._others = self._run.open(self._running, self._earlier.run)
        # A store that was made anew has the run under another id, and none of its figures.
        self._delivered = self._earlier.journal if self._run.run_id == self._earlier.run else 0
        self._tail = Tail(self._journal, self._delivered)
        self._remember()

    def _terminate(self, status: Status, time_ended: int) -> bool:
        result = self._send("the run's status", partial(self._run.terminate, status, time_ended))
        self._status_sent = result is SendResult.SENT
        self._remember()
        return result is not SendResult.FAILED

    @property
    def _complete(self) -> bool:
        return self._status_sent and not (self._unread or self._records or self._others or self._refused)

    def _remember(self) -> None:
        remember(self.folder, self._run.uri, DeliveryState(self._run.run_id, self._delivered, self._complete))

    def _send(self, name: str, send: Callable[[], object]) -> SendResult:
        try:
            send()
        except Exception as error:
            if not self.reached or not is_refusal(error):
                self._error = reason(error)
                return SendResult.FAILED
            told = f"{name} ({reason(error)})"
            if told not in self._refused:
                self._refused.append(told)
            self._successes += 1
            return SendResult.REFUSED
        self._successes += 1
        return SendResult.SENT

    def _send_metrics(self) -> bool:
        whole = self._read()
        while self._records:
            if self._stop():
                return False
            taken = self._next_batch()
            result = self._send("some figures", partial(self._run.log, [record for record, _ in taken]))
            if result is SendResult.FAILED:
                return False
            for _ in taken:
                self._records.popleft()
            if result is SendResult.SENT:
                self.sent += sum(len(record.metrics) for record, _ in taken)
            self._gap |= result is SendResult.REFUSED
            if not self._gap:
                self._delivered = taken[-1][1]
                self._remember()
            self._watch(self)
        return whole

    def _read(self) -> bool:
        """Take what was added to the journal; False if it can't be read to its end."""
        self._unread = False
        try:
            while added := self._tail.more():  # damage is told when nothing good stands before it any more
                _sync(self._journal)
                self._records.extend(added)
        except RunError as error:
            self._error = reason(error)
            self._unread = True
        return not self._unread

    def _next_batch(self) -> list[tuple[Record, int]]:
        """As many whole records as one call takes, but at least one."""
        taken: list[tuple[Record, int]] = []
        figures = 0
        for record, end in self._records:
            figures += len(record.metrics)
            if taken and figures > METRICS_AT_A_TIME:
                break
            taken.append((record, end))
        return taken

    def _send_others(self) -> bool:
        left = []
        for name, send in self._others:
            if self._stop() or self._send(name, send) is SendResult.FAILED:
                left.append((name, send))
        self._others = left
        return not left


def _sync(path: Path) -> None:
    with contextlib.suppress(OSError), path.open("rb") as file:  # where nothing can be written, nothing is to be synced
        durable.sync(file.fileno())


def is_refusal(error: Exception) -> bool:
    """Whether a server has understood and would refuse the same again."""
    if getattr(error, "error_code", "") == "BAD_REQUEST":  # so MLflow calls all trouble of a database
        return False
    status = getattr(error, "get_http_status_code", lambda: 500)()
    return 400 <= status < 500 and status not in TEMPORARY


def reason(error: BaseException) -> str:
    """The root of an error in a line: MLflow wraps what the system said in several layers of its own."""
    inner: BaseException | None = error
    while inner is not None:
        if isinstance(inner, OSError) and inner.strerror:
            return inner.strerror
        inner = inner.__cause__ or inner.__context__
    first = str(error).strip().split("\n")[0] or type(error).__name__
    return cut(first, MAX_REASON)
