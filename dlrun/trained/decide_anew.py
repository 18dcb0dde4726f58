"""Another decision for a run than the one of its training: the network is the same."""

from __future__ import annotations

from dataclasses import replace

from dlrun.checks.reading import read_spec
from dlrun.components.decisions import DecisionError
from dlrun.errors import SpecError
from dlrun.language.experiment import as_tuple
from dlrun.plan.data_info import DataInfo
from dlrun.plan.decisions import planned_decision
from dlrun.plan.objective import objective
from dlrun.plan.outputs import ObjectiveError
from dlrun.runs import folder as run_folder
from dlrun.runs.run_json import read_run
from dlrun.trained.answers import Answers
from dlrun.trained.decisions import settle
from dlrun.trained.evaluate import OwnRows, evaluate
from dlrun.trained.run import TrainedRun


def decide_anew(run: TrainedRun, written: str) -> TrainedRun:
    """The run with decisions in place of its own, as they are written in a spec.

    A threshold is found in the run's own validation rows, so its data is read then.

    Raises:
        SpecError: they do not suit the run, or its data cannot be read.
    """
    reading = read_spec(run.folder / run_folder.RESOLVED, [f"decision={written}"])
    if reading.errors:
        raise SpecError(reading.errors)
    counts = read_run(run.folder).info.classes
    terms, _ = objective(as_tuple(reading.sections["loss"]), [], run.plan, DataInfo(0, {}, run.targets), counts)
    outputs = {one.name: replace(one, decision=None) for one in run.outputs}
    for decision in as_tuple(reading.sections.get("decision")):
        try:
            planned = planned_decision(decision, run.plan, terms, run.targets)
            output = outputs[planned.output]

            def validation(output: str = planned.output) -> Answers:
                answers = evaluate(run, OwnRows(run, "validation")).answers
                return next(one for one in answers if one.output == output)

            decided = settle(planned, output.labels, counts[planned.term.answer.name], validation)
        except (ObjectiveError, DecisionError) as error:
            raise SpecError([reading.problem(error.message, ("decision",), error.hint)]) from None
        outputs[planned.output] = replace(output, decision=decided)
    return replace(run, outputs=tuple(outputs.values()))
