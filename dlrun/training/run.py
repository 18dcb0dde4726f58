"""A checked spec -> a run: load, split, fit, build, train, test, and keep all of it."""

from __future__ import annotations

import math
import os
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch

from dlrun import __version__
from dlrun.checks import Checked, ending
from dlrun.components.preprocess import Preprocess, State
from dlrun.components.sources import SourceError
from dlrun.data.load import Loaded, load
from dlrun.data.prepare import Prepared, StepFitError, fit, prepare
from dlrun.errors import Problem, RunError, SpecError
from dlrun.graph import build, with_front
from dlrun.length import evaluation_batch
from dlrun.plan import Plan, penalties, plan
from dlrun.tracking import Record, RunInfo, Status, Tracking
from dlrun.tracking.opening import open_tracking
from dlrun.training import folder as kept
from dlrun.training.description import about, describe, now
from dlrun.training.ending import Terminated, listening
from dlrun.training.evaluation import Measurement, evaluate
from dlrun.training.journal import Journal
from dlrun.training.loop import Progress, Task, train
from dlrun.training.losses import State as TrainingState
from dlrun.weights import expected

DELIVERY = 30.0
"""Seconds that the tracker is given at the end."""


class Watcher(Protocol):
    """Is told how a run goes."""

    def ready(self, plan: Plan, loaded: Loaded, folder: Path, device: str) -> None:
        """The data is loaded and the network built; training begins."""
        ...

    def progress(self, progress: Progress) -> None:
        """A few times a second."""
        ...

    def epoch(self, epoch: int, figures: dict[str, float], epochs: int) -> None:
        """Epoch `epoch` of `epochs` is over."""
        ...


@dataclass(slots=True)
class Outcome:
    """What came of a run."""

    folder: Path
    status: Status
    test: dict[str, float]
    """The test figures, without their prefix; empty without test rows."""
    state: TrainingState
    where: str
    """How to compare the run; '' without a tracker."""
    undelivered: str
    """What the tracker could not be told, and why; '' when all is well."""


@dataclass(slots=True)
class _Reporter:
    """Writes each figure to the journal, then to the tracker, then to the screen."""

    journal: Journal
    tracking: Tracking
    watcher: Watcher

    def progress(self, progress: Progress) -> None:
        self.watcher.progress(progress)

    def epoch(self, epoch: int, figures: dict[str, float], epochs: int) -> None:
        self.record(epoch, figures)
        self.watcher.epoch(epoch, figures, epochs)

    def record(self, epoch: int, figures: dict[str, float]) -> None:
        record = Record(epoch, now(), figures)
        self.journal.write(record)
        self.tracking.record(record)


def run(checked: Checked, watcher: Watcher, runs: Path) -> Outcome:
    """Train by a checked spec and keep the run under `runs`.

    Raises:
        SpecError: the data is not what the spec says.
        RunError: training could not go on.
        KeyboardInterrupt, Terminated: somebody ended it; what was learned so far is kept.
    """
    experiment = checked.experiment
    device = choose_device(experiment.train.device)
    _quiet()
    loaded, front, planned, prepared = load_and_fit(checked, device)
    make_deterministic(experiment.seed, device)
    network = build(planned, experiment.need("model"))
    _start_from(checked, planned, network)
    task = make_task(checked, planned, network.to(device), prepared)
    place = kept.make_folder(runs, experiment.name)
    info = describe(checked, planned, loaded, place, device)
    _keep_beginning(checked, planned, loaded, front, info)
    tracking = open_tracking(experiment.tracking, experiment.name, runs)
    state, test, status = TrainingState(), {}, "FAILED"
    weights = Weights(place, network, front, planned, state)
    with Journal(place / kept.JOURNAL) as journal, listening(state.ending):
        tracking.begin(info)
        watcher.ready(planned, loaded, place, str(device))
        reporter = _Reporter(journal, tracking, watcher)
        try:
            train(task, reporter, state)
            test = _test(task, reporter, state)
            status = "FINISHED"
        except (KeyboardInterrupt, Terminated):
            status = "KILLED"
            raise
        except (RuntimeError, MemoryError) as error:
            raise RunError(_out_of_memory(error) or f"torch stopped the run: {error}") from error
        finally:
            try:
                weights.save(last=status != "FAILED")
                kept.write_json(place / kept.STARTED, {**about(info), "status": status, "test": _plain(test)})
            finally:
                undelivered = tracking.end(status, DELIVERY)
    return Outcome(place, status, test, state, tracking.where(), undelivered)


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


def _quiet() -> None:
    # With an even kernel, `same` must pad one side more; torch copies the input for that, and would say so each run.
    warnings.filterwarnings("ignore", message="Using padding='same' with even kernel lengths")


def make_deterministic(seed: int, device: torch.device) -> None:
    """Seed torch, and have it choose algorithms that give the same bits every time."""
    torch.manual_seed(seed)
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # without it cuBLAS may differ from run to run
    torch.use_deterministic_algorithms(device.type == "cuda", warn_only=True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]


Front = list[tuple[str, Preprocess, State]]


