"""The baselines of a run in MLflow: each is a run of its own below the run."""

from __future__ import annotations

from functools import partial

from dlrun.runs.baselines import BaselineResult, Comparison
from dlrun.runs.info import Record, RunInfo
from dlrun.tracking.mlflow_run import FOLDER, PARENT, MlflowRun, Upload

VERDICT = "baselines.verdict"
"""The tag with the sentence that compares the network with its baselines."""


def uploads(run: MlflowRun, comparison: Comparison | None) -> list[Upload]:
    """The calls that send the results of the baselines; `run` must be in the store when they are made."""
    if comparison is None:
        return []
    found: list[Upload] = [
        (f"the baseline {result.name}", partial(_send, run, result)) for result in comparison.results
    ]
    if comparison.verdict:
        found.append(("the verdict on the baselines", partial(run.set_tag, VERDICT, comparison.verdict)))
    return found


def _send(parent: MlflowRun, result: BaselineResult) -> None:
    """Send one result; where the store has some of it, or all, nothing is added twice."""
    assert parent.run_id is not None
    child = MlflowRun(parent.uri, parent.experiment, _described(parent.info, result, parent.run_id))
    for _, send in child.open(running=False):
        send()
    child.log([Record(0, 0, result.ended, result.metrics)])
    child.terminate("FAILED" if result.trouble else "FINISHED", result.ended)


def _described(parent: RunInfo, result: BaselineResult, parent_id: str) -> RunInfo:
    tags = {PARENT: parent_id, "baseline.name": result.name}
    if FOLDER in parent.tags:  # with its start this identifies it, as it does the run above
        tags[FOLDER] = parent.tags[FOLDER]
    tags |= {f"baseline.{key}": text for key, text in (("trouble", result.trouble), ("remark", result.remark)) if text}
    return RunInfo(
        name=result.name,
        experiment=parent.experiment,
        description=f"a baseline of {parent.name}",
        folder=parent.folder,
        started=result.started,
        params=result.settings,
        tags=tags,
    )
