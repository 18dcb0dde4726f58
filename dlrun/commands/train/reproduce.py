"""`dlrun reproduce`: train a run again as it was, and say whether its bits are the same."""

from __future__ import annotations

import contextlib
import math
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dlrun.commands import interrupts, screen
from dlrun.commands.arguments import AsJson, RunArgument, Runs, problems_as_json
from dlrun.commands.train.run_screen import RunScreen, show_run
from dlrun.errors import Problem, SpecError, show_path

if TYPE_CHECKING:
    from dlrun.checks.check import Checked
    from dlrun.commands.train.reproducing import Reproducing
    from dlrun.runs.info import Tracking
    from dlrun.runs.reproduction import Difference, Reproduced
    from dlrun.training.lifecycle.run import Outcome

DIFFERENT = 1
"""The exit code where the bits are not the same."""
MOST = 12
"""How many metrics that differ are shown."""
WITHOUT_BASELINES = "baselines=off"
"""No bit of a run depends on its baselines."""
Moved = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[SECTION.KEY=FILE]...",
        help="Where a file is now that has moved, such as data.source.csv.path=there.csv.",
        show_default=False,
    ),
]

NewEnvironment = Annotated[
    bool,
    typer.Option(
        "--in-new-environment",
        help="Train in a new environment with the versions of Python, dlrun and the packages that the run recorded.",
    ),
]


@problems_as_json
def reproduce(
    run: Annotated[str, RunArgument],
    moved: Moved = None,
    in_new_environment: NewEnvironment = False,
    as_json: AsJson = False,
    runs: Runs = Path("runs"),
) -> None:
    """Train a run again as it was, and compare the bits.

    If they are not the same, the first epoch is shown at which they part, and by how much; the exit code is then 1.
    """
    from dlrun.commands.train.reproducing import Reproducing
    from dlrun.runs.find import find_run
    from dlrun.runs.folder import name_of
    from dlrun.runs.reproduction import original_of, reproduced

    folder = find_run(run, runs)
    reproducing = Reproducing(original_of(folder))
    with contextlib.redirect_stdout(sys.stderr) if as_json else contextlib.nullcontext():
        if in_new_environment:
            from dlrun.commands.train.new_environment import run_in_new_environment

            arguments = ["reproduce", str(folder.resolve()), *(moved or ()), *(["--json"] if as_json else [])]
            try:
                code = run_in_new_environment(reproducing.info, arguments)
            except KeyboardInterrupt:
                screen.failure("interrupted")
                code = interrupts.INTERRUPTED
            raise typer.Exit(code)
        reproducing.versions()
        if reproducing.original.extended:
            extended = f"{name_of(folder)} was trained longer once it was complete, and is trained in one go now"
            screen.failure(f"{extended}: what depends on its length is not the same", word="note")
        again = _train(folder, reproducing, moved or ())
    found = reproduced(reproducing.original, again)
    same = all(one.same for one in found)
    if as_json:
        screen.show_json(
            {
                "run": str(folder.resolve()),
                "again": str(again.resolve()),
                "same": same,
                "differences": reproducing.said,
                "parts": [_as_data(one) for one in found],
            }
        )
    else:
        for one in found:
            _show(one, name_of(folder))
    if not same:
        raise typer.Exit(DIFFERENT)


def _train(folder: Path, reproducing: Reproducing, moved: Sequence[str]) -> Path:
    """Train the run in a folder again, as far as it went; returns the folder of the new run.

    Raises:
        SpecError: its files are not there, or not as they were.
        RunError: training failed.
    """
    from dlrun.checks.check import check as check_spec
    from dlrun.runs.folder import RESOLVED, runs_of

    spec, changes = folder / RESOLVED, [*moved, WITHOUT_BASELINES]
    try:
        checked = check_spec(spec, changes, training=True)
    except SpecError as error:
        raise SpecError(map(_with_way_out, error.problems)) from None
    _check_moved(checked, moved)
    screen.notes(checked.notes)
    runs, info = runs_of(folder), reproducing.info
    if checked.experiment.need("data").split.every_fold:
        from dlrun.commands.train.folds import show_folds

        def one_of(number: int, _known: Path | None) -> Checked:
            return check_spec(spec, [*changes, f"data.split.fold={number}"], training=True)

        return show_folds(checked, one_of, runs, info.store, info.experiment, None, reproducing=reproducing)

    def start(watcher: RunScreen, tracking: Tracking) -> Outcome:
        from dlrun.training.lifecycle.run import run

        return run(checked, watcher, runs, tracking, info.store, info.experiment, original=info)

    again = show_run(checked, runs, info.store, info.experiment, start, None, reproducing)
    if (refit := reproducing.refit()) is not None:
        from dlrun.commands.train.refit import show_refit

        show_refit(again, None, refit)
    return again


