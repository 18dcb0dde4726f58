"""The network's inputs: the shape of each, from the spec or the data, and the preprocessing before it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from math import prod

from dlrun.components.layers import count_formula
from dlrun.components.preprocess import Map, Preprocess
from dlrun.errors import Place, Problem, SpecError, SpecPath
from dlrun.language.experiment import INPUT, ModelSection
from dlrun.language.suggestions import did_you_mean
from dlrun.language.text.node import Node
from dlrun.plan.data_info import DataInfo, Feature
from dlrun.plan.encode import EncodedStep, NumberColumn
from dlrun.plan.encoders import for_no_input
from dlrun.plan.fields import matches
from dlrun.shapes import Shape, ShapeError, numel, show

MOST_AXES = 5
"""With more axes, their orders are not tried."""


@dataclass(frozen=True, slots=True, eq=False)
class PreprocessStep:
    """One fitted step in front of the network."""

    name: str
    index: int
    """Where it stands in the spec's list."""
    step: Map
    input: Shape
    """One row's, or, with `columns`, that of the numbers that the step takes."""
    output: Shape
    """What comes in their place."""
    fitted: dict[str, Shape]
    """The values that it learns from the training rows."""
    exact: bool
    """False where the output's size is known only once fitted; `output` is then the largest it can be."""
    place: Place | None
    columns: tuple[int, ...] | None = None
    """The numbers of a row that it takes, by their place; the others stay, before the output. None: all."""
    width: int = 0
    """With `columns`, how many numbers a row has before the step."""
    names: tuple[str, ...] = ()
    """The names of the columns before the step, where a row has columns."""

    @property
    def names_after(self) -> tuple[str, ...]:
        """The names of the columns after the step; the numbers of an image have none."""
        if self.step.elementwise:
            return self.names
        taken = range(len(self.names)) if self.columns is None else set(self.columns)
        rest = [name for at, name in enumerate(self.names) if at not in taken]
        made = [f"{self.step.kind}_{number}" for number in range(1, numel(self.output) + 1)]
        return (*rest, *made) if len(self.output) == 1 else ()

    @property
    def formula(self) -> list[str]:
        """Where the step's numbers come from."""
        return [*self.step.formulas(self.input, self.output), *count_formula(self.fitted)]


@dataclass(frozen=True, slots=True, eq=False)
class Input:
    """One input of the network."""

    name: str
    raw: Shape
    """One row as the data has it; as the network takes it where there is no data."""
    preprocess: tuple[PreprocessStep, ...]
    shape: Shape
    """One sample as the network takes it."""
    place: Place
    """Where the shape is written."""
    encoded: tuple[EncodedStep, ...] = ()
    """The encoders that made a row of numbers of the data's columns."""


def plan_inputs(
    model: ModelSection, tree: Node, data_info: DataInfo | None, preprocess: Sequence[Preprocess], train_rows: int
) -> tuple[Input, ...]:
    """Every input of the network, in order.

    Args:
        model: the spec's section.
        tree: the spec as it was written, for the places in errors.
        data_info: the description of the data; None where there is none.
        preprocess: the spec's preprocessing steps, perhaps fitted.
        train_rows: how many rows they are fitted on.

    Raises:
        SpecError: an input has no shape, or one that does not fit the data.
    """
    declared = _declared(model, tree, data_info)
    features = data_info.features if data_info else {}
    if not declared and not features:
        hint = "write one sample's shape, without the batch: `input: [1, 28, 28]`"
        message = "`model` needs `input`: there is no data to infer it from"
        raise SpecError([Problem(message, tree.locate(("model",), at_key=True), hint)])
    names = list(declared or features)
    _hold_to_data(names, features, tree)
    fronts = _Fronts(data_info, preprocess, train_rows, tree)
    fronts.refuse_strangers(names)
    chains = front_chains(preprocess if data_info else (), names, features=features)
    return tuple(_input(name, declared.get(name), features.get(name), fronts, chains[name], tree) for name in names)


def front_chains(
    preprocess: Sequence[Preprocess],
    inputs: Sequence[str],
    section: str = "preprocess",
    features: Mapping[str, Feature] | None = None,
) -> dict[str, list[tuple[str, int, Map]]]:
    """For each input, or target, its maps in order: the name of each, its index in the list of steps, the map.

    A map that names columns is in the chain of an input of `features` that has one of them.
    """
    counts: dict[str, int] = {}
    chains: dict[str, list[tuple[str, int, Map]]] = {name: [] for name in inputs}
    for name, chain in chains.items():
        for index, step in enumerate(preprocess):
            if isinstance(step, Map) and step.input in (None, name) and _has(step, (features or {}).get(name), chain):
                counts[step.kind] = counts.get(step.kind, 0) + 1
                chain.append((f"{section}.{step.kind}_{counts[step.kind]}", index, step))
    return chains


