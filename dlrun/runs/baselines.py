"""baselines.json: how simpler methods did on the rows of a run, and whether the network is worth it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from dlrun.errors import RunError
from dlrun.runs import durable
from dlrun.runs.checksummed_json import as_json, verified, with_checksum

NAME = "baselines.json"


@dataclass(frozen=True, slots=True)
class BaselineResult:
    """One baseline's results."""

    name: str
    """Its kind, with a number where there are several of it."""
    settings: dict[str, str]
    """Its settings as texts, `rows` among them: the number of training rows that it learned from."""
    started: int
    """Milliseconds since 1970; no two results of a run have the same, so that a tracker knows each by it."""
    ended: int
    metrics: dict[str, float] = field(default_factory=dict)
    """By name, such as `test/accuracy`; empty where there is trouble."""
    trouble: str = ""
    """Why there are no metrics; '' where there are."""
    remark: str = ""
    """What a reader of the metrics should know."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """A network beside its baselines."""

    split: str
    """The rows that decide: `test`, or `validation` where there are no others."""
    rows: int
    """How many rows that split has."""
    network: dict[str, float]
    """The network's figures on it, by the names of the baselines' metrics."""
    results: tuple[BaselineResult, ...] = ()
    verdict: str = ""
    """Whether the network is worth it, in one sentence."""
    complete: bool = False
    """Whether all baselines had their turn."""

    def value(self, result: BaselineResult, name: str) -> float:
        """A baseline's value of a metric on the split that decides; NaN where there is none."""
        return result.metrics.get(f"{self.split}/{name}", math.nan)


def write_comparison(folder: Path, comparison: Comparison) -> None:
    """Write baselines.json, whole or not at all.

    Raises:
        RunError: it cannot be written.
    """
    content = asdict(comparison)
    content["network"] = as_json(comparison.network)
    for result, entry in zip(comparison.results, content["results"], strict=True):
        entry["metrics"] = as_json(result.metrics)
    try:
        durable.replace_file(folder / NAME, [with_checksum(content)])
    except OSError as error:
        raise RunError(f"cannot write {folder / NAME}: {error.strerror}") from None


def read_comparison(folder: Path) -> Comparison | None:
    """What baselines.json holds; None where there is none.

    Raises:
        RunError: it is damaged.
    """
    try:
        content = verified(durable.read(folder / NAME))
        results = tuple(
            replace(BaselineResult(**entry), metrics=_as_numbers(entry["metrics"])) for entry in content["results"]
        )
        return Comparison(**{**content, "results": results, "network": _as_numbers(content["network"])})
    except FileNotFoundError:
        return None
    except OSError as error:
        raise RunError(f"cannot read {folder / NAME}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError) as error:
        raise RunError(f"{folder / NAME} is damaged: {error}") from None


def has_unfinished(folder: Path) -> bool:
    """Whether a run has baselines that were not computed."""
    try:
        comparison = read_comparison(folder)
    except RunError:  # it is damaged, so it is computed again
        return True
    return comparison is not None and not comparison.complete


def _as_numbers(metrics: Mapping[str, Any]) -> dict[str, float]:
    return {name: float(value) for name, value in metrics.items()}
