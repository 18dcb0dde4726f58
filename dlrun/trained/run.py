"""A run that has learned, read from its folder: its network, what its inputs are made of, what its outputs mean."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from torch import fx

from dlrun.checks.reading import Reading, read_spec
from dlrun.components.losses import DATA, Loss
from dlrun.components.preprocess import Encoder
from dlrun.components.sources import Field, Source, Table
from dlrun.errors import RunError
from dlrun.language.experiment import TARGET, as_tuple
from dlrun.language.field_type import FieldType
from dlrun.language.fields import OutputForm
from dlrun.network.files import load_network
from dlrun.plan.data_info import Target
from dlrun.plan.encode import EncodedStep, Encoding
from dlrun.plan.encoders import how_to_read, steps_of
from dlrun.plan.fields import Chosen
from dlrun.plan.indices import index_limits
from dlrun.plan.network import Plan, plan
from dlrun.plan.outputs import output_form
from dlrun.runs import folder as run_folder
from dlrun.runs.refit import learned_in
from dlrun.runs.run_json import read_run
from dlrun.shapes import Shape, numel
from dlrun.trained.answers import AnswerKind
from dlrun.trained.decided import Decided
from dlrun.trained.decisions import read_decisions


@dataclass(frozen=True, slots=True, eq=False)
class TrainedInput:
    """What an input of the network is made of."""

    name: str
    types: dict[str, FieldType]
    """The fields of the data, each with the type that it had in training."""
    shape: Shape
    """One row's, after the encoders."""
    texts: frozenset[str]
    """The fields that are read as texts."""
    lacking: frozenset[str]
    """The fields of numbers that may lack values."""
    encoding: Encoding | None
    """What the encoders learned; None where there are none."""
    indices: bool
    """Whether the network takes indices."""
    limit: int | None
    """With `indices`, how many there are."""
    recipes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """For each field whose values are made of what the data has, such as images of one size, how that is done."""

    @property
    def chosen(self) -> Chosen:
        """Its fields."""
        return Chosen(tuple(self.types), ("features",), shape=self.shape)


@dataclass(frozen=True, slots=True)
class TrainedOutput:
    """What an output of the network means."""

    name: str
    target: str
    """The target of the data that it predicts; '' where it predicts none."""
    kind: AnswerKind
    fields: tuple[str, ...]
    """The fields of the data that it predicts, or names of its own."""
    labels: tuple[str, ...]
    """The classes, where it is `classes`, in the order of the network's; of a single yes or no, both."""
    form: OutputForm
    are_probabilities: bool
    """Whether the network's numbers say probabilities; a margin loss learns scores alone."""
    decision: Decided | None = None
    """How a class is decided for; None is the most probable one."""


@dataclass(frozen=True, slots=True, eq=False)
class TrainedRun:
    """A run at work."""

    folder: Path
    """With the network: of a run with a refit, that of the refit."""
    source: Source
    """Where the rows of the training came from."""
    network: fx.GraphModule
    """From raw rows of each input, after the encoders, to outputs in the units of the data."""
    inputs: tuple[TrainedInput, ...]
    outputs: tuple[TrainedOutput, ...]
    reading: Reading
    """Its spec."""
    plan: Plan
    targets: dict[str, Target]
    """The targets of the training data, with the rows that each class had there."""


def open_run(folder: Path, decided: bool = True) -> TrainedRun:
    """Read a run; its data is not needed.

    Without `decided`, the decisions of its spec may be missing, for others take their place.

    Raises:
        SpecError: a file of the run is damaged, or it has several networks.
        RunError: it has not learned anything, or its refit is not complete.
    """
    network = load_network(folder)
    learned = learned_in(folder)
    reading = read_spec(learned / run_folder.RESOLVED)
    planned = plan(reading.sections["model"], reading.tree)
    try:
        columns = json.loads(run_folder.read_text(learned / run_folder.COLUMNS))
        inputs = tuple(_input(name, columns["inputs"][name], reading, planned) for name in planned.input_shapes)
        counts = read_run(learned).info.classes
        targets = {
            name: _target(one, _labels(learned, name), counts.get(name, {})) for name, one in columns["targets"].items()
        }
        decisions = _decisions(learned, reading) if decided else {}
        outputs = outputs_of_plan(reading, planned, targets)
        outputs = tuple(replace(one, decision=decisions.get(one.name)) for one in outputs)
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        what = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise RunError(f"{learned / run_folder.COLUMNS} is damaged, or an older dlrun wrote it: {what}") from None
    return TrainedRun(learned, reading.sections["data"].source, network, inputs, outputs, reading, planned, targets)


