"""`dlrun check`: everything that can be checked without training."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dlrun.commands import completion, screen
from dlrun.commands.arguments import AsJson, Runs, Strict, problems_as_json, usable
from dlrun.errors import Problem, SpecError
from dlrun.language.suggestions import shorten
from dlrun.shapes import numel, readable, readable_bytes, show_named

if TYPE_CHECKING:
    from dlrun.checks.check import Checked
    from dlrun.plan.data_info import DataInfo

MOST_COLUMNS = 6
"""How many columns a line names."""
SHOWN = 1 << 20
"""Bytes from which the screen says what the metrics keep."""
MOST_CLASSES = 12
"""How many classes the screen lists."""


@problems_as_json
def check(
    specs: Annotated[
        list[str],
        typer.Argument(
            metavar="SPEC...",
            help="The specs; section.key=value changes all of them.",
            show_default=False,
            autocompletion=completion.specs,
        ),
    ],
    strict: Strict = False,
    as_json: AsJson = False,
    runs: Runs = Path("runs"),
) -> None:
    """Validate specs without training.

    The language, the shapes, the wiring, the data's columns and the memory are checked.
    """
    from dlrun.checks.check import check as check_spec

    files = [usable(Path(text)) for text in specs if not is_override(text)]
    overrides = [text for text in specs if is_override(text)]
    if not files:
        raise SpecError("name a spec to check")
    problems: list[Problem] = []
    found: list[dict[str, Any]] = []
    for file in files:
        try:
            checked = check_spec(file, overrides, strict=strict, runs=runs)
        except SpecError as error:
            problems += error.problems
            continue
        found.append(as_data(file, checked))
        if not as_json:
            screen.say(f"{file}: OK")
            for line in lines(checked):
                screen.say_folded(f"  {line}")
            screen.notes(checked.notes)
    if problems:
        raise SpecError(problems)
    if as_json:
        screen.show_json({"problems": [], "specs": found})


def is_override(text: str) -> bool:
    """Whether an argument is section.key=value and not a file."""
    if "=" not in text:
        return False
    try:
        return not Path(text).exists()
    except (OSError, ValueError):  # too long for a path
        return True


def lines(checked: Checked) -> list[str]:
    """The data, the model and the memory, a line each."""
    from dlrun.plan.memory import machine_memory

    plan, memory = checked.plan, checked.memory
    about = []
    if checked.data_info is not None and checked.sizes is not None:
        about += data_lines(checked)
    few = "" if plan.exact else "up to "
    about.append(
        f"model   {show_named(plan.input_shapes)} -> {show_named(plan.output_shapes)}, {few}{plan.total:,} weights, "
        f"{readable(plan.macs)} multiply-adds a sample"
    )
    about += start_lines(checked)
    if plan.late:
        trained_later = sum(numel(shape) for name, shape, _ in plan.weights() if name in plan.late)
        about.append(f"frozen  {trained_later:,} weights until {checked.experiment.need('model').frozen_until}")
    about += optimizer_lines(checked)
    available = machine_memory()
    about.append(
        f"memory  {readable_bytes(memory.total)}"
        + (f" of {readable_bytes(available)}" if available else "")
        + f": weights {readable_bytes(memory.weights)}, gradients {readable_bytes(memory.gradients)}, "
        f"optimizer {readable_bytes(memory.state)}, "
        f"activations {readable_bytes(memory.activations)} at batch {memory.batch}, data {readable_bytes(memory.data)}"
        + (f", metrics {readable_bytes(memory.metrics)}" if memory.metrics >= SHOWN else "")
        + (f"; before the first step {readable_bytes(memory.preparing)}" if memory.preparing > memory.training else "")
    )
    return about


def start_lines(checked: Checked) -> list[str]:
    """The weights that the network starts from, and those that it does not, where there is a file."""
    if checked.start is None:
        return []
    return [f"weights {line}" for line in checked.start.lines(checked.experiment.need("model").start.source)]


def optimizer_lines(checked: Checked) -> list[str]:
    """A line for each of several optimizers: the weights that it moves."""
    from dlrun.plan.optimizers import moved

    groups, _ = moved(checked.plan, checked.experiment.optimizer)
    if len(groups) < 2:
        return []
    found = []
    for group in groups:
        names = list(group.weights)
        few = ", ".join(names[:MOST_COLUMNS]) + (", …" if len(names) > MOST_COLUMNS else "")
        found.append(f"moved   by {group.optimizer.kind}: {group.count:,} weights, in {few}")
    return found


def data_lines(checked: Checked) -> list[str]:
    """The data: rows and splits, how they were split, encoded columns, classes."""
    found = [
        data_line(checked),
        split_line(checked),
        *encoder_lines(checked),
        *class_lines(checked),
        positive_line(checked),
    ]
    return [line for line in found if line]


def positive_line(checked: Checked) -> str:
    """The class that each loss and metric is about, where it is about one; '' where none is."""
    losses, metrics = _positive_classes(checked)
    about = [f"{name}: 1 is {label}" for name, label in losses.items()]
    about += [f"{name}: of {label}" for name, label in metrics.items()]
    return f"positive {'; '.join(about)}" if about else ""


def _positive_classes(checked: Checked) -> tuple[dict[str, str], dict[str, str]]:
    """The class that is 1 for each loss, and the class of each metric, by their names."""
    from dlrun.plan.objective import objective

    assert checked.data_info is not None
    experiment = checked.experiment
    terms, metrics = objective(experiment.losses, experiment.metrics, checked.plan, checked.data_info)  # type: ignore[arg-type]
    return {one.name: one.label for one in terms if one.label}, {one.name: one.label for one in metrics if one.label}


def data_line(checked: Checked) -> str:
    """The data in a line: rows, splits, classes."""
    from dlrun.language.experiment import TARGET

    data_info, sizes = checked.data_info, checked.sizes
    assert data_info is not None and sizes is not None
    parts = [f"{sizes.train} train"]
    parts += [f"{count} {name}" for name, count in (("validation", sizes.validation), ("test", sizes.test)) if count]
    for name in data_info.classed:
        of = "" if name == TARGET else f" of {name}"
        parts.append(f"{len(data_info.targets[name].labels or ())} classes{of}")
    shapes = show_named({name: feature.shape for name, feature in data_info.features.items()})
    about = "" if data_info.table.complete else "about "
    return f"data    {about}{data_info.rows} rows of {shapes}: {', '.join(parts)}"


def split_line(checked: Checked) -> str:
    """How the rows are split, where it is neither at random nor by classes alone; '' otherwise."""
    split, data_info = checked.experiment.need("data").split, checked.data_info
    assert data_info is not None
    parts = []
    if split.folds is not None:
        parts.append(
            f"fold {split.fold} of {split.folds}" if split.fold else f"{split.folds} folds, the first is shown"
        )
    if data_info.table.in_order:
        parts.append(f"in the order of {data_info.table.name}")
    elif own := " and ".join(data_info.table.own_splits):
        parts.append(f"{own} as {data_info.table.name} has {'them' if ' ' in own else 'it'}")
    if split.column is not None:
        parts.append(f"by {split.column}")
    if split.group is not None:
        parts.append(f"by {split.group}{_groups(checked)}")
    if split.time is not None:
        parts.append(f"by {split.time}{_boundaries(checked)}")
    if split.train_on_validation:
        parts.append("the validation rows are training rows")
    if split.stratify and not data_info.classed:
        parts.append("stratified by quantiles of the target")
    return f"split   {'; '.join(parts)}" if parts else ""


def _groups(checked: Checked) -> str:
    """How many groups each split has, where that is known."""
    split, data_info = checked.experiment.need("data").split, checked.data_info
    assert data_info is not None
    if not data_info.can_split(split):
        return ""
    import numpy as np

    splits, groups = data_info.splits(split, checked.experiment.seed), data_info.marks(split).groups
    assert groups is not None
    counts = [len(np.unique(groups.rows[rows])) for rows in (splits.train, splits.validation, splits.test)]
    return f": {'/'.join(str(count) for count in counts if count)} groups"


def _boundaries(checked: Checked) -> str:
    """The first time of the validation and of the test rows, where they are known."""
    split, data_info = checked.experiment.need("data").split, checked.data_info
    assert data_info is not None and split.time is not None
    if not data_info.can_split(split):
        return ""
    splits, times = data_info.splits(split, checked.experiment.seed), data_info.marks(split).times
    assert times is not None
    parts = []
    for name, rows in (("validation", splits.validation), ("test", splits.test)):
        if len(rows):
            first = int(rows[times.rows[rows].argmin()])
            parts.append(f"{name} from {_value(data_info, split.time, first)}")
    return f": {', '.join(parts)}"


def _value(data_info: DataInfo, name: str, row: int) -> str:
    if data_info.dividing[name]:
        texts = data_info.table.texts(name)
        return texts.distinct[texts.rows[row]]
    return f"{data_info.table.numbers([name])[:].reshape(-1)[row]:g}"


def encoder_lines(checked: Checked) -> list[str]:
    """A line for each input with encoders: the columns, the steps, and the numbers that come out."""
    found = []
    for entry in checked.plan.inputs:
        if not entry.encoded:
            continue
        assert checked.data_info is not None
        feature = checked.data_info.features[entry.name]
        names = [column.name for column in feature.columns]
        few = f"{', '.join(names[:MOST_COLUMNS])}" + (", …" if len(names) > MOST_COLUMNS else "")
        of = f"{entry.name}: " if len(checked.plan.inputs) > 1 else ""
        steps = " -> ".join(one.step.kind for one in entry.encoded)
        found.append(f"columns {of}{len(feature.fields)} -> {steps} -> {len(names)} numbers: {few}")
    return found


def class_lines(checked: Checked) -> list[str]:
    """A line for each target of classes: each class with its rows, in training, validation and test where known."""
    from dlrun.language.experiment import TARGET
    from dlrun.language.labels import shown

    data_info, found = checked.data_info, []
    assert data_info is not None
    for name in data_info.classed:
        target = data_info.targets[name]
        rows = dict(zip(target.labels or (), target.counts or (), strict=False))
        split = checked.classes.get(name, {})
        texts = [f"{shorten(shown(label))[1:-1]} {count}" for label, count in rows.items()]
        if split:
            parts = [index for index in range(3) if any(counts[index] for counts in split.values())]
            shares = ["/".join(str(counts[index]) for index in parts) for counts in split.values()]
            texts = [f"{text} ({share})" for text, share in zip(texts, shares, strict=True)]
        if len(texts) > MOST_CLASSES:
            texts = [*texts[: MOST_CLASSES - 1], f"and {len(texts) - MOST_CLASSES + 1} more"]
        of = "" if name == TARGET else f"{name}: "
        found.append(f"classes {of}{', '.join(texts)}")
    return found


def as_data(file: Path, checked: Checked) -> dict[str, Any]:
    """The same, as JSON-ready data."""
    from dlrun.plan.memory import machine_memory
    from dlrun.plan.optimizers import moved

    plan, memory, data_info, sizes = checked.plan, checked.memory, checked.data_info, checked.sizes
    targets = {name: data_info.targets[name] for name in data_info.classed} if data_info else {}
    losses, metrics = _positive_classes(checked) if data_info else ({}, {})
    return {
        "spec": str(file),
        "notes": [note.as_data() for note in checked.notes],
        "inputs": {name: list(shape) for name, shape in plan.input_shapes.items()},
        "outputs": {name: list(shape) for name, shape in plan.output_shapes.items()},
        "total": plan.total,
        "trainable": plan.trainable,
        "macs": plan.macs,
        "rows": data_info.rows if data_info else None,
        "classes": {name: list(target.labels or ()) for name, target in targets.items()},
        "columns": {name: [column.name for column in feature.columns] for name, feature in data_info.features.items()}
        if data_info
        else {},
        "class_rows": {name: list(target.counts or ()) for name, target in targets.items()},
        "class_counts": checked.classes,
        "positive": losses | metrics,
        "moved": [
            {"optimizer": group.optimizer.kind, "weights": list(group.weights), "count": group.count}
            for group in moved(plan, checked.experiment.optimizer)[0]
        ],
        "start": {
            "taken": {name: str(one) for name, one in checked.start.taken.items()},
            "missing": list(checked.start.missing),
            "left": list(checked.start.left),
            "unused": list(checked.start.unused),
        }
        if checked.start
        else None,
        "split": {"train": sizes.train, "validation": sizes.validation, "test": sizes.test} if sizes else None,
        "memory": {
            name: getattr(memory, name)
            for name in ("weights", "gradients", "state", "activations", "data", "metrics", "preparing", "total")
        }
        | {"batch": memory.batch, "available": machine_memory()},
    }
