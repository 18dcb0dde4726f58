"""Time `dlrun predict` on 1,000,000 rows of 30 numbers, beside reading them and the forward pass alone.

    python benchmarks/predict.py [folder]

makes the files in the folder (by default a temporary one): 280 MB of csv, and a run of a 30-64-64-3 network. Each round
times, each in a process of its own and with an empty cache, the reading of the rows as `predict` reads them, the
forward pass over batches that are in memory, and `predict` with a csv as its output. A line shows the CPU seconds of
each above the imports, the ratio of `predict` to the sum of the two others, and its peak memory, with the imports.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROWS, COLUMNS, ROUNDS, MOST_RATIO, MOST_MEGABYTES = 1_000_000, 30, 3, 1.5, 500
SPEC = """
name: rows
data: {source: {csv: small.csv}, target: kind, split: {validation: 0.2}, preprocess: [standardize]}
model: {layers: [linear: 64, relu, linear: 64, relu, linear: $classes]}
loss: cross_entropy
optimizer: adam
train: {epochs: 2, device: cpu}
baselines: off
tracking: off
"""
BEGIN = """
import json, resource, shutil
from pathlib import Path
import torch
from dlrun.runs.find import find_run
from dlrun.trained.predict import BLOCK, predict
from dlrun.trained.rows import NewRows, source_of
from dlrun.trained.run import open_run
from dlrun.trained.write import writer
shutil.rmtree("cache", ignore_errors=True)
run = open_run(find_run("last", Path("runs")))
network = run.network
with torch.inference_mode():
    network(torch.zeros(BLOCK, 30, dtype=torch.float64))
def used():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime
before = used()
"""
PARTS = {
    "reading": """
for numbers, inputs in NewRows(run, source_of(run, Path("big.csv"))).blocks(BLOCK):
    pass
""",
    "forward": f"""
rows = torch.randn({ROWS}, 30, dtype=torch.float64)
before = used()
with torch.inference_mode():
    for start in range(0, {ROWS}, BLOCK):
        network(rows[start : start + BLOCK])
""",
    "predict": """
with writer(Path("out.csv")) as write:
    for block in predict(run, NewRows(run, source_of(run, Path("big.csv")))):
        write.add(block)
""",
}
END = """
print(json.dumps([used() - before, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000]))
"""


def make(folder: Path) -> None:
    """The files, and the run."""
    import numpy as np
    import pyarrow as pa
    from pyarrow import csv

    random = np.random.default_rng(0)
    for name, rows in (("small", 2000), ("big", ROWS)):
        columns = {f"x{column}": random.normal(size=rows).astype(np.float32) for column in range(COLUMNS)}
        kinds = np.array(["low", "middle", "high"])[np.digitize(columns["x0"] + columns["x1"], [-0.6, 0.6])]
        csv.write_csv(pa.table({**columns, "kind": kinds}), folder / f"{name}.csv")
    (folder / "rows.yaml").write_text(SPEC)
    subprocess.run(
        [sys.executable, "-m", "dlrun", "train", "rows.yaml"], cwd=folder, check=True, stdout=subprocess.DEVNULL
    )


def measured(folder: Path, part: str) -> tuple[float, float]:
    """The CPU seconds of a part, and the peak memory of its process in MB."""
    environment = {**os.environ, "DLRUN_CACHE": str(folder / "cache")}
    program = [sys.executable, "-c", BEGIN + PARTS[part] + END]
    done = subprocess.run(program, cwd=folder, env=environment, capture_output=True, text=True, check=True)
    seconds, megabytes = json.loads(done.stdout)
    return seconds, megabytes


def main(folder: Path) -> None:
    """Make the files, and print a line for each round and the medians."""
    make(folder)
    ratios, peaks = [], []
    for number in range(1, ROUNDS + 1):
        seconds = {}
        for part in PARTS:
            seconds[part], peak = measured(folder, part)
        ratios.append(seconds["predict"] / (seconds["reading"] + seconds["forward"]))
        peaks.append(peak)
        shown = ", ".join(f"{part} {value:.2f} s" for part, value in seconds.items())
        print(f"round {number}: {shown}; ratio {ratios[-1]:.2f}, peak {peak:.0f} MB")
    ratio, peak = statistics.median(ratios), max(peaks)
    print(f"ratio {ratio:.2f} (at most {MOST_RATIO}), peak {peak:.0f} MB (at most {MOST_MEGABYTES})")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]).resolve())
    else:
        with tempfile.TemporaryDirectory() as temporary:
            main(Path(temporary))