def load_and_fit(checked: Checked, device: torch.device) -> tuple[Loaded, Front, Plan, Prepared]:
    """The data in memory, the preprocessing fitted on its training rows, and the plan with all sizes known.

    Raises:
        SpecError: the data is not what the spec says, or does not allow a step.
    """
    reading, experiment = checked.reading, checked.experiment
    data, request, facts = experiment.need("data"), reading.request(), checked.facts
    assert request is not None and facts is not None and checked.sizes is not None
    try:
        loaded = load(data, request, facts, experiment.seed)
        fitted = fit(data.preprocess, loaded)
        steps = tuple(step for step, _ in fitted)
        planned = plan(experiment.need("model"), reading.tree, facts, steps, checked.sizes.train)
        front = [(p.name, step, state) for p, (step, state) in zip(planned.preprocess, fitted, strict=True)]
        modules = [step.build(state) for _, step, state in front]
        limit = min((s.layer.num_embeddings for s in planned.steps if s.kind == "embedding"), default=None)  # type: ignore[union-attr]
        prepared = prepare(loaded, modules, planned.input, planned.takes_indices, device, limit)
        prepared = prepared.with_input_as_target() if experiment.need("loss").of_input else prepared
    except SourceError as error:
        place = reading.place(("data", *error.at))
        raise SpecError([Problem(error.message, place, error.hint)]) from None
    except StepFitError as error:
        place = reading.place(("data", "preprocess", error.index))
        raise SpecError([Problem(error.message, place, error.hint)]) from None
    return loaded, front, planned, prepared


def make_task(checked: Checked, planned: Plan, network: torch.nn.Module, prepared: Prepared) -> Task:
    """What the loop trains with."""
    experiment = checked.experiment
    weights = dict(network.named_parameters())
    acting = [
        (regularizer, [weights[name] for name in names if weights[name].requires_grad])
        for regularizer, names in penalties(planned, experiment.regularizers)
    ]
    return Task(
        network=network,
        data=prepared,
        loss=experiment.need("loss"),
        metrics=experiment.metrics,  # type: ignore[arg-type]
        penalties=[(regularizer, parameters) for regularizer, parameters in acting if parameters],
        optimizer=experiment.need("optimizer"),
        schedule=experiment.schedule,  # type: ignore[arg-type]
        settings=experiment.train,
        seed=experiment.seed,
        ending=ending(planned),
        output=planned.output,
    )


def _start_from(checked: Checked, planned: Plan, network: torch.nn.Module) -> None:
    path = checked.experiment.need("model").weights
    if path is None:
        return
    import safetensors.torch

    held = safetensors.torch.load_file(checked.reading.folder / path)
    network.load_state_dict({name: held[name] for name in expected(planned)}, strict=False)


def _test(task: Task, reporter: _Reporter, state: TrainingState) -> dict[str, float]:
    if not len(task.data.test_x):
        return {}
    measurement = Measurement(task.metrics, task.ending, task.output)
    batch = len(task.data.train_x) if task.settings.batch_size == "full" else task.settings.batch_size
    figures = evaluate(
        task.network, task.data.test_x, task.data.test_y, task.loss, measurement, evaluation_batch(batch)
    )
    reporter.record(state.epoch, {f"test/{name}": value for name, value in figures.items()})
    return figures


@dataclass(slots=True)
class Weights:
    """Writes what was learned: each file is a whole network, preprocessing included, that takes raw rows."""

    folder: Path
    network: torch.fx.GraphModule
    front: Front
    plan: Plan
    state: TrainingState

    def save(self, last: bool) -> None:
        """Write the best weights and, with `last`, the last ones; nothing before the first epoch is through."""
        if self.state.epoch == 0:
            return
        modules = [(name, step.build(state)) for name, step, state in self.front]
        whole = with_front(self.network, modules, self.plan.input, self.plan.takes_indices)
        notes = {"format": "pt", "dlrun": __version__, "epoch": str(self.state.epoch)}
        front = {name: value for name, value in whole.state_dict().items() if name.startswith("preprocess.")}
        names = expected(self.plan)  # a tied weight stands once in a file
        if last:
            held = self.last()
            kept.write_tensors(self.folder / kept.LAST, {name: held[name] for name in names} | front, notes)
        best = self.state.best_weights
        if best is not None:
            notes["epoch"] = str(self.state.best_epoch)
            kept.write_tensors(self.folder / kept.BEST, {name: best[name] for name in names} | front, notes)

    def last(self) -> dict[str, torch.Tensor]:
        """The weights of the last epoch, also where the best are back in the network."""
        return self.state.last_weights or self.network.state_dict()


def _plain(figures: dict[str, float]) -> dict[str, float | str]:
    return {name: value if math.isfinite(value) else str(value) for name, value in figures.items()}


def _keep_beginning(checked: Checked, planned: Plan, loaded: Loaded, front: Front, info: RunInfo) -> None:
    for name, text in info.texts.items():
        kept.write_text(info.folder / name, text)
    kept.write_json(info.folder / kept.STARTED, {**about(info), "status": "RUNNING"})
    if loaded.labels is not None:
        kept.write_json(info.folder / kept.LABELS, list(loaded.labels))
    fitted = {f"{name}.{key}": torch.as_tensor(value) for name, _, state in front for key, value in state.items()}
    if fitted:
        kept.write_tensors(info.folder / kept.FITTED, fitted, {"dlrun": __version__})


def _out_of_memory(error: BaseException) -> str:
    text = str(error)
    if isinstance(error, MemoryError | torch.OutOfMemoryError) or "can't allocate memory" in text:
        return "there is not enough memory for a step; a smaller `train.batch_size` needs less"
    return ""
