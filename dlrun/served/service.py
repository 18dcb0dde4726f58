"""What a run answers to a request: rows in, predictions out, or an error with its status."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from dlrun.errors import SpecError, visible
from dlrun.served.bodies import CSV, JSON, MOST_ROWS, RefusedError, file_of, too_many, with_rows_named
from dlrun.served.joined import JoinedPasses
from dlrun.trained.predict import predict
from dlrun.trained.rows import NewRows, source_of
from dlrun.trained.run import TrainedRun
from dlrun.trained.write import as_bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """What is sent back."""

    status: int
    content: bytes
    kind: str
    """Its media type."""


class Service:
    """A run that answers requests, several at the same time."""

    def __init__(self, run: TrainedRun, tell: Callable[[str], None]):
        """`tell` takes a line about a failure that is the program's own."""
        self.run, self.tell = run, tell
        self.passes = JoinedPasses(run)

    def close(self) -> None:
        """End; requests that are there have their answers."""
        self.passes.close()

    def answer(self, body: bytes, kind: str, accept: str) -> Answer:
        """The predictions for the rows of a request.

        Args:
            body: the rows.
            kind: their media type.
            accept: the media types that the answer may have; JSON unless it names csv and not JSON.
        """
        try:
            as_csv = CSV in accept and JSON not in accept
            return Answer(200, self._predicted(body, kind, as_csv), CSV if as_csv else JSON)
        except RefusedError as refused:
            return failure(refused.status, refused.message)
        except SpecError as error:
            problem = error.problems[0]
            return failure(400, with_rows_named(problem.message), with_rows_named(problem.hint))
        except Exception as error:  # whatever it is, it says nothing of the machine to who asked
            self.tell(f"a request failed: {type(error).__name__}: {error}")
            return failure(500, "internal error")

    def _predicted(self, body: bytes, kind: str, as_csv: bool) -> bytes:
        with tempfile.TemporaryDirectory() as folder:
            file = file_of(body, kind, self.run, Path(folder))
            rows = NewRows(self.run, source_of(self.run, file))
            if rows.rows > MOST_ROWS:
                raise too_many(rows.rows)
            blocks = predict(self.run, rows, outputs=self.passes.outputs)
            if as_csv:
                return as_bytes(blocks, ".csv")
            lines = as_bytes(blocks, ".jsonl").decode().splitlines()
            return f"[{', '.join(lines)}]\n".encode()


def failure(status: int, message: str, way_out: str = "") -> Answer:
    """An answer that says what is wrong."""
    said = {"error": visible(message)} | ({"help": visible(way_out)} if way_out else {})
    return Answer(status, (json.dumps(said, ensure_ascii=False) + "\n").encode(), JSON)
