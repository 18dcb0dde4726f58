"""Delivery of a run from its folder to a store, which may be slow, unreachable, or reachable only now and then."""

from __future__ import annotations

import contextlib
import time
from collections import deque
from collections.abc import Callable
from enum import Enum, auto
from functools import partial
from pathlib import Path

from dlrun.errors import RunError, without_password
from dlrun.runs import durable
from dlrun.runs import folder as run_folder
from dlrun.runs.baselines import read_comparison
from dlrun.runs.info import Record, Status
from dlrun.runs.journal import Tail
from dlrun.runs.run_json import RUNNING, read_run, with_texts
from dlrun.tracking import baselines, evaluation, model
from dlrun.tracking.delivery_state import DeliveryState, recall, remember
from dlrun.tracking.mlflow_limits import METRICS_AT_A_TIME, cut
from dlrun.tracking.mlflow_run import MlflowRun, Upload

MAX_FAILURES = 3
"""How many attempts in a row may deliver nothing before `finish` gives up."""
PAUSE = 0.5
"""Seconds between two attempts of `finish`."""
MAX_REASON = 300
"""Characters."""

TEMPORARY = (401, 403, 404, 408, 429)
"""HTTP statuses that may change at the next attempt: a proxy, a login, a server that starts."""


class SendResult(Enum):
    """The result of one call to the store."""

    SENT = auto()
    REFUSED = auto()
    """The server understood the call, and would refuse it again."""
    FAILED = auto()
    """The call may succeed later."""


class Delivery:
    """Delivers one run to one store, from where an earlier delivery ended. Sending something twice adds nothing.

    It follows the journal while the run trains, and syncs it to the disk before sending it, so that the store has
    nothing that a resumed run could have lost.
    """

    def __init__(
        self,
        folder: Path,
        uri: str,
        stop: Callable[[], bool] = lambda: False,
        watch: Callable[[Delivery], None] = lambda _: None,
    ):
        """`stop` is called between two calls to the store, and may end all attempts; `watch` after metrics are sent.

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
        """Records that are read and not sent, each with the offset after it."""
        self._delivered = 0
        """Bytes of the journal that are delivered without a gap."""
        self._gap = False
        self._unread = False
        """Whether a part of the journal cannot be read."""
        self._others: list[Upload] = []
        """Everything to send besides the metrics."""
        self._results: list[Upload] | None = None
        """Those of them that only a run that has ended has: the network, the evaluations, the results of baselines."""
        self._refused: list[str] = []
        self._successes = 0
        self._status_sent = False
        self._error = ""
        """Why the last attempt failed; '' if it did not."""
        self.sent = 0
        """Number of metric values that this delivery has sent."""
        remember(folder, uri, DeliveryState(self._earlier.run, self._earlier.journal))

    @property
    def page(self) -> str:
        """The path of the run's page on a server; '' until the store has the run."""
        return self._run.page

    @property
    def share(self) -> float:
        """The delivered share of the journal, from 0 to 1."""
        with contextlib.suppress(OSError):
            return self._delivered / max(self._journal.stat().st_size, 1)
        return 0.0

    @property
    def reached(self) -> bool:
        """Whether the store has the run."""
        return self._run.run_id is not None

    def attempt(self) -> bool:
        """Send everything that is not sent yet; False if some of it must be tried again."""
        self._error = ""
        if not self.reached and self._send("the run", self._open) is SendResult.FAILED:
            return False
        metrics, others = self._send_metrics(), self._send_others()
        return metrics and others

    def finish(self, status: Status, time_ended: int) -> None:
        """Send everything that is left, the status last; give up soon if every attempt fails."""
        failures = 0
        complete = False
        while not complete and failures < MAX_FAILURES and not self._stop():
            if failures:
                time.sleep(PAUSE)
            before = self._successes
            complete = self.attempt() and self._send_results() and self._terminate(status, time_ended)
            failures = 0 if self._successes > before else failures + 1
        if not complete and self.reached and not self._stop():
            trouble = self._error
            # Even if the rest is missing, a run that has ended must not have the status RUNNING.
            self._terminate(status, time_ended)
            self._error = trouble or self._error

    def report(self, late: str = "") -> str:
        """One line: what is not delivered, and why; '' if everything is delivered."""
        if self._complete:
            return ""
        uri = self._run.uri
        shown = without_password(uri)
        why = "; ".join(part for part in (late, self._error) if part).replace(uri, shown)
        why = without_password(why)
        if not self.reached:
            return f"MLflow at {shown} has nothing of this run: {why or 'no reason was given'}"
        values = sum(len(record.metrics) for record, _ in list(self._records))
        missing = [f"{values} metric values"] if values else []
        missing += ["the rest of the journal"] if self._unread else []
        missing += [name for name, _ in list(self._others)] + list(self._refused)
        missing += [] if self._status_sent else ["the run's status"]
        return f"MLflow at {shown} lacks {', '.join(dict.fromkeys(missing))}" + (f": {why}" if why else "")

    def _open(self) -> None:
        self._others = self._run.open(self._running, self._earlier.run)
        # A new store has the run under another id, and none of its metrics.
        self._delivered = self._earlier.journal if self._run.run_id == self._earlier.run else 0
        self._tail = Tail(self._journal, self._delivered)
        self._remember()

    def _send_results(self) -> bool:
        """Send the network, the evaluations, and the results of the baselines, each as a run below this one."""
        if self._results is None:
            self._results = []
            for what, uploads in (
                ("the network", lambda: model.uploads(self._run, self.folder)),
                ("the evaluations", lambda: evaluation.uploads(self._run, self.folder)),
                ("the baselines", lambda: baselines.uploads(self._run, read_comparison(self.folder))),
            ):
                try:
                    self._results += uploads()
                except RunError as error:  # there is nothing else to send in its place
                    self._refused.append(f"{what} ({reason(error)})")
            self._others += self._results
        return self._send_others()

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
            refusal = f"{name} ({reason(error)})"
            if refusal not in self._refused:
                self._refused.append(refusal)
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
            result = self._send("some metric values", partial(self._run.log, [record for record, _ in taken]))
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
        """Read what was added to the journal; False if a part of it cannot be read."""
        self._unread = False
        try:
            while added := self._tail.more():  # damage raises once all records before it are read
                _sync(self._journal)
                self._records.extend(added)
        except RunError as error:
            self._error = reason(error)
            self._unread = True
        return not self._unread

    def _next_batch(self) -> list[tuple[Record, int]]:
        """As many whole records as fit into one call, but at least one."""
        taken: list[tuple[Record, int]] = []
        values = 0
        for record, end in self._records:
            values += len(record.metrics)
            if taken and values > METRICS_AT_A_TIME:
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
    with contextlib.suppress(OSError), path.open("rb") as file:  # a file that cannot be opened needs no sync
        durable.sync(file.fileno())


def is_refusal(error: Exception) -> bool:
    """Whether a server has understood a call and would refuse it again."""
    if getattr(error, "error_code", "") == "BAD_REQUEST":  # MLflow's code for all errors of a database
        return False
    status = getattr(error, "get_http_status_code", lambda: 500)()
    return 400 <= status < 500 and status not in TEMPORARY


def reason(error: BaseException) -> str:
    """The root cause of an error, in one line: MLflow wraps the error of the system in several of its own."""
    inner: BaseException | None = error
    while inner is not None:
        if isinstance(inner, OSError) and inner.strerror:
            return inner.strerror
        inner = inner.__cause__ or inner.__context__
    first = str(error).strip().split("\n")[0] or type(error).__name__
    return cut(first, MAX_REASON)
