"""metrics.jsonl: all metrics of a run, one line per moment, append-only. Other places get metrics only from here.

A line is `{"epoch":3,"step":75,"time":1760000000000,"metrics":{"train/loss":0.5},"check":"9f1c22ab"}`: numbers to the
last bit; nan, inf and -inf as strings; last the CRC-32 of all bytes before it. A crash may leave a torn last line.
"""

from __future__ import annotations

import os
import zlib
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from dlrun.errors import RunError
from dlrun.runs import durable
from dlrun.runs.checksummed_json import as_json, verified, with_checksum
from dlrun.runs.info import Record

NON_FINITE = ("nan", "inf", "-inf")
CLOCK, TEST = "time/", "test/"


def as_line(record: Record) -> bytes:
    """A record as a line of a journal."""
    metrics = as_json({name: float(value) for name, value in record.metrics.items()})
    content = {"epoch": record.epoch, "step": record.step, "time": record.time, "metrics": metrics}
    return with_checksum(content, _crc)


def from_line(line: bytes) -> Record:
    """A line of a journal, its newline included, as a record.

    Raises:
        ValueError: the line is damaged.
    """
    content = verified(line, _crc)
    moment, metrics = [content.get(key) for key in ("epoch", "step", "time")], content.get("metrics")
    if not all(type(number) is int for number in moment) or not isinstance(metrics, dict):
        raise ValueError("it is not a record")
    return Record(*moment, {name: _number(value) for name, value in metrics.items()})  # type: ignore[arg-type]


def _number(value: Any) -> float:
    if type(value) is float or value in NON_FINITE:
        return float(value)
    raise ValueError(f"a value is not a number: {value!r}")


def _crc(text: bytes) -> str:
    return f"{zlib.crc32(text):08x}"


def _scan(data: bytes) -> tuple[list[tuple[Record, int]], str]:
    """The intact lines at the start, each with the offset after it; then the error in the next whole line, or ''.

    A last line without a newline is torn, or not yet written whole: this is not an error.
    """
    found: list[tuple[Record, int]] = []
    start = 0
    while end := data.find(b"\n", start) + 1:
        try:
            record = from_line(data[start:end])
        except ValueError as error:
            return found, str(error)
        found.append((record, end))
        start = end
    return found, ""


