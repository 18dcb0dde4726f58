"""A checked spec -> all that training needs: the device, the rows, the fitted preprocessing, the network."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from io import BytesIO
from typing import Any

import torch

from dlrun.checks.check import Checked, check_settled
from dlrun.checks.weights_file import WeightsError, start_in, weights_problem
from dlrun.components.regularizers import PredictionRegularizer
from dlrun.components.sources import SourceError
from dlrun.data.augment import Augmenter
from dlrun.data.fit import Fitted, FittedStep, TargetSteps, fit_targets, modules_by_input, scales
from dlrun.data.load import Loaded, load
from dlrun.data.prepare import Prepared, prepare
from dlrun.errors import Problem, SpecError
from dlrun.language.experiment import Experiment
from dlrun.language.resolved import flattened
from dlrun.network.build import build
from dlrun.network.names import torch_path
from dlrun.network.preprocessing import from_tensors, states_by_step
from dlrun.network.weights_file import weights_in
from dlrun.plan.data_info import numbers
from dlrun.plan.inputs import front_chains
from dlrun.plan.length import Length
from dlrun.plan.losses import Term, predicted
from dlrun.plan.metrics import Watched
from dlrun.plan.network import Plan, plan
from dlrun.plan.objective import objective
from dlrun.plan.optimizers import Moved, moved
from dlrun.plan.outputs import ObjectiveError
from dlrun.plan.schedules import entries, scheduled
from dlrun.plan.start_weights import StartError
from dlrun.plan.weights import penalized_values
from dlrun.training.changing_numbers import ChangingNumbers
from dlrun.training.chosen_weights import Bound, trained_weights
from dlrun.training.lifecycle.data_checks import check_loaded
from dlrun.training.lifecycle.device import (
    choose_device,
    computed_in_any_order,
    forward_in,
    make_deterministic,
    set_precision,
)
from dlrun.training.lifecycle.fitting import fit_or_recall
from dlrun.training.objective import Objective, Pairing
from dlrun.training.penalties import OutputPenalty, Penalty, PredictionPenalty, WeightPenalty
from dlrun.training.speed.allocator import keep_memory
from dlrun.training.speed.threads import choose_threads
from dlrun.training.task import Task, Unfreezing, WeightGroup


@dataclass(frozen=True, slots=True)
class TrainingSetup:
    """Everything that a training starts with."""

    checked: Checked
    device: torch.device
    loaded: Loaded
    fitted: Fitted
    """The preprocessing."""
    plan: Plan
    network: torch.fx.GraphModule
    task: Task
    settings: dict[str, str]
    """Every setting of the spec under a stable name."""
    notes: tuple[Problem, ...] = ()
    """What can be meant but rarely is, and only the loaded data shows, without the notes that the spec allows."""
    weights_digest: str = ""
    """SHA-256 of the file that the weights start from; '' where there is none, or where a checkpoint replaces it."""

    def identity(self) -> dict[str, Any]:
        """What identifies the run; a checkpoint with another identity is refused."""
        return {
            "settings": self.settings,
            "data": self.loaded.digest,
            "split": self.loaded.split_digest,
            "labels": {name: list(target.labels or ()) for name, target in self.loaded.targets.items()},
        }


def prepare_training(checked: Checked, learned: Mapping[str, torch.Tensor] | None = None) -> TrainingSetup:
    """Load, fit and build.

    Args:
        checked: the spec.
        learned: what the preprocessing learned, as `as_tensors` gives it, where a checkpoint has it and the weights.

    Raises:
        SpecError: the data is not what the spec says, or is too small for a step; there is no such device, or it does
            not support the precision; with `checked.strict`, there is a note.
    """
    experiment = checked.experiment
    device = choose_device(experiment.train.device)
    set_precision(experiment.train.precision, device)
    # With an even kernel, `same` must pad one side more; torch copies the input for that, and would warn in every run.
    warnings.filterwarnings("ignore", message="Using padding='same' with even kernel lengths")
    # With bfloat16 an rms norm's input and its weight are of two types: torch computes it in several steps, and warns.
    warnings.filterwarnings("ignore", message="Mismatch dtype between input and weight")
    loaded, fitted, planned, scaling = load_and_fit(checked, learned)
    prepared = prepare_rows(checked, loaded, fitted, planned, scaling, device)
    loaded = loaded.without_features()
    assert checked.data_info is not None
    terms, metrics = _objective(checked, planned, loaded)
    notes = check_loaded(checked, planned, loaded, prepared, terms, metrics)
    keep_memory()
    make_deterministic(experiment.seed, device)
    torch.set_num_threads(choose_threads(planned.macs, Length.of(experiment.train, len(prepared.train)).batch))
    logits = dict.fromkeys(found.output for found in terms if found.from_logits)
    values = {step for _, steps in penalized_values(planned, experiment.regularizers) for step in steps}
    network = build(planned.at_first(), experiment.need("model"), tuple(logits), sorted(values))
    digest = _start_from(checked, planned, network) if learned is None else ""
    lay_out(network.to(device))
    task = make_task(checked, planned, network, prepared, terms, metrics, scaling)
    for bound in task.bounds:  # from the first step on
        bound()
    if device.type == "cuda":
        any_order = computed_in_any_order(task)
        task = replace(task, in_order=not any_order)
        notes += _any_order_note(checked, any_order) if any_order else ()
    settings = flattened(experiment, checked.reading.folder, planned.input_shapes)
    return TrainingSetup(checked, device, loaded, fitted, planned, network, task, settings, notes, digest)


def _any_order_note(checked: Checked, operator: str) -> tuple[Problem, ...]:
    """That two runs on a GPU differ in their last bits, if the spec does not allow it; torch then says no more of it.

    Raises:
        SpecError: there is a note, with `checked.strict`.
    """
    for message in (".* does not have a deterministic implementation", ".* defaults to a non-deterministic algorithm"):
        warnings.filterwarnings("ignore", message=message)
    message = f"on a GPU torch computes {operator} by additions in any order, so two runs differ in their last bits"
    note = checked.reading.note("any_order", message, ("train", "device"), "train.device=cpu gives the same bits")
    notes = tuple(checked.reading.unsilenced([note]))
    if notes and checked.strict:
        raise SpecError(notes)
    return notes


def load_and_fit(
    checked: Checked, learned: Mapping[str, torch.Tensor] | None = None
) -> tuple[Loaded, Fitted, Plan, TargetSteps]:
    """Load the rows and fit the preprocessing on those for training; the returned plan has all sizes.

    Last come the fitted steps of each target that has them.

    Raises:
        SpecError: the data is not what the spec says, or is too small for a step.
    """
    reading, experiment, planned = checked.reading, checked.experiment, checked.plan
    data, data_info = experiment.need("data"), checked.data_info
    assert data_info is not None and checked.sizes is not None
    with _placing(checked):
        loaded = load(data, data_info, experiment.seed)
        fitted = fit_or_recall(planned, loaded) if learned is None else from_tensors(planned, learned)
        if not planned.exact:  # now the sizes are known
            steps = list(data.preprocess)
            for before in planned.preprocess:
                steps[before.index] = fitted[before.name].step
            model = experiment.need("model")
            planned = plan(model, reading.tree, data_info, tuple(steps), checked.sizes.train)
            check_settled(checked, planned)
        chains = front_chains(data.target_preprocess, numbers(data_info), "target_preprocess")
        if learned is None:
            fitted |= fit_targets(chains, loaded, lambda index: reading.place(("data", "target_preprocess", index)))
        else:
            states = states_by_step(learned)
            chained = [entry for chain in chains.values() for entry in chain]
            fitted |= {name: FittedStep.of(step, states.get(name, {})) for name, _, step in chained}
        return loaded, fitted, planned, scales(chains, fitted) if data.target_preprocess else {}


def prepare_rows(
    checked: Checked, loaded: Loaded, fitted: Fitted, planned: Plan, scaling: TargetSteps, device: torch.device
) -> Prepared:
    """The rows of each split as the network takes them; what was read is freed.

    Raises:
        SpecError: a number is not one that the network can take.
    """
    modules, metrics = modules_by_input(planned, fitted), bool(checked.experiment.metrics)
    with _placing(checked):
        prepared = prepare(loaded, planned, modules, device, scaling, metrics)
    assert checked.data_info is not None
    checked.data_info.forget()
    return prepared


@contextmanager
def _placing(checked: Checked) -> Iterator[None]:
    """Give an error of the data its place in the spec."""
    try:
        yield
    except SourceError as error:
        place = checked.reading.place(("data", *error.at))
        raise SpecError([Problem(error.message, place, error.hint)]) from None


def lay_out(network: torch.nn.Module) -> None:
    """Store the kernels of images with channels last, as data/prepare.py stores images."""
    for parameter in network.parameters():
        if parameter.dim() == 4:  # torch has no such layout for other numbers of axes
            parameter.data = parameter.data.to(memory_format=torch.channels_last)


def make_task(
    checked: Checked,
    planned: Plan,
    network: torch.nn.Module,
    prepared: Prepared,
    terms: Sequence[Term],
    metrics: Sequence[Watched],
    scaling: TargetSteps,
) -> Task:
    """The task of the loop."""
    experiment = checked.experiment
    pairing = Pairing(planned.input_shapes, scaling)
    groups, _ = moved(planned, experiment.optimizer)
    found = entries(planned, groups, experiment.schedule, experiment.losses, experiment.regularizers)
    changing = ChangingNumbers(scheduled(found), prepared.train.device)
    changing.put_into(network, planned)
    for module in pairing.back.values():
        module.to(prepared.train.device)
    first = planned.at_first()
    penalties = _changing(changing, _penalties(experiment, planned, network, terms, pairing))
    return Task(
        network=network,
        forward=forward_in(experiment.train.precision, network, prepared.train.device),
        data=prepared,
        augment=make_augmenter(checked, planned, terms),
        objective=Objective(terms, pairing, prepared.train.device),
        minimised=Objective(
            [replace(term, loss=changing.current(term.loss)) for term in terms], pairing, prepared.train.device
        ),
        watched=metrics,
        penalties=_changing(changing, _penalties(experiment, first, network, terms, pairing)),
        bounds=_bounds(experiment, first, network),
        groups=_groups(planned, groups, network),
        changing=changing,
        settings=experiment.train,
        seed=experiment.seed,
        unfreezing=_unfreezing(experiment, planned, network, prepared, penalties),
    )


def _unfreezing(
    experiment: Experiment, planned: Plan, network: torch.nn.Module, prepared: Prepared, penalties: list[Penalty]
) -> Unfreezing | None:
    """What changes when the weights that are frozen at first begin to move, with all penalties from then on."""
    until = experiment.need("model").frozen_until
    if until is None:
        return None
    step = until.in_steps(Length.of(experiment.train, len(prepared.train)).per_epoch)
    first = planned.at_first()
    own = [one for one in planned.layers if not one.shared]
    still = [one.name for one in own if first.is_still(one) and not planned.is_still(one)]
    layers = [network.get_submodule(torch_path(name)) for name in still]
    return Unfreezing(step, layers, penalties, _bounds(experiment, planned, network))


def _bounds(experiment: Experiment, planned: Plan, network: torch.nn.Module) -> list[Bound]:
    return [Bound(*pair) for pair in trained_weights(planned, network, "constraints", experiment.constraints)]


def _changing(
    changing: ChangingNumbers, penalties: Sequence[WeightPenalty | OutputPenalty | PredictionPenalty]
) -> list[Penalty]:
    """The penalties with the coefficients that schedules change."""
    return [replace(penalty, regularizer=changing.current(penalty.regularizer)) for penalty in penalties]


def _penalties(
    experiment: Experiment, planned: Plan, network: torch.nn.Module, terms: Sequence[Term], pairing: Pairing
) -> list[WeightPenalty | OutputPenalty | PredictionPenalty]:
    """What the regularizers of the spec add to the loss."""
    on_weights = trained_weights(planned, network, "regularizers", experiment.regularizers)
    found: list[WeightPenalty | OutputPenalty | PredictionPenalty] = [WeightPenalty(*pair) for pair in on_weights]
    found += [OutputPenalty(*pair) for pair in penalized_values(planned, experiment.regularizers)]
    for regularizer in experiment.regularizers:
        if isinstance(regularizer, PredictionRegularizer):
            found.append(PredictionPenalty(regularizer, predicted(regularizer, planned, terms), pairing))
    return found


def _objective(checked: Checked, planned: Plan, loaded: Loaded) -> tuple[list[Term], list[Watched]]:
    """The losses and metrics, with weights by the counts of the training rows.

    Raises:
        SpecError: a class has no training row, and so no balanced weight.
    """
    experiment, counts = checked.experiment, loaded.class_counts
    assert checked.data_info is not None
    try:
        return objective(experiment.losses, experiment.metrics, planned, checked.data_info, counts)  # type: ignore[arg-type]
    except ObjectiveError as error:
        at = error.at if isinstance(experiment.loss, tuple) else error.at[1:]
        place = checked.reading.place(("loss", *at))
        raise SpecError([Problem(error.message, place, error.hint)]) from None


def _groups(planned: Plan, groups: Sequence[Moved], network: torch.nn.Module) -> list[WeightGroup]:
    """The weights of each optimizer, in the order of the network's."""
    named = network.state_dict(keep_vars=True)
    owners = {id(named[name]): number for number, group in enumerate(groups) for name in group.weights}
    late = {id(named[name]) for name in planned.late if name in named}
    found: list[tuple[list[torch.nn.Parameter], list[torch.nn.Parameter]]] = [([], []) for _ in groups]
    for parameter in network.parameters():
        if (number := owners.get(id(parameter))) is not None:
            found[number][id(parameter) in late].append(parameter)
    return [WeightGroup(group.optimizer, *own) for group, own in zip(groups, found, strict=True)]


