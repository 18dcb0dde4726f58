"""Format the measurements as Markdown tables."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import Any

from growth import Overhead
from works import KERAS_WEIGHTS, WORKS, Work

CLOSE = 0.05
"""The largest allowed difference to the plain loop's loss, as a share of the plain loop's loss after one epoch."""

Results = dict[str, dict[str, list[dict[str, Any]]]]
"""The reports of all rounds, by work and contender."""


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; the first column is text, the others are numbers."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def windows(stamps: Sequence[float], skipped: int, width: int) -> list[float]:
    """Seconds per epoch in each group of `width` epochs, after the skipped ones."""
    starts = range(min(skipped, len(stamps) - 1 - width), len(stamps) - width, width)
    return [(stamps[start + width] - stamps[start]) / width for start in starts]


def times(work: Work, runs: Sequence[dict[str, Any]]) -> list[float]:
    """The times of every group of every round."""
    return [s for run in runs for s in windows(run["stamps"], *fitting(work, len(run["stamps"]) - 1))]


def fitting(work: Work, epochs: int) -> tuple[int, int]:
    """How many epochs are skipped and how many are timed together; fewer if a run is short."""
    return min(work.skipped, epochs // 3), max(1, min(work.window, epochs // 3))


def overview(results: Results, gflops: float, gigabytes: float) -> str:
    """One row per work: each contender's best seconds per epoch, and the ratio to the plain loop's."""
    contenders = list(next(iter(results.values())))
    rows = []
    for name, runs in results.items():
        best = {contender: min(own) for contender in contenders if (own := times(WORKS[name], runs[contender]))}
        best["limit"] = WORKS[name].limit(gflops, gigabytes)
        plain = best.get("plain", math.nan)
        cells = (best.get(contender, math.nan) for contender in [*contenders, "limit"])
        rows.append([name, *(f"{seconds:.3g} ({seconds / plain:.2f})" for seconds in cells)])
    return table(["work", *contenders, "*limit*"], rows).replace("nan (nan)", "-")


def speed(results: Results, gflops: float, gigabytes: float) -> str:
    """Best and median seconds per epoch, their ratio to the plain loop's, and the share of the limit."""
    head = ["work", "contender", "best s", "median s", "best / plain", "median / plain", "share of the limit"]
    rows = []
    for name, contenders in results.items():
        work, plain = WORKS[name], times(WORKS[name], contenders.get("plain", []))
        limit = work.limit(gflops, gigabytes)
        for contender, runs in contenders.items():
            if own := times(work, runs):
                best, median = min(own), statistics.median(own)
                ratios = [f"{best / min(plain):.2f}", f"{median / statistics.median(plain):.2f}"] if plain else ["", ""]
                rows.append([name, contender, f"{best:.4f}", f"{median:.4f}", *ratios, f"{limit / best:.1%}"])
        rows.append([name, "*limit*", f"{limit:.4f}", "", f"{limit / min(plain):.2f}" if plain else "", "", ""])
    return table(head, rows)


def sameness(results: Results) -> tuple[str, list[str]]:
    """Weights and losses of each contender, and a sentence for each that is not as expected."""
    head = ["work", "contender", "weights", "loss early", "loss in the second half"]
    rows, wrong = [], []
    for name, contenders in results.items():
        plain = contenders.get("plain", [])
        for contender, runs in contenders.items():
            if not runs:
                continue
            weights, expected = runs[0]["weights"], WORKS[name].weights
            expected += KERAS_WEIGHTS.get(name, 0) if contender.startswith("keras") else 0
            if weights != expected:
                wrong.append(f"{contender} on {name} has {weights:,} weights instead of {expected:,}")
            early, late = losses(runs)
            for what, own, others in zip(
                ("early", "late"), (early, late), losses(plain) if plain else (), strict=False
            ):
                if not abs(own - others) <= CLOSE * statistics.mean(run["losses"][0] for run in plain):
                    wrong.append(
                        f"{contender} on {name}: its {what} loss is {own:.4f}, the plain loop's is {others:.4f}"
                    )
            rows.append([name, contender, f"{weights:,}", f"{early:.4f}", f"{late:.4f}"])
    return table(head, rows), wrong


def losses(runs: Sequence[dict[str, Any]]) -> tuple[float, float]:
    """The mean over all rounds of the loss in the second tenth of the epochs, and of the median of the second half.

    The median, because Adam's loss jumps up now and then once the network fits all rows, with every contender.
    """
    epochs = min(len(run["losses"]) for run in runs)
    tenth = max(1, epochs // 10)
    early = [statistics.mean(run["losses"][tenth : 2 * tenth] or run["losses"][:1]) for run in runs]
    late = [statistics.median(run["losses"][-max(1, epochs // 2) :]) for run in runs]
    return statistics.mean(early), statistics.mean(late)


def whole(seconds: dict[str, list[float]]) -> str:
    """Whole runs: best and median, and their ratio to the plain script's."""
    plain, rows = seconds["plain"], []
    for name, own in seconds.items():
        best, median = min(own), statistics.median(own)
        ratios = (f"{best / min(plain):.2f}", f"{median / statistics.median(plain):.2f}")
        rows.append([name, f"{best:.2f}", f"{median:.2f}", *ratios])
    return table(["tabular, 20 epochs", "best s", "median s", "best / plain", "median / plain"], rows)


def memory(found: dict[str, dict[str, tuple[float, float]]]) -> str:
    """Peak memory by work and contender."""
    rows = []
    for work, contenders in found.items():
        for name, (own, tree) in contenders.items():
            ratio = own / contenders["plain"][0]
            rows.append([work, name, f"{own:.0f}", f"{ratio:.2f}", f"{tree:.0f}"])
    return table(["work", "contender", "process, MB", "/ plain", "with its child processes, MB"], rows)


def rows_growth(found: dict[int, float]) -> str:
    """Time per sample by number of rows."""
    return table(["rows", "us per sample"], [[f"{rows:,}", f"{seconds * 1e6:.2f}"] for rows, seconds in found.items()])


def layers_growth(found: Sequence[Overhead]) -> str:
    """The overhead of an epoch by number of layers."""
    rows = [[str(o.layers), f"{o.bare * 1e3:.2f}", f"{o.full * 1e3:.2f}"] for o in found]
    return table(["layers", "epoch without its steps, ms", "with validation and early stopping, ms"], rows)
