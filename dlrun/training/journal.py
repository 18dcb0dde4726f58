"""metrics.jsonl: every figure of a run, a line a moment, only ever added to."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from dlrun.errors import RunError
from dlrun.tracking import Record


class Journal:
    """An append-only file of records; a line is written whole or, after a crash, recognisably torn."""

    def __init__(self, path: Path):
        self.path = path
        with self._told():
            self.file = path.open("ab", buffering=0)

    def write(self, record: Record) -> None:
        """Add a record. Numbers that JSON lacks are written as the words nan, inf and -inf.

        Raises:
            RunError: it cannot be written.
        """
        metrics = {name: value if math.isfinite(value) else str(value) for name, value in record.metrics.items()}
        line = json.dumps({"epoch": record.epoch, "time": record.time, "metrics": metrics}) + "\n"
        left = memoryview(line.encode())
        with self._told():
            while left:  # a disk that fills up may take a part
                left = left[self.file.write(left) :]

    def close(self) -> None:
        """Bring everything to the disk."""
        with self.file, self._told():
            os.fsync(self.file.fileno())

    @contextmanager
    def _told(self) -> Iterator[None]:
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


def read_journal(path: Path) -> list[Record]:
    """All whole records of a journal, in order; a torn last line is left out."""
    records = []
    for line in path.read_text(encoding="utf-8").split("\n")[:-1]:
        data = json.loads(line)
        metrics = {name: float(value) for name, value in data["metrics"].items()}
        records.append(Record(data["epoch"], data["time"], metrics))
    return records