def make_augmenter(checked: Checked, planned: Plan, terms: Sequence[Term]) -> Augmenter:
    """The steps of `data.augment`, with what mixing targets takes."""
    experiment = checked.experiment
    of_data = [term for term in terms if term.answer.of_data]
    classes = {t.answer.name: planned.output_shape(t.output)[0] for t in of_data if t.wants == "classes"}
    binary = dict.fromkeys(term.answer.name for term in of_data if term.loss.wants == "binary")
    steps: Sequence[Any] = experiment.need("data").augment
    return Augmenter(steps, list(planned.input_shapes), experiment.seed, classes, binary)


def _start_from(checked: Checked, planned: Plan, network: torch.nn.Module) -> str:
    """Load the weights that the spec names, if it does; returns the SHA-256 of their file.

    Raises:
        SpecError: the file cannot be read any more, or is another one; a weight is not finite.
    """
    reading, settings = checked.reading, checked.experiment.need("model").start
    if settings is None:
        return ""
    path = reading.folder / settings.source
    try:
        data = path.read_bytes()
        taken = start_in(BytesIO(data), path, reading, planned).taken
    except OSError as error:
        raise SpecError([reading.problem(f"cannot read {path}: {error.strerror}", ("model", "weights"))]) from None
    except (WeightsError, StartError) as error:
        raise SpecError([weights_problem(reading, error)]) from None
    chosen = weights_in(data, taken)
    for name, values in chosen.items():
        single = values.to(torch.float32)
        if not (finite := single.isfinite()).all():
            message = f"'{name}' holds {values[~finite][0].item():g} in {path}; a weight is a finite number of float32"
            raise SpecError([reading.problem(message, ("model", "weights"))])
    network.load_state_dict(chosen, strict=False)
    return hashlib.sha256(data).hexdigest()
