"""Compare dlrun with its peers on the same works: time, whole runs, memory, growth.

    python benchmarks/peers [--quick] [--works mlp,cnn] [--peers plain,keras-jax] [--rounds 3] [--epochs 8]
                            [--parts speed,whole,memory,growth] [--largest 1e6] [--folder FOLDER] [--json FILE]
                            [--device cuda] [--here] [--without-tracking]

It needs only Python: it creates an environment in the folder, which is temporary by default; a folder that you give is
used again. With `--here` it uses the interpreter that runs this script, and installs nothing. Peers that cannot be
installed are named and left out; with `--device cuda`, peers without a loop for a GPU are left out. Every contender is
a fresh process each time, one after the other, and each round runs all of them, so that a change in the machine's load
affects all alike.

dlrun trains with everything on: metrics, journal, MLflow with a fresh store, validation on a tenth more rows, early
stopping that never stops. The others only train. The time of an epoch is from the end of the epoch before to its own
end; for dlrun these are the times of its journal's lines, so validation and writing are included. The first two epochs
(of charlm one, of the tabular work 25) are not counted; of the tabular work 25 epochs are timed together. `best` is the
fastest such group of all rounds, `median` the median.

The limit is the time that the matrix products need at the measured speed of a product, or that the memory traffic needs
at the measured speed of a copy, whichever is longer; works.py explains what is counted.
"""

from __future__ import annotations

import argparse
import json
import platform
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import growth
import machine
import tables
from children import FailedError, Memory, call, dlrun, peer, python
from environment import PEERS, Environment, say
from works import WORKS

HERE = Path(__file__).parent
OWN = "dlrun"
PARTS = ("speed", "whole", "memory", "growth")
WHOLE_EPOCHS = 20


def options() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--works", default=",".join(WORKS), help="the works to run")
    parser.add_argument("--peers", default=",".join(PEERS), help="the peers to run; `plain` is always included")
    parser.add_argument("--parts", default=",".join(PARTS), help="the parts to run")
    parser.add_argument("--rounds", type=int, default=3, help="how often each contender is run")
    parser.add_argument("--epochs", type=int, help="epochs of every work, instead of its own number")
    parser.add_argument("--largest", type=float, default=1e6, help="rows of the largest file; 1e7 needs several GB")
    parser.add_argument("--folder", type=Path, help="where the environment and the arrays are kept")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu", help="the device to train on")
    parser.add_argument("--here", action="store_true", help="use the running interpreter; install nothing")
    parser.add_argument("--without-tracking", action="store_true", help="dlrun trains with `tracking: off`")
    parser.add_argument("--json", type=Path, help="a file for all measurements")
    parser.add_argument("--quick", action="store_true", help="one round of few epochs, to see whether everything runs")
    given = parser.parse_args()
    for name, known in (("works", WORKS), ("peers", PEERS), ("parts", PARTS)):
        chosen = [word for word in getattr(given, name).split(",") if word]
        if unknown := sorted(set(chosen) - set(known)):
            parser.error(f"--{name}: unknown {', '.join(unknown)}; choose from {', '.join(known)}")
        setattr(given, name, chosen)
    given.peers = [name for name in dict.fromkeys(["plain", *given.peers]) if given.device in PEERS[name].devices]
    if given.quick:
        given.rounds, given.epochs, given.largest = 1, given.epochs or 3, 1e4
    return given


def main() -> None:
    given = options()
    with tempfile.TemporaryDirectory(prefix="dlrun-peers-") as temporary:
        folder = (given.folder or Path(temporary)).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        Benchmark(given, folder).run()


