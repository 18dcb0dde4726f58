"""Rows in memory and rows in a file: the memory of a training, the time of its steps, and of its start.

    python benchmarks/rows.py --gigabytes 6 --folder /tmp

makes an npy file of that size, of random numbers, and trains a 784-512-512-10 network on it for a few hundred steps of
128 rows. It prints the peak of the memory beside that of a process that only imports torch; the time of a step with
rows from a file of 188 MB beside that with the same rows in memory; the share of a step that making a batch takes; and
the seconds until training begins, for the first run on the file and for a second one.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import textwrap
import time
from pathlib import Path

import numpy as np

WIDTH, BATCH = 784, 128
SPEC = """
data:
  source: {{npy: [{x}, {y}]}}
  features: {name}
  target: y{suffix}
  split: {{validation: 1000, test: 1000}}
model: {{layers: [linear: 512, relu, linear: 512, relu, linear: 10]}}
loss: cross_entropy
optimizer: {{sgd: {{lr: 1e-3}}}}
train: {{batch_size: 128, steps: {steps}}}
tracking: off
baselines: off
"""
RUN = """
import json, sys, time
began = time.perf_counter()
import torch
import dlrun
from dlrun.plan import memory
from dlrun.training import loop
spec, runs, limit = sys.argv[1], sys.argv[2], int(sys.argv[3])
if limit >= 0:
    memory.IN_MEMORY["cpu"] = limit
imported = time.perf_counter() - began
marks = {}
run = loop.Training.run
def timed(self):
    marks["ready"] = time.perf_counter()
    run(self)
    marks["trained"] = time.perf_counter()
    rows = self.task.data.train
    order = [self.order.part(start, start + 128) for start in range(0, 128 * 200, 128)]
    then = time.perf_counter()
    for part in order:
        rows.batch(part)
    marks["batch"] = (time.perf_counter() - then) / len(order)
loop.Training.run = timed
done = dlrun.train(spec, runs=runs)
peak = int(open("/proc/self/status").read().split("VmHWM:")[1].split()[0]) / 1024
print(json.dumps({
    "peak": peak, "start": marks["ready"] - began - imported, "train": marks["trained"] - marks["ready"],
    "batch": marks["batch"],
}))
"""
TORCH = """
import torch
torch.ones(9).sum()
print(int(open("/proc/self/status").read().split("VmHWM:")[1].split()[0]) / 1024)
"""
"""The peak is not `ru_maxrss`, which a process inherits from the one that started it."""


def make(folder: Path, suffix: str, rows: int) -> None:
    """Random rows, written part by part."""
    random = np.random.default_rng(0)
    x = np.lib.format.open_memmap(folder / f"x{suffix}.npy", "w+", np.float32, (rows, WIDTH))
    for start in range(0, rows, 65536):
        stop = min(start + 65536, rows)
        x[start:stop] = random.random((stop - start, WIDTH), np.float32)
    x.flush()
    np.save(folder / f"y{suffix}.npy", random.integers(0, 10, rows))


def trained(folder: Path, suffix: str, steps: int, limit: int = -1) -> dict[str, float]:
    """The figures of a training in a process of its own; rows of more than `limit` bytes stay in the file."""
    names = {"x": folder / f"x{suffix}.npy", "y": folder / f"y{suffix}.npy", "name": f"x{suffix}", "suffix": suffix}
    spec = folder / f"spec{suffix}.yaml"
    spec.write_text(SPEC.format(**names, steps=steps))
    with tempfile.TemporaryDirectory() as runs:
        command = [sys.executable, "-c", textwrap.dedent(RUN), str(spec), runs, str(limit)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1]) | {"steps": steps}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gigabytes", type=float, default=6)
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="where the files are made; they are removed at the end")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.folder) as name:
        folder = Path(name)
        alone = float(subprocess.run([sys.executable, "-c", TORCH], check=True, capture_output=True, text=True).stdout)
        make(folder, "_small", 60_000)
        pairs = []
        for _ in range(given.repeats):
            pairs.append([trained(folder, "_small", given.steps, limit) for limit in (1 << 40, 0)])
        ratios = sorted(file["train"] / memory["train"] for memory, file in pairs)
        shares = sorted(memory["batch"] * given.steps / memory["train"] for memory, _ in pairs)
        read = sorted(file["batch"] * 1e6 for _, file in pairs)
        print(f"a step with rows from a file / from memory: {', '.join(f'{ratio:.3f}' for ratio in ratios)}")
        print(f"share of a step that a batch from memory takes: {', '.join(f'{share:.1%}' for share in shares)}")
        print(f"a batch from a file: {', '.join(f'{one:.0f}' for one in read)} microseconds")
        began = time.perf_counter()
        make(folder, "_large", round(given.gigabytes * 2**30 / (4 * WIDTH)))
        print(f"{given.gigabytes:g} GiB written in {time.perf_counter() - began:.0f} s")
        for what in ("first", "second"):
            found = trained(folder, "_large", given.steps)
            print(
                f"{what} run: training begins {found['start']:.2f} s after the imports; peak {found['peak']:.0f} MiB, "
                f"{found['peak'] - alone:.0f} MiB above torch's {alone:.0f}"
            )


if __name__ == "__main__":
    main()
