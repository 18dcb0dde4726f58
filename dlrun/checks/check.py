"""Everything that can be known of a spec without training: reading, planning, and the checks across sections."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path as FilePath

from dlrun.checks.gradients import stuck
from dlrun.checks.objective import check_objective, figures
from dlrun.checks.reading import Reading, read_spec
from dlrun.checks.weights_file import WeightsError, compare_header
from dlrun.errors import Problem, SpecError
from dlrun.language.experiment import Experiment, TrainSection, as_tuple
from dlrun.language.suggestions import did_you_mean
from dlrun.plan.data_info import DataInfo, SplitSizes, split_sizes
from dlrun.plan.length import Length, evaluation_batch
from dlrun.plan.memory import Memory, machine_memory, needed_memory
from dlrun.plan.names import matches
from dlrun.plan.network import Plan, Step, plan
from dlrun.plan.weights import penalties
from dlrun.shapes import ShapeError, numel, readable_bytes, show


@dataclass(frozen=True, slots=True)
class Checked:
    """A spec that is right, with all that follows from it."""

    reading: Reading
    experiment: Experiment
    plan: Plan
    data_info: DataInfo | None
    sizes: SplitSizes | None
    memory: Memory


def check(file: FilePath, overrides: Sequence[str] = (), training: bool = False) -> Checked:
    """Read, plan and check a spec; with `training`, it must also say all that a run needs.

    Raises:
        SpecError: with every problem that could be found.
    """
    reading = read_spec(file, overrides)
    planned = checked = None
    sizes = _check_split(reading)
    if _may_plan(reading):
        try:
            planned = _plan(reading, sizes)
            checked = _check_planned(reading, planned, sizes)
        except SpecError as error:
            reading.problems += error.problems
    if training and "data" not in reading.written and not reading.problems:
        hint = "add `data`, `loss` and `optimizer`; `dlrun new FILE` writes an example"
        reading.problems.append(Problem("there is no `data` to train on", reading.document.root.place, hint))
    if reading.problems:
        raise SpecError(reading.problems)
    assert planned is not None and checked is not None
    return Checked(reading, reading.experiment, planned, reading.data_info(), sizes, checked)


def check_model(file: FilePath, overrides: Sequence[str] = ()) -> Plan:
    """Plan a spec's network; what else the spec says does not matter unless the network's sizes depend on it.

    Raises:
        SpecError: with every problem of the model, and of the data where sizes come from it.
    """
    reading = read_spec(file, overrides)
    problems = [p for p in reading.problems if p.place is None or not _elsewhere(p)]
    if not problems and "model" in reading.sections:
        told = len(reading.problems)
        sizes = _check_split(reading)
        if "data" in reading.written and reading.data_info() is None:
            if reading.sections["model"].input is None and reading.sections["model"].inputs is None:
                raise SpecError(reading.problems)
            # The data is not there to be looked at, and the model says by itself what it takes.
            return plan(reading.sections["model"], reading.tree)
        problems = reading.problems[told:]
        if not problems:
            return _plan(reading, sizes)
    raise SpecError(problems or reading.problems)


def _elsewhere(problem: Problem) -> bool:
    """Whether a problem is about a section that a network's shapes do not depend on."""
    assert problem.place is not None
    section = problem.place.path[0] if problem.place.path else ""
    return section not in ("model", "data", "blocks", "vars")


def _may_plan(reading: Reading) -> bool:
    """Whether enough is right to work shapes out: a problem elsewhere must not hide one here."""
    if "model" not in reading.sections:
        return False
    return "data" not in reading.written or reading.data_info() is not None


def _plan(reading: Reading, sizes: SplitSizes | None) -> Plan:
    data = reading.sections.get("data")
    steps = data.preprocess if data else ()
    return plan(reading.sections["model"], reading.tree, reading.data_info(), steps, sizes.train if sizes else 0)


def _check_split(reading: Reading) -> SplitSizes | None:
    data, data_info = reading.sections.get("data"), reading.data_info()
    if data is None or data_info is None:
        return None
    sizes = split_sizes(data_info.rows, data.split)
    for name, share, size in (
        ("validation", data.split.validation, sizes.validation),
        ("test", data.split.test, sizes.test),
    ):
        if share and not size:
            hint = "write 0 for no such split"
            reading.fail(f"{share:g} of {data_info.rows} rows is no row", ("data", "split", name), hint)
    if sizes.train < 1:
        reading.fail(f"nothing is left to train on of {data_info.rows} rows", ("data", "split"))
    if data.split.stratify and len(data_info.classed) != 1:
        several = f"one target of classes, and here are {len(data_info.classed)}: {', '.join(data_info.classed)}"
        what = several if data_info.classed else "classes, and the target is numbers"
        reading.fail(f"`stratify` needs {what}", ("data", "split", "stratify"))
    return sizes


