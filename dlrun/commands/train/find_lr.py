"""`dlrun train SPEC --find-lr`: at what learning rates a network learns, before it is trained."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from dlrun.commands import screen
from dlrun.commands.picture_file import TEXTS, as_png, format_of, write
from dlrun.components.optimizers import SearchingOptimizer
from dlrun.errors import Problem, SpecError, visible

if TYPE_CHECKING:
    from dlrun.checks.check import Checked
    from dlrun.training.range_test import RangeTest
    from dlrun.views.drawing.plots import Plot


def need_a_picture(output: Path) -> None:
    """Hold the name of a file to a format in which a curve can be drawn.

    Raises:
        SpecError: it is another one.
    """
    if (kind := format_of(output)) in TEXTS:
        raise SpecError([Problem(f"a range test is not drawn as {kind}", hint="use the ending .svg or .png")])


def need_a_rate(checked: Checked) -> None:
    """Hold a range test to optimizers whose rate depends on the problem.

    Raises:
        SpecError: one searches for its rate in each step.
    """
    for optimizer in checked.experiment.optimizers:
        if isinstance(optimizer, SearchingOptimizer):
            place = checked.reading.place(("optimizer",))
            hint = "leave `lr` at 1; its line search finds the rate of each step"
            raise SpecError([Problem(f"there is no learning rate to find for {optimizer.kind}", place, hint)])


def find_lr(checked: Checked, output: Path | None) -> None:
    """Do a range test by a checked spec, and show it; `output` is the file of the picture, if there is one."""
    from dlrun.plan.length import Length
    from dlrun.training.lifecycle.process import process_of_a_run
    from dlrun.training.lifecycle.setup import prepare_training
    from dlrun.training.range_test import range_test
    from dlrun.views.drawing import plots

    with process_of_a_run():
        setup = prepare_training(checked)
        screen.notes(setup.notes)
        found = range_test(setup.task, Length.of(setup.task.settings, len(setup.task.data.train)))
    plot = _plot(found)
    screen.say("\n".join(plots.text(plot, screen.width())))
    if output is not None:
        drawn = plots.svg([plot], f"The loss over the learning rate of {visible(checked.experiment.name)}")
        write(output, drawn.encode() if output.suffix.lower() == ".svg" else as_png(drawn, *plots.size([plot])))
        screen.say(f"wrote {output}")
    for line in _suggestions(found):
        screen.say_folded(line)


def _plot(found: RangeTest) -> Plot:
    """The loss over the logarithm of the rate; what lies far above the fall is cut off."""
    from dlrun.plan.schedules import Curve
    from dlrun.views.drawing.plots import Plot

    low = found.losses[found.lowest]
    fall = found.losses[0] - low or 1.0
    first, last = (f"{rate:.1e}" for rate in (found.rates[0], found.rates[-1]))
    return Plot([Curve("loss", found.losses)], low, low + 1.5 * fall, first, last, "the loss over the learning rate")


def _suggestions(found: RangeTest) -> list[str]:
    if not found.fell:
        return ["the loss did not fall at any rate, so there is nothing to suggest"]
    return [
        f"lr {found.steepest:.1e}  where the loss falls fastest",
        f"lr {found.tenth:.1e}  a tenth of the rate with the least loss, {found.rates[found.lowest]:.1e}",
    ]
