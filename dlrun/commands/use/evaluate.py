"""`dlrun evaluate`: how good a run is, on its own rows or on those of a file."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from dlrun.commands import screen
from dlrun.commands.arguments import AsJson, Decide, RunArgument, Runs, problems_as_json, usable_or_none
from dlrun.commands.page_file import check_folder, write_page
from dlrun.errors import SpecError

if TYPE_CHECKING:
    from dlrun.trained.report.figures import Report

By = Annotated[
    list[str] | None,
    typer.Option("--by", metavar="COLUMN", help="Show each group of rows with the same value in a column too."),
]


@problems_as_json
def evaluate(
    run: Annotated[str, RunArgument],
    data: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Rows with the target, in place of the run's own: csv, tsv, jsonl, parquet, npz, npy or safetensors.",
            callback=usable_or_none,
        ),
    ] = None,
    split: Annotated[
        Literal["test", "validation", "train"], typer.Option(help="Which of the run's own rows.")
    ] = "test",
    by: By = None,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a page with plots too.", callback=usable_or_none)
    ] = None,
    track: Annotated[
        bool, typer.Option("--track", help="Keep it in the run's folder, and send it to the run in MLflow.")
    ] = False,
    decide: Decide = None,
    runs: Runs = Path("runs"),
    as_json: AsJson = False,
) -> None:
    """Show how good a run is, and which rows are the worst.

    All is measured with the run's best weights, on its test rows unless others are named.
    """
    from dlrun.runs.find import find_run

    folder = find_run(run, runs)
    check_folder(html)
    if data is not None and not data.exists():
        raise SpecError(f"there is no file {data}")
    from dlrun.trained.evaluate import evaluate as evaluate_rows
    from dlrun.trained.evaluate import rows_of, texts_of
    from dlrun.trained.report.report import report
    from dlrun.trained.run import open_run

    trained = open_run(folder, decided=decide is None)
    if decide is not None:
        from dlrun.trained.decide_anew import decide_anew

        trained = decide_anew(trained, decide)
    rows = rows_of(trained, data, split)
    found = evaluate_rows(trained, rows)
    groups = {column: texts_of(trained, data, column)[found.rows] for column in by or ()}
    result = report(found.answers, found.metrics, found.rows, groups)
    what = f"{split} rows of the run" if data is None else str(data)
    if as_json:
        screen.show_json({"run": str(trained.folder), "of": what, **result.as_data()})
    else:
        from dlrun.trained.report import tables

        screen.heading(trained.folder.name, f"{len(found.rows):,} rows: {what}")
        screen.grids(tables.whole(result, screen.width()))
    if html is not None:
        from dlrun.trained.report.page import as_html

        page = as_html(result, f"Evaluation of {trained.folder.name}", {"run": str(trained.folder), "rows": what})
        write_page(html, page)
        screen.say(f"{html}: written", stderr=as_json)
    if track:
        _keep(trained.folder, result, split if data is None else data.name, what)


def _keep(folder: Path, result: Report, rows: str, what: str) -> None:
    """Write the evaluation into the folder of its run, and send it to MLflow."""
    from dlrun.commands.look.sync import deliver
    from dlrun.runs.folder import write_evaluation
    from dlrun.trained.report.files import files_of

    name = re.sub(r"[^\w.-]+", "_", rows)[:60]
    place = write_evaluation(folder, name, dict(files_of(result, folder.name, what)))
    screen.say(f"{place}: written", stderr=True)
    deliver(folder, stderr=True)
