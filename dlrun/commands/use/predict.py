"""`dlrun predict`: what the network of a run says of new rows."""

from __future__ import annotations

import contextlib
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from dlrun.commands import interrupts, screen
from dlrun.commands.arguments import Decide, RunArgument, Runs, usable_or_none
from dlrun.errors import SpecError
from dlrun.language.usable import usable

STDIN = "-"


def predict(
    run: Annotated[str, RunArgument],
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="The rows, or `-` for the standard input.", show_default=False)
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            metavar="FILE",
            help="The file to write: .csv, .tsv, .parquet, .jsonl or .npz; else csv on the standard output.",
            callback=usable_or_none,
        ),
    ] = None,
    at: Annotated[
        str | None, typer.Option(metavar="LAYER", help="Give the output of a layer in place of the predictions.")
    ] = None,
    start: Annotated[
        str | None,
        typer.Option("--from", metavar="LAYER", help="Start at the output of a layer, whose numbers the rows are."),
    ] = None,
    skip_bad: Annotated[
        bool,
        typer.Option(
            "--skip-bad", help="Leave out rows that cannot be used, and list them in a file: OUT with `.skipped`."
        ),
    ] = False,
    decide: Decide = None,
    runs: Runs = Path("runs"),
) -> None:
    """Predict new rows with the network of a run.

    The columns of the file are found by their names; their order and other columns do not matter. For classes, a
    column TARGET=CLASS has the probability of each.
    """
    from dlrun.runs.find import find_run
    from dlrun.trained.endings import check_ending, skipped_file

    if at is not None and decide is not None:
        raise SpecError("`--at` gives the output of a layer, for which nothing is decided: remove `--decide`")
    given = None if file == STDIN else usable(Path(file))
    folder = find_run(run, runs)
    if out is not None:
        check_ending(out)
    from dlrun.trained.predict import predict as predict_rows
    from dlrun.trained.rows import NewRows, source_of
    from dlrun.trained.run import open_run
    from dlrun.trained.values import starting_at
    from dlrun.trained.write import write_columns, writer

    trained = open_run(folder, decided=decide is None)
    if decide is not None:
        from dlrun.trained.decide_anew import decide_anew

        trained = decide_anew(trained, decide)
    with _given(given, trained.source.kind) as path:
        aside = skipped_file(out, path) if skip_bad else None
        if aside is not None and aside.resolve() == path.resolve():
            raise SpecError(f"the rows that are left out would be written to {path}, which is read; rename it")
        source = source_of(trained, path)
        if start is not None:
            trained = starting_at(trained, start, source)
        rows = NewRows(trained, source, skip_bad=skip_bad)
        bar = screen.Bar() if out is not None and screen.has_live_line() else None
        lacking = predicted = 0
        try:
            interrupts.raise_from_now_on()  # so that no part of the file is left
            with writer(out) as write:
                for block in predict_rows(trained, rows, at):
                    lacking += block.lacking
                    predicted += len(block.numbers)
                    write.add(block)
                    if bar is not None:
                        bar.show(predicted / max(rows.rows, 1), "predict", f"{predicted:,} rows")
                if aside is not None:
                    write_columns(aside, rows.skipped())
        except KeyboardInterrupt:
            screen.failure("interrupted")
            raise typer.Exit(interrupts.INTERRUPTED) from None
        finally:
            if bar is not None:
                bar.stop()
    if lacking:
        noun = "row has" if lacking == 1 else "rows have"
        screen.failure(f"{lacking:,} {noun} no prediction: the network's output is not a number", word="note")
    if aside is not None and (count := rows.rows - predicted):
        noun = "row is" if count == 1 else "rows are"
        screen.failure(f"{count:,} {noun} left out: {aside} says why", word="note")
    if out is not None:
        screen.say(f"{predicted:,} row{'' if predicted == 1 else 's'} predicted: {out}")


@contextlib.contextmanager
def _given(file: Path | None, kind: str) -> Iterator[Path]:
    """The file with the rows; what comes on the standard input, for None, is kept in one while it is used."""
    if file is not None:
        if not file.exists():
            raise SpecError(f"there is no file {file}")
        yield file
        return
    ending = kind if kind in ("csv", "tsv", "jsonl") else "csv"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"stdin.{ending}"
        with path.open("wb") as copy:
            shutil.copyfileobj(sys.stdin.buffer, copy)
        yield path
