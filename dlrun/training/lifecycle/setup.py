"""A checked spec -> all that training needs: the device, the rows, the fitted preprocessing, the network."""

from __future__ import annotations

import hashlib
import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from dlrun.checks.check import Checked, check_settled
from dlrun.components.layers import EVERY
from dlrun.components.sources import SourceError
from dlrun.data.augment import Augmenters
from dlrun.data.fit import Fitted, FittedStep, fit, fit_targets, modules_by_input, scales
from dlrun.data.load import Loaded, load
from dlrun.data.prepare import Prepared, prepare
from dlrun.errors import Problem, SpecError, distinct
from dlrun.language.experiment import TARGET
from dlrun.language.resolved import flattened
from dlrun.modules.affine import Affine
from dlrun.network.build import build
from dlrun.network.preprocessing import from_tensors, states_by_step
from dlrun.plan.data_info import numbers
from dlrun.plan.inputs import front_chains
from dlrun.plan.length import Length
from dlrun.plan.network import Plan, plan
from dlrun.plan.objective import Term, Watched, objective
from dlrun.plan.ranges import in_words, limiting, output_ranges
from dlrun.plan.weights import expected, penalties
from dlrun.training.lifecycle.device import choose_device, forward_in, make_deterministic, set_precision
from dlrun.training.objective import Objective, Pairing
from dlrun.training.speed.allocator import keep_memory
from dlrun.training.speed.threads import choose_threads
from dlrun.training.task import Task

FEW = 0.01
"""The share of the numbers to predict that may lie outside the range of the outputs, as outliers do."""


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
    loaded, fitted, planned, prepared, scaling = load_and_fit(checked, device, learned)
    terms, metrics = _objective(checked, planned)
    notes = _notes(checked, loaded, metrics)
    keep_memory()
    make_deterministic(experiment.seed, device)
    torch.set_num_threads(choose_threads(planned, Length.of(experiment.train, len(prepared.train)).batch))
    logits = dict.fromkeys(found.output for found in terms if found.from_logits)
    network = build(planned, experiment.need("model"), tuple(logits))
    digest = _start_from(checked, planned, network) if learned is None else ""
    lay_out(network.to(device))
    task = make_task(checked, planned, network, prepared, terms, metrics, scaling)
    settings = flattened(experiment, checked.reading.folder, planned.input_shapes)
    return TrainingSetup(checked, device, loaded, fitted, planned, network, task, settings, notes, digest)


def load_and_fit(
    checked: Checked, device: torch.device, learned: Mapping[str, torch.Tensor] | None = None
) -> tuple[Loaded, Fitted, Plan, Prepared, dict[str, list[Affine]]]:
    """Load the rows and fit the preprocessing on those for training; the returned plan has all sizes.

    Last come the fitted steps of each target that has them.

    Raises:
        SpecError: the data is not what the spec says, or is too small for a step.
    """
    reading, experiment, planned = checked.reading, checked.experiment, checked.plan
    data, data_info = experiment.need("data"), checked.data_info
    assert data_info is not None and checked.sizes is not None
    try:
        loaded = load(data, experiment.losses, reading.folder, data_info, experiment.seed)
        fitted = fit(planned.inputs, loaded) if learned is None else from_tensors(planned, learned)
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
            fitted |= {name: FittedStep.of(s, states[name]) for chain in chains.values() for name, _, s in chain}
        scaling = scales(chains, fitted) if data.target_preprocess else {}
        modules, metrics = modules_by_input(planned, fitted), bool(experiment.metrics)
        prepared = prepare(loaded, planned, modules, device, scaling, metrics)
    except SourceError as error:
        place = reading.place(("data", *error.at))
        raise SpecError([Problem(error.message, place, error.hint)]) from None
    _hold_to_ranges(checked, planned, prepared)
    return loaded.without_features(), fitted, planned, prepared, scaling


def _notes(checked: Checked, loaded: Loaded, metrics: Sequence[Watched]) -> tuple[Problem, ...]:
    reading = checked.reading
    found = [reading.note(note.name, note.message, ("data", *note.at), note.hint) for note in loaded.notes]
    found += _undefined(checked, loaded, metrics)
    found += _far_from_1(checked, loaded)
    notes = distinct(reading.unsilenced(found))
    if notes and checked.strict:
        raise SpecError(notes)
    return notes


def _hold_to_ranges(checked: Checked, planned: Plan, prepared: Prepared) -> None:
    """Refuse outputs with a range that more than a few of the numbers to predict lie outside of."""
    ranges, pairing = output_ranges(planned), Pairing(planned.input_shapes)
    for index, pair in enumerate(_objective(checked, planned)[0]):
        loss = pair.loss
        taken = ranges[planned.outputs[pair.output]]
        if loss.wants != "numbers" or taken == EVERY or not len(prepared.train):
            continue
        wanted = pairing.answer(pair.answer, prepared.train)
        margin = 1e-3 * max(abs(end) if math.isfinite(end) else 0.0 for end in taken) + 1e-6
        outside = ((wanted < taken[0] - margin) | (wanted > taken[1] + margin)).double().mean().item()
        if outside > FEW:
            last = limiting(planned, ranges, planned.outputs[pair.output])
            what = "the inputs" if pair.answer.is_input else "the target"
            message = (
                f"the network ends in {last.kind}, whose outputs {in_words(taken)}, and {outside:.0%} of {what} in the "
                f"training rows lie outside: from {wanted.min().item():g} to {wanted.max().item():g}"
            )
            at = ("loss", index) if isinstance(checked.experiment.loss, tuple) else ("loss",)
            notes = ((f"this {last.kind}", last.place),) if last.place else ()
            hint = f"remove the final `{last.kind}`, or bring the values into its range"
            raise SpecError([Problem(message, checked.reading.place(at), hint, notes)])


