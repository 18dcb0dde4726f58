"""What must be as it was where a run is resumed or trained again: its settings, its data and where it starts from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dlrun.errors import SpecError
from dlrun.language.experiment import Experiment
from dlrun.language.paths import file_settings
from dlrun.runs.info import RunInfo

LENGTH = ("train.epochs", "train.steps")
"""The settings that may grow."""
BASELINES = "baselines"
"""The section that may change: the network does not depend on it."""
MOST = 6
"""How many differences are listed."""
WAY_OUT = "`dlrun train` starts a new run"


def check_settings(run: str, then: dict[str, str], now: dict[str, str], experiment: Experiment) -> None:
    """Refuse a spec that differs from that of the run `run`, except in a longer training and in where the data's files
    are.

    `now` are the settings of the experiment. Data that has moved has the same hash.

    Raises:
        SpecError: with what differs.
    """
    files = file_settings(experiment.need("data").source, "data.source")
    free = (*LENGTH, *files, *(name for name in {**then, **now} if name.partition(".")[0] == BASELINES))
    differing = [name for name in {**then, **now} if then.get(name) != now.get(name) and name not in free]
    if not differing:
        return
    shown = [f"{name} was {then.get(name, 'not given')}, now {now.get(name, 'not given')}" for name in differing[:MOST]]
    shown += [f"and {len(differing) - MOST} more"] if len(differing) > MOST else []
    what = "\n  ".join([f"the spec is not the one that {run} started with:", *shown])
    raise SpecError(f"{what}\n  only `train.epochs` or `train.steps` may grow; {WAY_OUT}")


def recorded(info: RunInfo) -> dict[str, Any]:
    """The hashes of the data and of its split, as run.json has them."""
    return {"data": info.tags.get("data.hash"), "split": info.tags.get("split.hash")}


def check_data(run: str, then: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Refuse other data, or another split of it, than a checkpoint or run.json of the run `run` has.

    Raises:
        SpecError: with what differs.
    """
    if then["data"] != now["data"]:
        what = f"the data is not what {run} started with: its SHA-256 was {then['data']}, now {now['data']}"
    elif then["split"] != now["split"]:
        what = f"the split of the rows is not the one that {run} started with"
    elif then.get("labels", now["labels"]) != now["labels"]:
        what = f"the classes are not those that {run} started with: {then['labels']}, now {now['labels']}"
    else:
        return
    raise SpecError(f"{what}\n  {WAY_OUT}")


def check_weights(run: str, info: RunInfo, now: str) -> None:
    """Refuse to start from another file than the run `run` started from.

    Raises:
        SpecError: with both hashes.
    """
    then = info.tags.get("weights.hash", "")
    if then != now:
        what = f"the file in `model.weights` is not the one that {run} started from"
        raise SpecError(f"{what}: its SHA-256 was {then}, now {now}\n  {WAY_OUT}")
