"""A checked spec -> all that training needs: the device, the rows, the fitted preprocessing, the network."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass

import torch

from dlrun.checks.check import Checked
from dlrun.components.preprocess import Preprocess, State
from dlrun.components.sources import SourceError
from dlrun.data.augment import Augmenters
from dlrun.data.load import Loaded, load
from dlrun.data.prepare import Prepared, StepFitError, fit, prepare
from dlrun.errors import Problem, SpecError
from dlrun.network.build import build
from dlrun.plan.length import Length
from dlrun.plan.network import Plan, plan
from dlrun.plan.objective import term, watched
from dlrun.plan.weights import expected, penalties
from dlrun.training.lifecycle.device import forward_in, set_precision
from dlrun.training.loop import Task
from dlrun.training.objective import Objective, Pairing
from dlrun.training.speed.allocator import keep_memory
from dlrun.training.speed.threads import choose_threads

Front = dict[str, tuple[Preprocess, State]]
"""The fitted preprocessing by the names that the plan gives the steps."""


@dataclass(frozen=True, slots=True)
class TrainingSetup:
    """Everything that a training begins with."""

    checked: Checked
    device: torch.device
    loaded: Loaded
    front: Front
    plan: Plan
    network: torch.fx.GraphModule
    task: Task


def prepare_training(checked: Checked, learned: Mapping[str, torch.Tensor] | None = None) -> TrainingSetup:
    """Load, fit and build.

    Args:
        checked: the spec.
        learned: what the preprocessing has learned, where it was fitted before: see `learned_by`.

    Raises:
        SpecError: the data is not what the spec says, or does not allow a step; there is no such device, or it cannot
            compute so.
    """
    experiment = checked.experiment
    device = choose_device(experiment.train.device)
    set_precision(experiment.train.precision, device)
    # With an even kernel, `same` must pad one side more; torch copies the input for that, and would say so each run.
    warnings.filterwarnings("ignore", message="Using padding='same' with even kernel lengths")
    loaded, front, planned, prepared = load_and_fit(checked, device, learned)
    keep_memory()
    make_deterministic(experiment.seed, device)
    torch.set_num_threads(choose_threads(planned, Length.of(experiment.train, len(prepared.train)).batch))
    network = build(planned, experiment.need("model"))
    _start_from(checked, planned, network)
    # As the rows are: see data/prepare.py.
    network = network.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    task = make_task(checked, planned, network, prepared)
    return TrainingSetup(checked, device, loaded, front, planned, network, task)


def choose_device(wanted: str) -> torch.device:
    """The device that a spec asks for.

    Raises:
        SpecError: there is no such device here.
    """
    if wanted == "cuda" and not torch.cuda.is_available():
        raise SpecError("`train.device` is cuda, and torch sees no GPU here; train.device=cpu trains without one")
    if wanted == "auto":
        wanted = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(wanted)


def make_deterministic(seed: int, device: torch.device) -> None:
    """Seed torch, and have it choose algorithms that give the same bits every time."""
    torch.manual_seed(seed)
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # without it cuBLAS may differ from run to run
    # Not by use_deterministic_algorithms, which tells torch's compiler too, and for that imports it: longer than torch.
    torch.set_deterministic_debug_mode("warn" if device.type == "cuda" else "default")
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]


def load_and_fit(
    checked: Checked, device: torch.device, learned: Mapping[str, torch.Tensor] | None = None
) -> tuple[Loaded, Front, Plan, Prepared]:
    """What was loaded, the preprocessing fitted on its training rows, the plan with all sizes known, and the rows.

    Raises:
        SpecError: the data is not what the spec says, or does not allow a step.
    """
    reading, experiment = checked.reading, checked.experiment
    data, data_info = experiment.need("data"), checked.data_info
    assert data_info is not None and checked.sizes is not None
    try:
        loaded = load(data, experiment.losses, reading.folder, data_info, experiment.seed)
        if learned is None:
            fitted = fit(data.preprocess, loaded)
        else:
            states = states_of(learned)
            known = {id(before.step): states[before.name] for before in checked.plan.preprocess}
            fitted = [(step.settled(known[id(step)]), known[id(step)]) for step in data.preprocess]
        steps = tuple(step for step, _ in fitted)
        planned = plan(experiment.need("model"), reading.tree, data_info, steps, checked.sizes.train)
        state_of = {id(step): state for step, state in fitted}
        front = {before.name: (before.step, state_of[id(before.step)]) for before in planned.preprocess}
        prepared = prepare(loaded, planned, modules_of(front, planned), device)
    except SourceError as error:
        place = reading.place(("data", *error.at))
        raise SpecError([Problem(error.message, place, error.hint)]) from None
    except StepFitError as error:
        place = reading.place(("data", "preprocess", error.index))
        raise SpecError([Problem(error.message, place, error.hint)]) from None
    return loaded.without_features(), front, planned, prepared


def learned_by(front: Front) -> dict[str, torch.Tensor]:
    """What the preprocessing has learned, as tensors by the steps' names."""
    return {
        f"{name}.{key}": torch.as_tensor(value) for name, (_, state) in front.items() for key, value in state.items()
    }


def states_of(learned: Mapping[str, torch.Tensor]) -> dict[str, State]:
    """The inverse of `learned_by`."""
    states: dict[str, State] = {}
    for name, tensor in learned.items():
        step, _, key = name.rpartition(".")
        states.setdefault(step, {})[key] = tensor.numpy()
    return states


def modules_of(front: Front, planned: Plan) -> dict[str, list[tuple[str, torch.nn.Module]]]:
    """For each input its fitted steps in order, as modules by name."""
    return {
        entry.name: [(p.name, front[p.name][0].build(front[p.name][1])) for p in entry.preprocess]
        for entry in planned.inputs
    }


def make_task(checked: Checked, planned: Plan, network: torch.nn.Module, prepared: Prepared) -> Task:
    """What the loop trains with."""
    experiment, data_info = checked.experiment, checked.data_info
    assert data_info is not None
    weights = dict(network.named_parameters())
    acting = [
        (regularizer, [weights[name] for name in names if weights[name].requires_grad])
        for regularizer, names in penalties(planned, experiment.regularizers)
    ]
    terms = [term(loss, planned, data_info) for loss in experiment.losses]
    return Task(
        network=network,
        forward=forward_in(experiment.train.precision, network, prepared.train.inputs[0].device),
        data=prepared,
        augment=Augmenters(experiment.need("data").augment, list(planned.input_shapes), experiment.seed),
        objective=Objective(terms, Pairing(planned.input_shapes)),
        watched=[watched(metric, planned, terms) for metric in experiment.metrics],  # type: ignore[arg-type]
        penalties=[(regularizer, parameters) for regularizer, parameters in acting if parameters],
        optimizer=experiment.need("optimizer"),
        schedule=experiment.schedule,  # type: ignore[arg-type]
        settings=experiment.train,
        seed=experiment.seed,
    )


def _start_from(checked: Checked, planned: Plan, network: torch.nn.Module) -> None:
    path = checked.experiment.need("model").weights
    if path is None:
        return
    import safetensors.torch

    held = safetensors.torch.load_file(checked.reading.folder / path)
    network.load_state_dict({name: held[name] for name in expected(planned)}, strict=False)