def read_journal(path: Path) -> list[Record]:
    """All records of a journal, in order; a torn last line is left out.

    Raises:
        RunError: it cannot be read, or a line is damaged.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise RunError(f"cannot read {path}: {error.strerror}") from None
    found, wrong = _scan(data)
    if wrong:
        raise RunError(f"{path}: line {len(found) + 1} is damaged: {wrong}")
    return [record for record, _ in found]


class Tail:
    """Reads new lines of a journal, which another process may be writing; whole lines only."""

    def __init__(self, path: Path, offset: int = 0):
        self.path = path
        self.offset = offset
        """Bytes read so far. If no line ends there, as after a power cut, reading starts again from 0."""

    def more(self) -> list[tuple[Record, int]]:
        """The records added since the last call, each with the offset after it; none while there is no journal.

        Raises:
            RunError: it cannot be read, or the next line is damaged.
        """
        try:
            data = self._read()
        except FileNotFoundError:
            return []
        except OSError as error:
            raise RunError(f"cannot read {self.path}: {error.strerror}") from None
        found, wrong = _scan(data)
        if wrong and not found:
            raise RunError(f"{self.path}: the line at byte {self.offset} is damaged: {wrong}")
        found = [(record, self.offset + end) for record, end in found]
        if found:
            self.offset = found[-1][1]
        return found

    def _read(self) -> bytes:
        with self.path.open("rb") as file:
            if self.offset:
                file.seek(self.offset - 1)
                if file.read(1) == b"\n":
                    return file.read()
                self.offset = 0
                file.seek(0)
            return file.read()


class Journal:
    """The journal of a run that is training; after a resume, repeated records are compared with it."""

    def __init__(self, path: Path, after: int | None = None):
        """Start a new journal, or continue one whose first `after` bytes a checkpoint relies on.

        The records after them will be repeated: intact lines stay for comparison; torn or damaged ones are removed.

        Raises:
            RunError: it cannot be opened, a new one exists already, or the first `after` bytes are damaged.
        """
        self.path = path
        self.differences: list[str] = []
        """Differences between repeated records and the first ones."""
        self._ahead: deque[tuple[Record, int]] = deque()
        self._position = self._size = 0
        self._torn = False
        with self._as_run_error():
            self._file = durable.open_to_append(path)
        try:
            self._open(after)
        except BaseException:
            os.close(self._file)
            raise

    def _open(self, after: int | None) -> None:
        with self._as_run_error():
            durable.sync_folder(self.path.parent)
            size = os.fstat(self._file).st_size
            data = self.path.read_bytes() if size else b""
        if after is None:
            if data:
                raise RunError(f"{self.path} exists already")
            return
        found, wrong = _scan(data)
        good = found[-1][1] if found else 0
        if good < after and wrong:
            raise RunError(f"{self.path}: line {len(found) + 1} is damaged: {wrong}")
        if after and after not in (end for _, end in found):
            raise RunError(f"{self.path} does not belong to the checkpoint: no line ends at byte {after}")
        if wrong:
            self.differences.append(f"line {len(found) + 1} of the journal was damaged; it is rewritten from there")
        if good < len(data):
            with self._as_run_error():
                durable.cut(self._file, good)
                durable.sync(self._file)
        self._ahead = deque((record, end) for record, end in found if end > after)
        self._position, self._size = after, good

    def write(self, record: Record) -> None:
        """Add a record, or compare it with the same record from before a resume.

        Raises:
            RunError: it cannot be written; a torn line may be left, which the next write removes.
        """
        if self._is_repeated(record):
            return
        line = as_line(record)
        with self._as_run_error():
            if self._torn:
                durable.cut(self._file, self._size)
            self._torn = True
            durable.append(self._file, line)
            self._torn = False
        self._size += len(line)
        self._position = self._size

    def _is_repeated(self, record: Record) -> bool:
        while self._ahead:
            known, end = self._ahead[0]
            if _key(known) == _key(record):
                self._ahead.popleft()
                self._position = end
                self._compare(known, record)
                return True
            if not (known.step < record.step or known.epoch < record.epoch) or not _is_test(known):
                self.differences.append(f"the journal has {_moment(known)}, and this run has {_moment(record)}")
                self._ahead.clear()
                break
            self._ahead.popleft()  # the test of a run that had ended and is now resumed
        return False

    def _compare(self, known: Record, now: Record) -> None:
        for name, value in known.metrics.items():
            if not name.startswith(CLOCK) and repr(value) != repr(float(now.metrics[name])):
                self.differences.append(f"epoch {known.epoch}: {name} was {value!r}, now {now.metrics[name]!r}")

    def sync(self) -> int:
        """Sync it to the disk; returns how many bytes belong to a checkpoint of this moment."""
        with self._as_run_error():
            durable.sync(self._file)
        return self._position

    def close(self) -> None:
        """Sync everything to the disk and close the file."""
        try:
            self.sync()
        finally:
            os.close(self._file)

    @contextmanager
    def _as_run_error(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise RunError(f"cannot write {self.path}: {error.strerror}") from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _key(record: Record) -> tuple[Any, ...]:
    return record.epoch, record.step, sorted(name for name in record.metrics if not name.startswith(CLOCK))


def _is_test(record: Record) -> bool:
    return all(name.startswith((TEST, CLOCK)) for name in record.metrics)


def _moment(record: Record) -> str:
    return f"epoch {record.epoch}, step {record.step} ({', '.join(record.metrics)})"