def _declared(model: ModelSection, tree: Node, data_info: DataInfo | None) -> dict[str, tuple[Shape, SpecPath]]:
    """The inputs whose shape the model gives, with the path to each."""
    if model.input is not None and model.inputs is not None:
        raise SpecError(
            [Problem("`input` and `inputs` cannot be given together", tree.locate(("model", "input")), "keep one")]
        )
    if model.inputs is not None:
        return {name: (shape, ("model", "inputs", name)) for name, shape in model.inputs.items()}
    if model.input is None:
        return {}
    names = list(data_info.features) if data_info else [INPUT]
    if len(names) > 1:
        message = f"the data has {len(names)} inputs, {', '.join(names)}, and the model has one"
        hint = "write `inputs: {name: shape, …}`, or leave it out to take the data's own shapes"
        raise SpecError([Problem(message, tree.locate(("model", "input")), hint)])
    return {names[0]: (model.input, ("model", "input"))}


def _hold_to_data(names: list[str], features: dict[str, Feature], tree: Node) -> None:
    if not features or names == [INPUT]:
        return
    problems = []
    if list(features) == [INPUT]:
        hint = "say what goes into each: `features: {" + ", ".join(f"{name}: …" for name in names) + "}`"
        place = tree.locate(("data",), at_key=True)
        problems.append(Problem(f"the network has the inputs {', '.join(names)}, and the data has one", place, hint))
    else:
        for name in names:
            if name not in features:
                meant = did_you_mean(name, list(features), {})
                place = tree.locate(("model", "inputs", name), at_key=True)
                problems.append(Problem(f"`data.features` has no entry for the input '{name}'{meant}", place))
        for name in features:
            if name not in names:
                meant = did_you_mean(name, names, {})
                place = tree.locate(("data", "features", name), at_key=True)
                problems.append(Problem(f"the network has no input '{name}'{meant}", place))
    if problems:
        raise SpecError(problems)


def _input(
    name: str,
    declared: tuple[Shape, SpecPath] | None,
    feature: Feature | None,
    fronts: _Fronts,
    chain: list[tuple[str, int, Map]],
    tree: Node,
) -> Input:
    if feature is None:
        assert declared is not None
        shape, path = declared
        return Input(name, shape, (), shape, tree.locate(path))
    steps, row = fronts.planned(name, chain, feature)
    shape, path = declared or (row, ("data", "source"))
    place = tree.locate(path)
    exact = all(step.exact for step in steps)
    # A size that fitting decides is compared once it is known; until then it can be any up to the largest.
    if numel(shape) != numel(row) and (exact or numel(shape) > numel(row)):
        most = "" if exact else "at most "
        message = f"the network's input {show(shape)} has {numel(shape)} numbers, and a row has {most}{numel(row)}"
        source = ("data", "preprocess") if steps else ("data", "source")
        notes = ((f"a row is {most}{show(row)} here", tree.locate(source)),)
        setting = path[1] if len(path) == 2 else f"{path[1]}.{name}"
        raise SpecError([Problem(message, place, f"remove `{setting}` to take the data's own shape", notes)])
    if declared and (axes := scrambled(row, shape)):
        message = f"the network's input {show(shape)} has the axes of a row, {show(row)}, in another order"
        setting = path[1] if len(path) == 2 else f"{path[1]}.{name}"
        hint = f"remove `{setting}` and write `- permute: {list(axes)}` as the first layer of this input"
        raise SpecError([Problem(message, place, hint)])
    return Input(name, feature.shape, steps, shape, place, feature.encoded)


def scrambled(row: Shape, shape: Shape) -> tuple[int, ...]:
    """The order of a row's axes that a shape looks like, where to reshape the row would mix them; else ()."""
    # A size that fitting decides is not known yet; then the numbers differ.
    if numel(row) != numel(shape) or len(row) > MOST_AXES or _reshapes(row, shape):
        return ()
    orders = permutations(range(len(row)))
    return next((order for order in orders if _merges([row[axis] for axis in order], shape)), ())


def _reshapes(row: Shape, shape: Shape) -> bool:
    """Whether a shape only merges or only splits neighbouring axes of a row, piece by piece."""
    left, right = ([size for size in sizes if size > 1] for sizes in (row, shape))
    while left and right:
        taken, given = [left.pop(0)], [right.pop(0)]
        while prod(taken) != prod(given):
            smaller = (taken, left) if prod(taken) < prod(given) else (given, right)
            smaller[0].append(smaller[1].pop(0))
        if len(taken) > 1 and len(given) > 1:
            return False
    return True


def _merges(sizes: Sequence[int], shape: Shape) -> bool:
    """Whether merging neighbouring axes gives a shape; axes of size 1 do not count."""
    rest = [size for size in sizes if size > 1]
    for wanted in (size for size in shape if size > 1):
        size = 1
        while rest and size < wanted:
            size *= rest.pop(0)
        if size != wanted:
            return False
    return not rest