def _undefined(checked: Checked, loaded: Loaded, metrics: Sequence[Watched]) -> Iterator[Problem]:
    """Notes about metrics that a split lacks a class for.

    Raises:
        SpecError: such a metric decides which weights are the best.
    """
    stopping, splits = checked.experiment.train.early_stopping, loaded.splits
    hint = "`data.split.stratify: true` gives every split rows of each class"
    for index, one in enumerate(metrics):
        target = None if one.answer.is_input else loaded.targets[one.answer.name]
        if not one.metric.needs_every_class or target is None or target.classes is None or target.labels is None:
            continue
        for split, rows in (("train", splits.train), ("validation", splits.validation), ("test", splits.test)):
            counts = np.bincount(target.classes[rows], minlength=len(target.labels))
            needed = [target.labels.index(one.label)] if one.label else range(len(counts))
            lacking = [target.labels[number] for number in needed if not counts[number]]
            if one.label and counts[needed[0]] == len(rows):
                lacking = [f"a class besides {one.label}"]
            if not len(rows) or not lacking:
                continue
            more = f" and {len(lacking) - 1} more classes" if len(lacking) > 1 else ""
            message = f"{split} has no row of {lacking[0]}{more}, so {one.name} is not defined there"
            if stopping is not None and stopping.monitor == f"{split}/{one.name}":
                place = checked.reading.place(("train", "early_stopping", "monitor"))
                raise SpecError([Problem(message, place, hint)])
            yield checked.reading.note("undefined_metric", message, ("metrics", index), hint)


FAR, NEAR = 10.0, 0.01
"""Targets whose mean or spread is larger than the one, or whose spread is smaller than the other, need scaling."""


def _far_from_1(checked: Checked, loaded: Loaded) -> Iterator[Problem]:
    """Notes about targets of numbers that float32 merges, or that a network reaches late."""
    reading, data_info = checked.reading, checked.data_info
    assert data_info is not None
    if checked.experiment.need("data").target_preprocess:
        return
    hint = "`target_preprocess: [standardize]` scales it for the loss; metrics and predictions keep its units"
    for name in numbers(data_info):
        values, exact = loaded.targets[name].values, loaded.targets[name].exact
        what = "the target" if name == TARGET else f"the target {name}"
        path = ("data", "target") if "target" in checked.experiment.need("data").model_fields_set else ("data",)
        before, after = (0, 0) if exact is None else (len(np.unique(exact)), len(np.unique(values)))
        if after < before:
            message = f"{what} has {before} distinct values, and float32 keeps {after} of them apart"
            yield reading.note("merged_targets", message, path, hint, at_key=True)
            continue
        rows = values[loaded.splits.train].astype(np.float64)
        mean, spread = rows.mean(), rows.std()
        if max(abs(mean), spread) > FAR or 0 < spread < NEAR:
            message = f"{what} has the mean {mean:.4g} and the standard deviation {spread:.4g}, far from 0 and 1"
            yield reading.note("unscaled_target", message, path, hint, at_key=True)


def _objective(checked: Checked, planned: Plan) -> tuple[list[Term], list[Watched]]:
    experiment, data_info = checked.experiment, checked.data_info
    assert data_info is not None
    return objective(experiment.losses, experiment.metrics, planned, data_info)  # type: ignore[arg-type]


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
    scaling: Mapping[str, Sequence[Affine]],
) -> Task:
    """The task of the loop."""
    experiment = checked.experiment
    pairing = Pairing(planned.input_shapes, scaling)
    for module in pairing.back.values():
        module.to(prepared.train.inputs[0].device)
    weights = network.state_dict(keep_vars=True)
    acting = [
        (regularizer, [weights[name] for name in names if weights[name].requires_grad])
        for regularizer, names in penalties(planned, experiment.regularizers)
    ]
    return Task(
        network=network,
        forward=forward_in(experiment.train.precision, network, prepared.train.inputs[0].device),
        data=prepared,
        augment=Augmenters(experiment.need("data").augment, list(planned.input_shapes), experiment.seed),
        objective=Objective(
            terms,
            pairing,
        ),
        watched=metrics,
        penalties=[(regularizer, parameters) for regularizer, parameters in acting if parameters],
        optimizer=experiment.need("optimizer"),
        schedule=experiment.schedule,  # type: ignore[arg-type]
        settings=experiment.train,
        seed=experiment.seed,
    )


def _start_from(checked: Checked, planned: Plan, network: torch.nn.Module) -> str:
    """Load the weights that the spec names, if it does; returns the SHA-256 of their file."""
    path = checked.experiment.need("model").weights
    if path is None:
        return ""
    import safetensors.torch

    data = (checked.reading.folder / path).read_bytes()
    weights = safetensors.torch.load(data)
    network.load_state_dict({name: weights[name] for name in expected(planned)}, strict=False)
    return hashlib.sha256(data).hexdigest()
