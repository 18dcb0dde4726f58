"""Whether the data can be split as asked, and whether each augmentation fits an input."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from dlrun.checks.reading import Reading
from dlrun.components.augment import InputAugmentation, Mixing
from dlrun.components.preprocess import Map
from dlrun.components.sources import SourceError
from dlrun.errors import Problem, SpecPath
from dlrun.language.experiment import INPUT
from dlrun.language.suggestions import did_you_mean
from dlrun.plan.data_info import DataInfo, Feature, numbers
from dlrun.plan.indices import index_limits
from dlrun.plan.inputs import Input
from dlrun.plan.network import Plan
from dlrun.plan.own_inputs import own_inputs
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
    wanted = split_sizes(data_info.rows, split, {name: len(rows) for name, rows in apart.items()}).in_training(split)
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
        if not isinstance(step, Map) or step.one_way:
            why = step.one_way if isinstance(step, Map) else "works on columns of the features"
            message = f"{step.kind} {why}, so predictions could not be computed back"
            yield reading.problem(message, path, "use `standardize`, `minmax`, `robust`, `quantile` or `log1p`")
            continue
        for setting, names in (("input", "an input of the network"), ("columns", "columns of the features")):
            if getattr(step, setting) is not None:
                message = f"'{setting}' names {names}, and this step is for the targets"
                yield reading.problem(message, (*path, step.kind, setting), "remove it")
        rows, targets = (data_info.rows, data_info.targets) if data_info is not None else (0, {})
        for target in targets.values():
            try:
                step.output_shape(target.shape or (1,), rows, None)
            except ShapeError as error:
                yield reading.problem(f"{step.kind}: {error.message}", path, error.hint)
                break
    if data and data.target_preprocess and data_info is not None and not numbers(data_info):
        message = "`target_preprocess` needs a target of numbers, and there is none"
        yield reading.problem(message, ("data", "target_preprocess"), "remove it")


def check_augment(reading: Reading, planned: Plan) -> Iterator[Problem]:
    """Hold each augmentation to inputs of the network that it can change."""
    data = reading.sections.get("data")
    for index, step in enumerate(data.augment if data else ()):
        path = ("data", "augment", index)
        if isinstance(step, InputAugmentation):
            yield from _check_of_input(reading, planned, step, path)
        elif isinstance(step, Mixing):
            try:
                step.check(planned.input_shapes, planned.indices)
            except ShapeError as error:
                yield _unsuited(reading, step.kind, error, path, planned.inputs[0])


def _check_of_input(reading: Reading, planned: Plan, step: InputAugmentation, path: SpecPath) -> Iterator[Problem]:
    names = list(planned.input_shapes)
    name = step.input or names[0]
    if step.input is None and len(names) > 1:
        hint = f"there are {', '.join(names)}: `{step.kind}: {{input: {name}}}`"
        yield reading.problem(f"{step.kind} does not say which input it is for", path, hint)
        return
    if name not in names:
        meant = did_you_mean(name, names, {})
        yield reading.problem(f"the network has no input '{name}'{meant}", (*path, step.kind, "input"))
        return
    taken = planned.inputs[names.index(name)]
    try:
        step.check(planned.input_shapes[name], planned.indices[name])
    except ShapeError as error:
        yield _unsuited(reading, step.kind, error, path, taken)
        return
    most = index_limits(planned).get(name)
    if step.new_index is not None and most is not None and step.new_index >= most:
        message = f"{step.kind} puts in the index {step.new_index}; there are {most}, from 0 to {most - 1}"
        yield reading.problem(message, path, f"the embedding's `num_embeddings: {step.new_index + 1}` has it too")


def _unsuited(reading: Reading, kind: str, error: ShapeError, path: SpecPath, taken: Input) -> Problem:
    notes = ((f"the network takes {show(taken.shape)} here", taken.place),)
    return Problem(f"{kind}: {error.message}", reading.place(path), error.hint, notes)


def check_indices(reading: Reading, planned: Plan) -> Iterator[Problem]:
    """Hold the indices of each input to those that its embeddings know, and keep preprocessing away from them."""
    data_info = reading.data.info
    features = data_info.features if data_info is not None else {}
    mixed = [entry.name for entry in planned.inputs if planned.indices[entry.name] and _is_mixed(features, entry.name)]
    for entry in planned.inputs:
        if entry.name in mixed:
            yield _mixed(reading, entry.name, features[entry.name])
        elif planned.indices[entry.name] and entry.preprocess:
            first = entry.preprocess[0]
            message = f"{first.step.kind}: changes numbers, but the network takes indices"
            notes = ((f"the network takes {show(entry.shape)} here", entry.place),)
            yield Problem(message, first.place, "remove the step", notes)
    limits = index_limits(planned)
    for entry in planned.inputs if data_info is not None else ():
        assert data_info is not None
        feature = data_info.features.get(entry.name)
        most = limits.get(entry.name)
        if most is None or feature is None or entry.preprocess or entry.name in mixed:
            continue
        known = next(step for step in planned.layers if step.layer and step.layer.index_count() == most)
        if feature.vocabulary is None and (wrong := data_info.no_index(entry.name)):
            message = f"an index is a whole number from 0 on; {wrong}"
            yield Problem(message, known.place, f"{known.kind} takes indices; `linear` takes any numbers")
        elif feature.vocabulary is not None and feature.vocabulary > most:
            message = f"the data has the index {feature.vocabulary - 1}; there are {most}, from 0 to {most - 1}"
            hint = "`num_embeddings: $vocabulary` is the number of indices in the data"
            if feature.encoded:
                name = feature.columns[0].name
                size = f"categories({name})" if len(feature.columns) == 1 else f"vocabulary({entry.name})"
                message = f"'{feature.columns[0].field}' has {feature.vocabulary} indices, and there are {most}"
                hint = f"`num_embeddings: ${size}` is how many it has, with the one for all that no training row has"
            yield Problem(message, known.place, hint)


def _is_mixed(features: Mapping[str, Feature], name: str) -> bool:
    """Whether an input has columns of indices and of other numbers."""
    columns = features[name].columns if name in features else ()
    return 0 < sum(column.indices is not None for column in columns) < len(columns)


def _mixed(reading: Reading, name: str, feature: Feature) -> Problem:
    """The way out of an input of both is an input for each column of indices."""
    indices = list(dict.fromkeys(column.field for column in feature.columns if column.indices is not None))
    others = [field for field in feature.fields if field not in indices]
    number = next(column.name for column in feature.columns if column.indices is None)
    what = "a row" if name == INPUT else f"the input '{name}'"
    message = f"{what} has indices, '{indices[0]}', beside numbers, '{number}'"
    hint = f"an embedding takes indices alone; give them inputs of their own: {own_inputs(indices, others)}"
    return Problem(message, reading.place(("data", "features"), at_key=True), hint)