class _Fronts:
    """The preprocessing, a chain for each input."""

    def __init__(self, data_info: DataInfo | None, preprocess: Sequence[Preprocess], train_rows: int, tree: Node):
        self.preprocess = list(enumerate(preprocess)) if data_info else []
        self.train_rows, self.tree = train_rows, tree
        self.features = data_info.features if data_info else {}
        labels = data_info.row_labels if data_info else None
        self.classes = len(labels) if labels is not None else None

    def refuse_strangers(self, names: list[str]) -> None:
        """Hold each step to an input that there is."""
        for index, step in self.preprocess:
            if unclear := for_no_input(step, names):
                message, hint = unclear
                raise SpecError([Problem(message, self.tree.locate(("data", "preprocess", index)), hint)])
            if step.input is not None and step.input not in names:
                meant = did_you_mean(step.input, names, {})
                place = self.tree.locate(("data", "preprocess", index, step.kind, "input"))
                raise SpecError([Problem(f"the network has no input '{step.input}'{meant}", place)])
            if isinstance(step, Map) and step.columns is not None:
                self._refuse_unknown_columns(step, index)

    def _refuse_unknown_columns(self, step: Map, index: int) -> None:
        """Hold each name or pattern in a map's `columns` to a column that there is."""
        features = self.features.items()
        known = [column for name, one in features if step.input in (None, name) for column in one.columns]
        made = [f"{before.kind}_" for _, before in self.preprocess[:index] if isinstance(before, Map)]
        for pattern in step.columns or ():
            if not named(known, (pattern,)) and not pattern.startswith(tuple(made)):
                meant = did_you_mean(pattern, list(dict.fromkeys(column.field for column in known)), {})
                place = self.tree.locate(("data", "preprocess", index, step.kind, "columns"))
                raise SpecError([Problem(f"no feature is called '{pattern}'{meant}", place)])

    def planned(
        self, name: str, chain: list[tuple[str, int, Map]], feature: Feature
    ) -> tuple[tuple[PreprocessStep, ...], Shape]:
        """The steps for an input, and the shape that comes out of them."""
        planned: list[PreprocessStep] = []
        shape, columns = feature.shape, list(feature.columns)
        for key, index, step in chain:
            place = self.tree.locate(("data", "preprocess", index))
            chosen = self._columns(step, index, columns, name)
            taken = shape if chosen is None else (len(chosen),)
            try:
                output, exact = step.output_shape(taken, self.train_rows, self.classes)
            except ShapeError as error:
                raise SpecError([Problem(f"{step.kind}: {error.message}", place, error.hint)]) from None
            fitted = step.fitted(taken, output, self.train_rows)
            names, width = tuple(column.name for column in columns), numel(shape)
            planned.append(PreprocessStep(key, index, step, taken, output, fitted, exact, place, chosen, width, names))
            if not step.elementwise:
                rest = [] if chosen is None else [one for at, one in enumerate(columns) if at not in set(chosen)]
                shape = output if chosen is None else (len(rest) + numel(output),)
                made = planned[-1].names_after[len(rest) :]
                columns = [*rest, *(NumberColumn(one, step.kind, index, index) for one in made)]
        return tuple(planned), shape

    def _columns(self, step: Map, index: int, columns: list[NumberColumn], name: str) -> tuple[int, ...] | None:
        """The places of the columns that a map takes; None for all.

        Raises:
            SpecError: there is no such column, or an encoder that comes later makes or changes it.
        """
        if step.columns is None:
            chosen = [at for at, column in enumerate(columns) if column.made_by < index]
        else:
            chosen = named(columns, step.columns)
        late = max((columns[at].changed_by for at in chosen), default=index)
        if late > index:
            column = next(columns[at] for at in chosen if columns[at].changed_by == late)
            kind = self.preprocess[late][1].kind
            message = f"{kind} comes after {step.kind}, which takes its column '{column.name}'"
            place = self.tree.locate(("data", "preprocess", late))
            raise SpecError([Problem(message, place, f"write `{kind}` before `{step.kind}`")])
        if not chosen and columns:
            place = self.tree.locate(("data", "preprocess", index))
            message = f"{step.kind} has no column to change at this place in the list"
            raise SpecError([Problem(message, place, "write it after the steps that make its columns")])
        return None if len(chosen) == len(columns) else tuple(chosen)


def _has(step: Map, feature: Feature | None, chain: Sequence[tuple[str, int, Map]]) -> bool:
    """Whether a map that names columns names one of an input, or one that a map before it makes."""
    if step.columns is None or feature is None:
        return True
    made = tuple(f"{before.kind}_" for _, _, before in chain if not before.elementwise)
    return bool(named(feature.columns, step.columns)) or any(pattern.startswith(made) for pattern in step.columns)


def named(columns: Sequence[NumberColumn], patterns: Sequence[str]) -> list[int]:
    """The places of the columns that names or patterns mean: a column's own name means that column alone, and the name
    of a field all columns that were made of it."""
    own = {column.name for column in columns}

    def means(pattern: str, column: NumberColumn) -> bool:
        if pattern in own:
            return pattern == column.name
        return matches(column.name, pattern) or matches(column.field, pattern)

    return [at for at, column in enumerate(columns) if any(means(pattern, column) for pattern in patterns)]