def _check_planned(reading: Reading, planned: Plan, sizes: SplitSizes | None) -> Memory:
    data_info, losses = reading.data_info(), as_tuple(reading.sections.get("loss"))
    if data_info is not None and losses:
        check_objective(reading, planned, data_info, losses)
    _check_augment(reading, planned)
    _check_freeze(reading, planned)
    if {"data", "optimizer"} & reading.written:
        reading.problems += stuck(planned)
    _check_regularizers(reading, planned)
    _check_initializers(reading, planned)
    _check_weights(reading, planned)
    train = reading.sections.get("train", TrainSection())
    if sizes is not None:
        _check_training(reading, planned, train, sizes)
    return _check_memory(reading, planned, train, data_info, sizes)


def _check_augment(reading: Reading, planned: Plan) -> None:
    data = reading.sections.get("data")
    names = list(planned.input_shapes)
    for index, step in enumerate(data.augment if data else ()):
        path = ("data", "augment", index)
        name = step.input or names[0]
        if step.input is None and len(names) > 1:
            hint = f"there are {', '.join(names)}: `{step.kind}: {{input: {name}}}`"
            reading.fail(f"{step.kind} does not say which input it is for", path, hint)
        elif name not in names:
            meant = did_you_mean(name, names, {})
            reading.fail(f"the network has no input '{name}'{meant}", (*path, step.kind, "input"))
        else:
            try:
                step.check(planned.input_shapes[name], planned.indices[name])
            except ShapeError as error:
                taken = planned.inputs[names.index(name)]
                notes = ((f"the network takes {show(taken.shape)} here", taken.place),)
                problem = Problem(f"{step.kind}: {error.message}", reading.place(path), error.hint, notes)
                reading.problems.append(problem)


def _check_freeze(reading: Reading, planned: Plan) -> None:
    patterns = reading.sections["model"].freeze or ()
    names = [name for name, _, _ in planned.weights()]
    layers = [step.name for step in planned.steps if step.weights]
    for index, pattern in enumerate(patterns):
        if not any(matches(name, pattern) for name in names):
            message = f"'{pattern}' names no weight{did_you_mean(pattern, layers, {})}"
            hint = "`dlrun params` shows the names; `*` stands for anything"
            reading.fail(message, ("model", "freeze", index), hint)
    if planned.trainable == 0 and "data" in reading.written:
        what = "every weight is frozen" if names else "no layer has weights"
        reading.fail(f"{what}, so there is nothing to train", ("model", "freeze" if names else "layers"), at_key=True)


def _check_regularizers(reading: Reading, planned: Plan) -> None:
    regularizers = reading.sections.get("regularizers", ())
    if "regularizers" in reading.written and "regularizers" not in reading.sections:
        return
    acting = penalties(planned, regularizers)
    for regularizer, names in acting:
        if names:
            continue
        known = [step.name for step in planned.steps if step.weights]
        for index, own in enumerate(regularizers):
            if own is regularizer:
                meant = did_you_mean(regularizer.weights, known, {})
                hint = "biases and norm scales are left out unless asked for; `dlrun params` shows the names"
                reading.fail(f"{own.kind} acts on no weight: '{own.weights}'{meant}", ("regularizers", index), hint)


def _check_initializers(reading: Reading, planned: Plan) -> None:
    for step in planned.steps:
        own = getattr(step.layer, "init", None)
        for name, shape in step.weights.items():
            if (
                own is not None
                and step.layer is not None
                and step.layer.role(name) == "weight"
                and not own.suits(shape)
            ):
                message = f"{own.kind} needs a weight with {own.least_rank} axes; {name} is {show(shape)}"
                reading.problems.append(Problem(message, step.place, "use normal or uniform"))


def _check_weights(reading: Reading, planned: Plan) -> None:
    path = reading.sections["model"].weights
    if path is None:
        return
    try:
        compare_header(reading.folder / path, planned)
    except WeightsError as error:
        reading.fail(error.message, ("model", "weights"), error.hint)


