"""Whether the data can be split as asked, and whether each augmentation fits an input."""

from __future__ import annotations

from collections.abc import Iterator

from dlrun.checks.reading import Reading
from dlrun.components.sources import SourceError
from dlrun.errors import Problem
from dlrun.language.suggestions import did_you_mean
from dlrun.plan.data_info import DataInfo, numbers
from dlrun.plan.indices import index_limits
from dlrun.plan.network import Plan
from dlrun.plan.split_sizes import SplitSizes, split_sizes, unstratifiable
from dlrun.shapes import ShapeError, show


def check_split(reading: Reading, sizes: SplitSizes | None) -> Iterator[Problem]:
    """Hold the sizes to leaving rows in each split, and `stratify` to a target that it can be about."""
    data, data_info = reading.sections.get("data"), reading.data.info
    if data is None or data_info is None or sizes is None:
        return
    for name, share, size in (
        ("validation", data.split.validation, sizes.validation),
        ("test", data.split.test, sizes.test),
    ):
        if share and not size:
            hint = f"write 0 for no {name} split"
            yield reading.problem(
                f"{share:g} of {data_info.rows} rows rounds to zero rows", ("data", "split", name), hint
            )
    if sizes.train < 1:
        yield reading.problem(f"of {data_info.rows} rows, none is left for training", ("data", "split"))
    if data.split.folds is not None and data.split.folds > data_info.rows:
        message = f"{data_info.rows} rows are too few for {data.split.folds} folds"
        yield reading.problem(message, ("data", "split", "folds"))
    if not data.split.stratify:
        return
    try:
        target = data_info.targets[data_info.stratified]
    except SourceError as error:
        yield reading.problem(error.message, ("data", *error.at), error.hint)
        return
    if target.counts is not None and target.labels is not None and not data.split.by_rows:
        for message, hint in unstratifiable(target.counts, target.labels, sizes):
            yield reading.problem(message, ("data", "split", "stratify"), hint)


def split_as_asked(reading: Reading, sizes: SplitSizes) -> tuple[SplitSizes, list[Problem]]:
    """How many rows each split has where its columns, or each fold, decide it, as far as that is found quickly.

    A split that is not possible is a problem; a note tells of a split that is far from the size that was asked for.
    """
    split, data_info = reading.sections["data"].split, reading.data.info
    assert data_info is not None
    if not (split.by_rows or data_info.table.own_splits):
        return sizes, []
    try:
        apart = data_info.marks(split).apart
        if not data_info.can_split(split):
            return sizes, []
        for fold in range(2, (split.folds or 1) + 1) if split.fold is None else ():
            data_info.splits(split.model_copy(update={"fold": fold}), reading.seed)
        found = data_info.splits(split, reading.seed)
    except SourceError as error:
        return sizes, [reading.problem(error.message, ("data", *error.at), error.hint)]
    wanted = split_sizes(data_info.rows, split, {name: len(rows) for name, rows in apart.items()})
    actual = SplitSizes(len(found.train), len(found.validation), len(found.test))
    return actual, list(_uneven(reading, wanted, actual))


def _uneven(reading: Reading, wanted: SplitSizes, actual: SplitSizes) -> Iterator[Problem]:
    """A note about each split that is more than half larger or smaller than asked for."""
    columns = reading.sections["data"].split.columns
    for name in ("validation", "test") if columns else ():
        asked, size = getattr(wanted, name), getattr(actual, name)
        if 2 * abs(size - asked) > asked:
            setting, column = next(iter(columns.items()))
            rows = f"rows of {'a group' if setting == 'group' else 'one time'} in '{column}'"
            message = f"{name} has {size} rows, and {asked} were asked for: {rows} stay together"
            yield reading.note("uneven_split", message, ("data", "split", setting), f"write another size for {name}")


def check_notes(reading: Reading, data_info: DataInfo) -> Iterator[Problem]:
    """What the source reports as rarely meant."""
    for note in data_info.notes:
        yield reading.note(note.name, note.message, ("data", *note.at), note.hint)


def check_target_preprocess(reading: Reading) -> Iterator[Problem]:
    """Hold each step for targets to one that can be undone, and to a target of numbers."""
    data, data_info = reading.sections.get("data"), reading.data.info
    for index, step in enumerate(data.target_preprocess if data else ()):
        path = ("data", "target_preprocess", index)
        if not step.elementwise:
            message = f"{step.kind} mixes the numbers of a target, so predictions could not be computed back"
            yield reading.problem(message, path, "use `standardize` or `minmax`")
        elif step.input is not None:
            message = "'input' names an input of the network, and this step is for the targets"
            yield reading.problem(message, (*path, step.kind, "input"), "remove it")
    if data and data.target_preprocess and data_info is not None and not numbers(data_info):
        message = "`target_preprocess` needs a target of numbers, and there is none"
        yield reading.problem(message, ("data", "target_preprocess"), "remove it")


def check_augment(reading: Reading, planned: Plan) -> Iterator[Problem]:
    """Hold each augmentation to an input of the network that it can change."""
    data = reading.sections.get("data")
    names = list(planned.input_shapes)
    for index, step in enumerate(data.augment if data else ()):
        path = ("data", "augment", index)
        name = step.input or names[0]
        if step.input is None and len(names) > 1:
            hint = f"there are {', '.join(names)}: `{step.kind}: {{input: {name}}}`"
            yield reading.problem(f"{step.kind} does not say which input it is for", path, hint)
        elif name not in names:
            meant = did_you_mean(name, names, {})
            yield reading.problem(f"the network has no input '{name}'{meant}", (*path, step.kind, "input"))
        else:
            try:
                step.check(planned.input_shapes[name], planned.indices[name])
            except ShapeError as error:
                taken = planned.inputs[names.index(name)]
                notes = ((f"the network takes {show(taken.shape)} here", taken.place),)
                yield Problem(f"{step.kind}: {error.message}", reading.place(path), error.hint, notes)


def check_indices(reading: Reading, planned: Plan) -> Iterator[Problem]:
    """Hold the indices of each input to those that its embeddings know, and keep preprocessing away from them."""
    data_info = reading.data.info
    for entry in planned.inputs:
        if planned.indices[entry.name] and entry.preprocess:
            first = entry.preprocess[0]
            message = f"{first.step.kind}: changes numbers, but the network takes indices"
            notes = ((f"the network takes {show(entry.shape)} here", entry.place),)
            yield Problem(message, first.place, "remove the step", notes)
    limits = index_limits(planned)
    for entry in planned.inputs if data_info is not None else ():
        assert data_info is not None
        feature = data_info.features.get(entry.name)
        most = limits.get(entry.name)
        if most is None or feature is None or entry.preprocess:
            continue
        known = next(step for step in planned.layers if step.layer and step.layer.index_count() == most)
        if feature.vocabulary is None and (wrong := data_info.no_index(entry.name)):
            message = f"an index is a whole number from 0 on; {wrong}"
            yield Problem(message, known.place, f"{known.kind} takes indices; `linear` takes any numbers")
        elif feature.vocabulary is not None and feature.vocabulary > most:
            message = f"the data has the index {feature.vocabulary - 1}; there are {most}, from 0 to {most - 1}"
            hint = "`num_embeddings: $vocabulary` is the number of indices in the data"
            yield Problem(message, known.place, hint)
