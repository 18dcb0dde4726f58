"""The answers of a network that was just trained, for its test rows, which are still there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch

from dlrun.components.decisions import DecisionError
from dlrun.data.batches import Batch
from dlrun.data.rows import Rows
from dlrun.errors import RunError
from dlrun.language.experiment import as_tuple
from dlrun.plan.decisions import planned_decision
from dlrun.plan.length import evaluation_batch
from dlrun.runs import folder as run_folder
from dlrun.shapes import numel
from dlrun.trained.answers import Answers, joined, with_truth
from dlrun.trained.decided import Decided
from dlrun.trained.decisions import settle, write_decisions
from dlrun.trained.evaluate import Evaluation
from dlrun.trained.predict import answers_of
from dlrun.trained.report.figures import Report
from dlrun.trained.report.files import files_of
from dlrun.trained.report.report import report
from dlrun.trained.run import TrainedOutput, outputs_of_plan
from dlrun.training.lifecycle.run import Outcome
from dlrun.training.lifecycle.setup import TrainingSetup
from dlrun.training.loop import Training
from dlrun.training.objective import Pairing
from dlrun.training.task import Task

MOST_NUMBERS = 1 << 24
"""Of the outputs for all test rows together: 128 MiB as float64. `dlrun evaluate` has no such bound."""


def evaluation_of(
    setup: TrainingSetup, training: Training, metrics: dict[str, float], decisions: Mapping[str, Decided]
) -> Evaluation | None:
    """The same as `evaluate` gives for the test rows of the run, whose data is not read again.

    Args:
        setup: what the training started with.
        training: it is finished: its network has the best weights.
        metrics: those of the test.
        decisions: of the outputs that have one.

    Returns:
        None where there are no test rows, or their outputs would take too much memory.
    """
    planned, test = setup.plan, training.task.data.test
    if not len(test) or len(test) * sum(map(numel, planned.output_shapes.values())) > MOST_NUMBERS:
        return None
    assert setup.checked.data_info is not None
    outputs = outputs_of_plan(setup.checked.reading, planned, setup.checked.data_info.targets)
    outputs = [replace(one, decision=decisions.get(one.name)) for one in outputs]
    rows = np.asarray(setup.loaded.splits.test)
    return Evaluation(rows, _of_rows(training.task, test, outputs), metrics)


def _of_rows(task: Task, rows: Rows, outputs: Sequence[TrainedOutput]) -> tuple[Answers, ...]:
    """The answers of outputs for the rows of a split."""
    size = evaluation_batch(min(1024, len(rows)))
    network, pairing = task.computed, task.objective.pairing
    was_training = network.training
    network.eval()
    parts: list[list[Answers]] = []
    with torch.inference_mode():
        for start in range(0, len(rows), size):
            batch = rows.batch(slice(start, start + size))
            found = task.forward(*batch.inputs)
            parts.append([_answers(one, pairing.output(one.name, found), pairing, batch) for one in outputs])
    network.train(was_training)
    return tuple(map(joined, zip(*parts, strict=True)))


def settle_decisions(setup: TrainingSetup, training: Training) -> dict[str, Decided]:
    """The decisions of a spec, by output, once the network is trained.

    Raises:
        RunError: one has no threshold in the validation rows, or there are too many of these.
    """
    checked, task = setup.checked, training.task
    assert checked.data_info is not None
    outputs = {one.name: one for one in outputs_of_plan(checked.reading, setup.plan, checked.data_info.targets)}
    found = {}
    for decision in as_tuple(checked.experiment.decision):
        planned = planned_decision(decision, setup.plan, task.objective.terms, checked.data_info.targets)
        output = outputs[planned.output]

        def validation(output: TrainedOutput = output) -> Answers:
            return _of_rows(task, task.data.validation, [output])[0]

        counts = setup.loaded.class_counts[planned.term.answer.name]
        try:
            found[planned.output] = settle(planned, output.labels, counts, validation)
        except DecisionError as error:
            raise RunError(f"the decision {decision.kind}: {error.message}") from None
    return found


def keep_evaluation(setup: TrainingSetup, training: Training, outcome: Outcome) -> Report | None:
    """Report how good a trained network is on its test rows, and write that, and its decisions, into the run's folder.

    Raises:
        RunError: it cannot be written.
    """
    decisions = settle_decisions(setup, training)
    if decisions:
        write_decisions(outcome.folder, decisions)
    found = evaluation_of(setup, training, outcome.test, decisions)
    if found is None:
        return None
    result = report(found.answers, found.metrics, found.rows)
    run_folder.write_evaluation(
        outcome.folder, "test", dict(files_of(result, outcome.folder.name, "test rows of the run"))
    )
    return result


def _answers(output: TrainedOutput, values: torch.Tensor, pairing: Pairing, batch: Batch) -> Answers:
    """What an output says in the units of the data, and what is true."""
    back = pairing.back.get(output.target)
    given = answers_of(output, (values if back is None else back(values)).float().cpu())
    true = batch.targets.get(output.target)
    if true is None:
        return given
    if output.kind == "numbers":
        exact = batch.exact.get(output.target)
        true = exact if exact is not None else true if back is None else back(true)
    return with_truth(given, true.cpu().numpy())