class Benchmark:
    """Runs the parts, collects their measurements and prints them."""

    def __init__(self, given: argparse.Namespace, folder: Path):
        self.given, self.folder = given, folder
        self.environment = Environment(folder, given.here)
        self.measured: dict[str, Any] = {}

    def run(self) -> None:
        """Run every chosen part."""
        given = self.given
        for name, why in self.environment.install(given.peers).items():
            given.peers.remove(name)
            print(f"left out: {name}, which cannot be installed here ({why})")
        self._arrays()
        self.measured["load before"] = machine.load()
        for part in given.parts:
            getattr(self, f"_{part}")()
            if given.json:
                given.json.write_text(json.dumps(self.measured, indent=1))
        print(f"\nload of the machine before the start: {self.measured['load before']:.2f}")

    def _arrays(self) -> None:
        call([str(self.environment.python), str(HERE / "arrays.py"), str(self.folder)], HERE)
        for name in WORKS:
            (self.folder / f"{name}.yaml").write_text((HERE / "specs" / f"{name}.yaml").read_text())

    def _speed(self) -> None:
        given = self.given
        contenders = [*given.peers, OWN]
        results: tables.Results = {work: {name: [] for name in contenders} for work in given.works}
        limits = []
        for turn in range(given.rounds):
            limits.append(python(self.environment, HERE / "limits.py", given.device).report)
            for work in given.works:
                for name in contenders:
                    say(f"round {turn + 1} of {given.rounds}: {work}, {name}")
                    if report := self._one(work, name, given.epochs or WORKS[work].epochs):
                        results[work][name].append(report)
        gflops, gigabytes = (max(limit[what] for limit in limits) for what in ("gflops", "gigabytes"))
        self.measured |= {"speed": results, "limits": limits}
        versions = f"Python {platform.python_version()}; torch {limits[0]['torch']} with {limits[0]['threads']} threads"
        speeds = f"matrix products {gflops:.0f} GFLOP/s, copies {gigabytes:.1f} GB/s (read and written)"
        print(f"\n{machine.describe()}; {versions}; {speeds}")
        print(
            f"\n## Best seconds per epoch, and ratio to the plain loop\n\n{tables.overview(results, gflops, gigabytes)}"
        )
        print(f"\n## Seconds per epoch, {given.rounds} rounds\n\n{tables.speed(results, gflops, gigabytes)}")
        same, wrong = tables.sameness(results)
        print(f"\n## Do all contenders train the same network?\n\n{same}\n")
        print(
            "\n".join(f"NOT THE SAME: {what}" for what in wrong)
            or "The numbers of weights are equal, and the losses are close."
        )
        self.measured["not the same"] = wrong

    def _one(self, work: str, name: str, epochs: int, watch: bool = False) -> dict[str, Any] | None:
        """A contender's report of a work; None if it fails, and then the error is printed."""
        try:
            if name == OWN:
                overrides = [f"train.epochs={epochs}", f"train.device={self.given.device}"]
                overrides += ["tracking=off"] if self.given.without_tracking else []
                done = dlrun(self.environment, self.folder / f"{work}.yaml", *overrides, watch=watch)
            else:
                done = peer(self.environment, name, self._given(work, epochs), watch)
        except FailedError as error:
            print(f"{name} failed on {work}: {error}")
            return None
        return {**done.report, "seconds": done.seconds, "memory": asdict(done.memory)}

    def _given(self, work: str, epochs: int) -> tuple[object, ...]:
        known = WORKS[work]
        return work, self.folder / f"{work}.npz", known.rows, known.batch, epochs, self.given.device

    def _whole(self) -> None:
        seconds: dict[str, list[float]] = {"plain": [], OWN: []}
        for turn in range(self.given.rounds + 1):  # the first loads the files into the cache and is not counted
            for name, own in seconds.items():
                say(f"whole runs, round {turn} of {self.given.rounds}: {name}")
                report = self._one("tabular", name, WHOLE_EPOCHS)
                if report and turn:
                    own.append(report["seconds"])
        self.measured["whole"] = seconds
        print(f"\n## Whole runs, with a fresh MLflow store, {self.given.rounds} rounds\n")
        print(tables.whole(seconds) if all(seconds.values()) else "nothing to compare")

    def _memory(self) -> None:
        found: dict[str, dict[str, tuple[float, float]]] = {}
        for work in self.given.works:
            found[work] = {}
            for name in ("plain", OWN):
                say(f"memory: {work}, {name}")
                if report := self._one(work, name, WHOLE_EPOCHS if work == "tabular" else 3, watch=True):
                    peak = Memory(**report["memory"])
                    found[work][name] = peak.own, peak.tree
        self.measured["memory"] = found
        print("\n## Peak memory\n")
        print(tables.memory(found) if all("plain" in own for own in found.values()) else "nothing to compare")

    def _growth(self) -> None:
        rows = [10**power for power in range(3, 10) if 10**power <= self.given.largest]
        layers, epochs = ([2, 20], 20) if self.given.quick else ([2, 10, 50, 200], 300)
        by_rows = growth.by_rows(self.environment, self.folder / "rows", rows)
        by_layers = growth.by_layers(self.environment, self.folder / "layers", layers, epochs)
        self.measured["growth"] = {"rows": by_rows, "layers": [asdict(one) for one in by_layers]}
        print(f"\n## Growth with the number of rows, tabular\n\n{tables.rows_growth(by_rows)}")
        print(f"\n## Growth with the number of layers\n\n{tables.layers_growth(by_layers)}")


if __name__ == "__main__":
    main()