def _decisions(folder: Path, reading: Reading) -> dict[str, Decided]:
    """The decisions of a run by output.

    Raises:
        RunError: its spec has one, and its training did not come so far as to find the numbers of it.
    """
    found = read_decisions(folder)
    if len(found) < len(as_tuple(reading.sections.get("decision"))):
        message = f"{folder.name} has a decision in its spec, and its training has not found the numbers of it"
        raise RunError(f"{message}: there is no {run_folder.DECISIONS}\n  `--decide map` takes the most probable class")
    return found


def outputs_of_plan(reading: Reading, planned: Plan, targets: Mapping[str, Target]) -> tuple[TrainedOutput, ...]:
    """What each output of a network means, by its spec and its targets."""
    return tuple(_output(name, targets, reading, planned) for name in planned.outputs)


def _input(name: str, content: dict[str, Any], reading: Reading, planned: Plan) -> TrainedInput:
    steps = reading.sections["data"].preprocess
    types: dict[str, FieldType] = content["fields"]
    shape = tuple(content["shape"])
    encoders = [(index, step) for index, step in enumerate(steps) if isinstance(step, Encoder)]
    was = Table()
    was.fields = {field: Field(field, kind) for field, kind in types.items()}
    chosen = {name: Chosen(tuple(types), ("features",), shape=shape)}
    read_as = how_to_read(chosen, {name: steps_of(encoders, name, chosen[name])}, was)
    learned = tuple(
        EncodedStep(one["index"], steps[one["index"]], one["learned"], len(content["columns"]))
        for one in content["encoders"]
    )
    return TrainedInput(
        name,
        types,
        shape,
        frozenset(read_as.texts[name]),
        frozenset(read_as.lacking),
        Encoding((), learned) if learned else None,
        planned.indices[name],
        index_limits(planned).get(name),
        content.get("recipes", {}),
    )


def _target(content: dict[str, Any], labels: tuple[str, ...], counts: Mapping[str, Sequence[int]]) -> Target:
    wants, fields, positive = content["wants"], tuple(content["fields"]), content["positive"]
    if wants == "probabilities" and not labels:
        count = numel(tuple(content["shape"]))
        labels = fields if len(fields) == count else tuple(map(str, range(count)))
    labels = labels[::-1] if positive == 0 else labels  # the file has them in the order of the outputs
    rows = tuple(sum(counts[label]) for label in labels) if all(label in counts for label in labels) else None
    return Target(tuple(content["shape"]), labels or None, wants, rows or None, fields, positive, content["ignored"])


def _output(name: str, targets: Mapping[str, Target], reading: Reading, planned: Plan) -> TrainedOutput:
    losses: tuple[Loss, ...] = as_tuple(reading.sections["loss"])
    form, size = output_form(planned, name), planned.output_shape(name)
    judge = next((loss for loss in losses if loss.output in (None, name) and loss.compared_with == DATA), None)
    target = name if name in targets else TARGET
    if judge is None or target not in targets:
        return TrainedOutput(name, "", "numbers", numbered(name, numel(size)), (), form, True)
    wants, fields, labels = targets[target].wants, targets[target].fields, targets[target].labels or ()
    labels = labels[::-1] if targets[target].positive == 0 else labels
    are_probabilities = judge.of_probabilities or form != ""
    if wants in ("classes", "probabilities") or (wants == "binary" and labels):
        count = 2 if wants == "binary" else size[0] if len(size) != 2 else size[1]
        own = (fields[0] if wants != "probabilities" else target,)
        labels = (*labels[:count], *(str(number) for number in range(len(labels), count)))
        return TrainedOutput(name, target, "classes", own, labels, form, are_probabilities)
    kind: AnswerKind = "yes_or_no" if wants == "binary" else "numbers"
    if len(fields) != numel(size):
        fields = numbered(fields[0] if len(fields) == 1 else name, numel(size))
    return TrainedOutput(name, target, kind, fields, (), form, are_probabilities)


def numbered(name: str, count: int) -> tuple[str, ...]:
    """Names for the numbers of something: its own for a single one."""
    return (name,) if count == 1 else tuple(f"{name}[{number}]" for number in range(count))


def _labels(folder: Path, target: str) -> tuple[str, ...]:
    """The classes of a target in the order of the outputs; () where it has none."""
    file = folder / run_folder.LABELS
    if not file.exists():
        return ()
    content = json.loads(run_folder.read_text(file))
    return tuple(content.get(target, ()) if isinstance(content, dict) else content)