def _check_training(reading: Reading, planned: Plan, train: TrainSection, sizes: SplitSizes) -> None:
    if train.epochs is not None and train.steps is not None:
        reading.fail("`epochs` and `steps` say the same thing twice", ("train", "steps"), "keep one", at_key=True)
    if train.precision == "tf32" and train.device == "cpu":
        hint = "`precision: float32` computes on any device"
        reading.fail("GPUs alone compute in tf32, and `device` is cpu", ("train", "precision"), hint)
    if train.early_stopping is not None:
        _check_monitor(reading, planned, train, sizes)
    if sizes.train < 1:
        return
    length = Length.of(train, sizes.train)
    _check_warmup(reading, length)
    _check_single_rows(reading, planned, train, sizes)
    batch, rest = length.batch, sizes.train % length.batch
    flat = next(_flat_batch_norms(planned), None)
    if flat is None or (batch > 1 and (rest != 1 or train.drop_last)):
        return
    if batch == 1:
        message = "batch_norm needs more than one row a batch, and `batch_size` is 1"
        hint = "a mean over one row is the row itself: use layer_norm, or larger batches"
    else:
        message = (
            f"batch_norm needs more than one row a batch; {sizes.train} rows in batches of {batch} "
            "leave a last one of 1"
        )
        hint = "set `drop_last: true`, or another batch_size"
    notes = (("this batch_norm", flat.place),) if flat.place else ()
    reading.problems.append(Problem(message, reading.place(("train", "batch_size")), hint, notes))


def _flat_batch_norms(planned: Plan) -> Iterator[Step]:
    """Those that take their statistics over rows alone."""
    return (s for s in planned.steps if s.kind == "batch_norm" and numel(s.input_shapes[0][1:]) == 1)


def _check_single_rows(reading: Reading, planned: Plan, train: TrainSection, sizes: SplitSizes) -> None:
    """Refuse splits that leave one row to a batch_norm that has no moving statistics to measure it by."""
    norm = next((s for s in _flat_batch_norms(planned) if not getattr(s.layer, "track_running_stats", True)), None)
    batch = sizes.train if train.batch_size == "full" else train.batch_size
    for name, rows, size in (
        ("validation", sizes.validation, evaluation_batch(min(batch, sizes.train))),
        ("test", sizes.test, evaluation_batch(batch)),
    ):
        if norm is not None and rows % size == 1:
            message = f"batch_norm without moving statistics needs more than one row; the {name} split's "
            message += f"{rows} row{'s' * (rows > 1)} leave a last batch of 1"
            notes = (("this batch_norm", norm.place),) if norm.place else ()
            hint = f"another share for {name}, or `track_running_stats: true`"
            reading.problems.append(Problem(message, reading.place(("data", "split")), hint, notes))


def _check_warmup(reading: Reading, length: Length) -> None:
    schedule = reading.sections.get("schedule")
    if schedule is not None and schedule.warmup.in_steps(length.per_epoch) >= length.steps:
        message = f"the warmup, {schedule.warmup}, takes all of the training, {length.steps} steps"
        hint = f"an epoch is {length.per_epoch} steps; train longer or warm up less"
        reading.fail(message, ("schedule", schedule.kind, "warmup"), hint)


def _check_monitor(reading: Reading, planned: Plan, train: TrainSection, sizes: SplitSizes) -> None:
    path = ("train", "early_stopping", "monitor")
    assert train.early_stopping is not None
    known = ["validation/loss", *(f"validation/{name}" for name in figures(reading, planned))]
    if train.early_stopping.monitor not in known:
        meant = did_you_mean(train.early_stopping.monitor, known, {})
        reading.fail(f"nothing is called '{train.early_stopping.monitor}'{meant}", path, "can be " + ", ".join(known))
    elif not sizes.validation:
        hint = "give `data.split.validation` a share"
        reading.fail("early stopping needs validation rows, and their share is 0", path[:2], hint, at_key=True)


def _check_memory(
    reading: Reading, planned: Plan, train: TrainSection, data_info: DataInfo | None, sizes: SplitSizes | None
) -> Memory:
    optimizer = reading.sections.get("optimizer")
    memory = needed_memory(planned, optimizer, train, data_info, sizes.train if sizes else None)
    available = machine_memory()
    on_gpu = train.device == "cuda"
    if not available or on_gpu:
        return memory
    if memory.weights + memory.gradients + memory.state > available:
        worst = max(planned.steps, key=lambda step: step.params)
        message = (
            f"the network can never fit: its weights, gradients and optimizer state need "
            f"{readable_bytes(memory.weights + memory.gradients + memory.state)}, and this machine has "
            f"{readable_bytes(available)}"
        )
        hint = f"{worst.name} alone has {worst.params:,} weights"
        reading.problems.append(Problem(message, worst.place, hint))
    elif memory.total > available and data_info is not None:
        spare = available - (memory.total - memory.activations)
        fits = int(spare * memory.batch / memory.activations) if memory.activations else 0
        message = f"a step needs {readable_bytes(memory.total)}, and this machine has {readable_bytes(available)}"
        hint = f"about {fits} rows a batch would fit" if fits > 0 else "the data alone takes too much"
        reading.problems.append(Problem(message, reading.place(("train", "batch_size")), hint))
    return memory
