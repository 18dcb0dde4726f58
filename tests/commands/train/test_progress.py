"""The table of epochs: few rows, what decides first, and nothing wider than the screen."""

import math

import pytest

from dlrun.commands.train.progress import EpochTable
from dlrun.plan.monitor import Monitor

METRICS = ("loss", "accuracy", "f1", "roc_auc")


def trained(table: EpochTable, losses: list[float]) -> list[str]:
    """The lines of a training with these losses on the validation rows."""
    lines = []
    for epoch, loss in enumerate(losses, 1):
        metrics = {f"train/{name}": 0.5 for name in METRICS} | {f"validation/{name}": 0.25 for name in METRICS}
        metrics |= {"validation/loss": loss, "lr": 0.1, "time/epoch": 2.0}
        lines += table.add(epoch, metrics, len(losses))
    return lines + table.rest()


def table(width: int = 120, every: int | None = None, monitor: str = "validation/loss", **settings) -> EpochTable:
    return EpochTable(Monitor(monitor, settings.get("rising", False), settings.get("delta", 0.0)), width, every)


def rows(lines: list[str]) -> dict[int, str]:
    """The rows by epoch, without the two lines of the head."""
    return {int(line.split()[0]): line for line in lines[2:]}


@pytest.mark.parametrize("epochs", [1, 3, 20, 21, 45, 1000, 5000])
@pytest.mark.parametrize("way", ["falls", "rises"])
def test_a_training_has_about_twenty_rows_however_long_it_is(epochs: int, way: str) -> None:
    shown = rows(trained(table(), [1 / n if way == "falls" else float(n) for n in range(1, epochs + 1)]))
    assert min(epochs, 10) <= len(shown) <= 22
    assert 1 in shown and epochs in shown


def test_every_says_how_many_epochs_a_row_stands_for() -> None:
    assert list(rows(trained(table(every=1), [1.0] * 45))) == list(range(1, 46))
    assert list(rows(trained(table(every=10), [1.0] * 45))) == [1, 10, 20, 30, 40, 45]


def test_the_best_epoch_has_a_row_and_a_mark_though_no_row_is_due() -> None:
    losses = [5.0] * 100
    losses[42] = 1.0
    shown = rows(trained(table(), losses))
    assert "*" in shown[43] and "1.0000" in shown[43]
    assert [epoch for epoch, line in shown.items() if "*" in line] == [1, 43]


@pytest.mark.parametrize(("delta", "marked"), [(0.0, [1, 2, 3]), (0.15, [1, 3])])
def test_only_what_early_stopping_counts_as_an_improvement_is_marked(delta: float, marked: list[int]) -> None:
    shown = rows(trained(table(delta=delta), [1.0, 0.9, 0.8, 0.8]))
    assert [epoch for epoch, line in shown.items() if "*" in line] == marked


def test_a_value_that_is_not_defined_is_a_dash_and_never_the_best() -> None:
    shown = rows(trained(table(), [math.nan, 2.0, math.nan]))
    assert shown[1].split()[1] == shown[3].split()[1] == "-"
    assert [epoch for epoch, line in shown.items() if "*" in line] == [2]


@pytest.mark.parametrize("width", [60, 80, 140])
def test_the_metric_that_decides_is_the_first_and_no_line_is_too_wide(width: int) -> None:
    lines = trained(table(width, monitor="validation/f1", rising=True), [1.0] * 30)
    assert all(len(line) <= width for line in lines)
    groups, names, *values = lines
    assert groups.split()[0] == "validation"
    assert names.split()[:3] == ["epoch", "f1", "loss"]
    ends = [names.index(name) + len(name) for name in names.split()[1:3]]
    assert all(line[end - 1] != " " and line[end : end + 1] in ("", " ") for line in values for end in ends)
    assert ("train" in groups) == (width > 60)


def test_epochs_before_an_interruption_count() -> None:
    resumed = table()
    resumed.seen({"validation/loss": 0.1})
    assert not any("*" in line for line in trained(resumed, [1.0, 0.5]))


def test_without_validation_rows_the_training_loss_decides() -> None:
    lines = table(monitor="train/loss").add(1, {"train/loss": 2.0, "train/accuracy": 0.5, "lr": 0.1}, 10)
    assert [line.split() for line in lines] == [
        ["train"],
        ["epoch", "loss", "accuracy"],
        ["1", "*", "2.0000", "0.5000"],
    ]


@pytest.mark.parametrize("width", [80, 140])
def test_a_long_name_of_an_output_is_whole_above_its_columns_and_takes_no_room_from_them(width: int) -> None:
    name = "the_class_of_the_picture_in_words"
    metrics = {"validation/loss": 0.5} | {f"validation/{name}/{metric}": 0.25 for metric in METRICS}
    head = table(width).add(1, metrics | {"train/loss": 0.5}, 10)
    assert max(map(len, head)) <= width
    assert head[0].split()[:2] == ["validation", f"validation/{name}"]
    assert head[1].split()[:5] == ["epoch", "loss", "loss", "accuracy", "f1"]
