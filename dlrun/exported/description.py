"""What an exported file says of itself: where it is from, what its inputs are made of, what its outputs mean."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from dlrun import __version__
from dlrun.exported.program import Program, decision_of
from dlrun.runs import folder as run_folder
from dlrun.runs.run_json import read_run
from dlrun.trained.run import TrainedOutput, TrainedRun

NAME = "dlrun"
"""The key under which a file keeps its description."""


Description = dict[str, Any]


def description(run: TrainedRun, program: Program | None = None) -> Description:
    """As data that JSON can hold; with the sizes and types of a program, where one is exported."""
    columns = json.loads(run_folder.read_text(run.folder / run_folder.COLUMNS))["inputs"]
    written = run.reading.sections["data"].preprocess
    ports = () if program is None else (*program.inputs, *program.outputs)
    sizes = {port.name: {"sizes": list(port.sizes), "type": port.type} for port in ports}
    steps = {} if program is None else {name: list(bounds) for name, bounds in program.steps.items()}
    info = read_run(run.folder).info
    return {
        "dlrun": __version__,
        "run": info.name,
        "spec.hash": info.tags.get("spec.hash"),
        "inputs": {
            name: {
                **sizes.get(name, {}),
                "fields": entry["fields"],
                "columns": entry["columns"],
                "encoders": [
                    {"step": written[one["index"]].written(), "learned": one["learned"]} for one in entry["encoders"]
                ],
            }
            for name, entry in columns.items()
        },
        "steps": steps,
        "outputs": {output.name: {**sizes.get(output.name, {}), **_meaning(output)} for output in run.outputs}
        | {name: {**sizes.get(name, {}), **meaning} for one in run.outputs for name, meaning in _decided(one)},
    }


def _meaning(output: TrainedOutput) -> dict[str, Any]:
    if output.kind == "numbers":
        return {"are": "numbers", "fields": list(output.fields)}
    are = "probabilities" if output.are_probabilities else "scores"
    if output.kind == "yes_or_no":
        return {"are": are, "fields": list(output.fields)}
    return {"are": are, "field": output.fields[0], "classes": list(output.labels)}


def _decided(output: TrainedOutput) -> Iterator[tuple[str, dict[str, Any]]]:
    """The output with the decisions: numbers of classes, and the number behind these for a rejected row."""
    if (decision := output.decision) is not None:
        about = {"are": "class numbers", "field": output.fields[0], "classes": list(decision.labels)}
        rejection = {"rejected": len(decision.labels)} if decision.rejects else {}
        numbers = {"kind": decision.kind, "factors": decision.factors, "costs": decision.costs}
        yield decision_of(output), {**about, **rejection, **numbers, "threshold": decision.threshold}


def as_text(found: Description) -> str:
    """The description as it is kept inside a file."""
    return json.dumps(found, ensure_ascii=False)