def _with_way_out(problem: Problem) -> Problem:
    """A problem with a file, with how to say where the file is now."""
    path = problem.place.path if problem.place is not None else ()
    if path[:2] not in (("data", "source"), ("model", "weights")):
        return problem
    return replace(problem, hint=f"if it has moved: `dlrun reproduce RUN {show_path(path)}=FILE`; {problem.hint}")


def _check_moved(checked: Checked, moved: Sequence[str]) -> None:
    """Refuse changes of anything but where files are.

    Raises:
        SpecError: with the settings that may change.
    """
    from dlrun.commands.train.reproducing import WEIGHTS
    from dlrun.language.paths import file_settings

    source = checked.experiment.need("data").source
    places = [*file_settings(source, f"data.source.{source.kind}"), *WEIGHTS]
    if wrong := [text for text in moved if text.partition("=")[0] not in places]:
        message = f"a run is trained again as it was, so only where its files are can change, and not {wrong[0]}"
        hint = f"{', '.join(places)} can; `dlrun train {checked.reading.document.file} {wrong[0]}` trains another run"
        raise SpecError([Problem(message, hint=hint)])


def _as_data(one: Reproduced) -> dict[str, Any]:
    """As JSON-ready data; a value that is no finite number is a text."""

    def number(value: float) -> float | str:
        return value if math.isfinite(value) else str(value)

    return {
        "part": one.part or None,
        "complete": one.complete,
        "same": one.same,
        "epochs": one.epochs,
        "parted": one.parted or None,
        "metrics": {each.metric: [number(each.was), number(each.now)] for each in one.differing},
        "end": one.end or None,
        "most": None if one.most is None else one.most.metric,
        "weights": {
            name: None if found is None else {"tensors": found.tensors, "of": found.of, "most": number(found.most)}
            for name, found in one.weights.items()
        },
    }


def _most(difference: Difference | None) -> str:
    """The largest difference of a moment, in words."""
    if difference is None:
        return "no metric differs"
    value, by, share = map(screen.show_value, (difference.was, difference.by, difference.relative))
    return f"{difference.metric}, which was {value}, differs most: by {by}, relative {share}"


def _show(one: Reproduced, original: str) -> None:
    """Print whether a run, or a part of it, is the same; if not, the metrics that differ where they part."""
    from dlrun.runs.reproduction import AT_TEST

    name = f"{original}/{one.part}" if one.part else original
    epochs = "1 epoch" if one.epochs == 1 else f"{one.epochs} epochs"
    if one.same:
        tested = ", the test" if one.end == AT_TEST else ""
        rest = f"{tested}, the best and the last weights" if one.complete else ", as far as it went"
        screen.say_folded(f"the same bits as {name}: {epochs}{rest}", hanging=2)
        return
    until = f"the same bits as {name} in {epochs}" if one.epochs else f"not the same bits as {name}"
    if not one.parted:
        screen.say_folded(f"{until}, but not the same weights", hanging=2)
    elif not one.differing:
        screen.say_folded(f"{until}; only one of both has {one.parted}", hanging=2)
    else:
        few = f"{len(one.differing)} of {one.metrics} metrics differ"
        screen.say_folded(f"{until}; in {one.parted}, {few}", hanging=2)
        shown = one.differing[:MOST]
        rows = [(each.metric, *map(screen.show_value, (each.was, each.by, each.relative))) for each in shown]
        head = (one.parted, "was", "differs by", "relative")
        screen.table(head, rows, right=head[1:])
        if more := len(one.differing) - len(shown):
            screen.say(f"  {more} more metrics differ there; --json has all")
        if one.end != one.parted:
            screen.say_folded(f"  at the end, in {one.end}: {_most(one.most)}", hanging=4)
    for which, found in one.weights.items():
        differ = "the same" if found is None else f"{found.tensors} of {found.of} tensors differ"
        by = "" if found is None else f", by {screen.show_value(found.most)} at most"
        screen.say_folded(f"  {which} weights: {differ}{by}", hanging=4)
