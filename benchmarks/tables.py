"""Time the reading of a table of 1,000,000 x 30 numbers, as whole processes, beside pyarrow and pandas.

    python benchmarks/tables.py [folder]

makes the files in the folder (by default a temporary one), 280 MB of csv and 250 MB of parquet, and reads each by every
reader in turn. Every line shows the CPU seconds and the peak memory of the reading alone, above a process that has
imported its libraries, and the ratio to pyarrow's reading of the same file into one array in the same round. The last
lines show what `dlrun check` takes of each file, beside a file of ten rows.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from multiprocessing import get_context
from pathlib import Path

ROWS, COLUMNS, ROUNDS = 1_000_000, 30, 3
BEGIN = """
import json, resource, sys
from pathlib import Path
import numpy as np
def used():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss
"""
END = """
seconds, peak = used()
print(json.dumps([seconds - before[0], (peak - before[1]) / 1024]))
"""
ARROW_CSV = """
import pyarrow as pa
from pyarrow import csv
before = used()
x, end = np.empty((1_000_000, 30)), 0
for part in csv.open_csv("big.csv"):
    start, end = end, end + part.num_rows
    for index in range(30):
        x[start:end, index] = part.column(index).to_numpy(zero_copy_only=False)
"""
ARROW_PARQUET = """
from pyarrow import parquet
before = used()
x, end = np.empty((1_000_000, 30)), 0
for part in parquet.ParquetFile("big.parquet").iter_batches():
    start, end = end, end + part.num_rows
    for index in range(30):
        x[start:end, index] = part.column(index).to_numpy(zero_copy_only=False)
"""
PANDAS = """
import pandas
before = used()
x = pandas.read_{0}("big.{0}").to_numpy()
"""
IN_MEMORY = """
import pyarrow.csv, pyarrow.parquet
from dlrun.components.sources import _rows
from dlrun.language.component import choose
_rows.WHOLE = 1 << 40
before = used()
table = choose("sources", {{"{0}": "big.{0}"}}).open(Path())
names = list(table.fields)
table.read(dict.fromkeys(names, ("features",)), {{}})
x = table.numbers(names)
"""
FIRST = """
import shutil
shutil.rmtree("cache", ignore_errors=True)
"""
TRAIN = """
import pyarrow.csv, pyarrow.parquet
from dlrun.data.load import load
from dlrun.language.component import choose, choose_some
from dlrun.language.experiment import DataSection, as_tuple
from dlrun.plan.describe_data import describe
before = used()
data = DataSection.read({{"source": choose("sources", {{"{0}": "big.{0}"}}), "target": ("x29",)}})
info = describe(data, as_tuple(choose_some("losses", ["mse"])), Path())
rows = load(data, info, 7)
"""
OURS = {"dlrun in memory": IN_MEMORY, "dlrun's first run": FIRST + TRAIN, "dlrun's second run": TRAIN}
READERS = {
    "csv": {"pyarrow": ARROW_CSV, "pandas": PANDAS, **OURS},
    "parquet": {"pyarrow": ARROW_PARQUET, "pandas": PANDAS, **OURS},
}
"""For each form what reads it; a run takes the source, the targets, the split and the digest, and the cache."""
LIMITS = {("csv", "dlrun's first run"): 1.25, ("parquet", "dlrun in memory"): 1.0}
SPEC = """
data: {{source: {{{kind}: {file}}}, target: x29, preprocess: [standardize]}}
model: {{layers: [linear: 1]}}
loss: mse
optimizer: adam
tracking: off
"""


def make(folder: Path) -> None:
    """The files, unless they are there."""
    import numpy as np
    import pyarrow as pa
    from pyarrow import parquet

    if (folder / "big.parquet").exists():
        return
    x = np.round(np.random.default_rng(0).normal(size=(ROWS, COLUMNS)), 6)
    names = [f"x{index}" for index in range(COLUMNS)]
    with (folder / "big.csv").open("w") as stream:
        stream.write(",".join(names) + "\n")
        for start in range(0, ROWS, 50_000):
            stream.writelines(",".join(map(repr, row)) + "\n" for row in x[start : start + 50_000].tolist())
    with (folder / "big.csv").open() as stream, (folder / "small.csv").open("w") as small:
        small.writelines(stream.readline() for _ in range(11))
    parquet.write_table(pa.table(dict(zip(names, x.T, strict=True))), folder / "big.parquet")


def read(code: str, folder: Path) -> tuple[float, float]:
    """CPU seconds and peak MiB of one reading."""
    process = subprocess.run(
        [sys.executable, "-c", BEGIN + code + END],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "DLRUN_CACHE": str(folder / "cache")},
    )
    seconds, peak = json.loads(process.stdout)
    return seconds, peak


def check(kind: str, file: str, folder: Path) -> float:
    """CPU seconds of `dlrun check`, the least of a few."""
    (folder / "check.yaml").write_text(SPEC.format(kind=kind, file=file))
    found = []
    for _ in range(2 * ROUNDS):
        command = [sys.executable, "-m", "dlrun", "check", "check.yaml"]
        process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
        found.append(usage.ru_utime + usage.ru_stime)
    return min(found)


def main(folder: Path) -> None:
    maker = get_context("spawn").Process(target=make, args=(folder,))  # else its memory counts as that of the readers
    maker.start()
    maker.join()
    print(f"{ROUNDS} rounds, Python {sys.version.split()[0]}, {os.cpu_count()} cores")
    print(f"{'file':<8} {'reader':<18} {'CPU s':>6} {'peak MiB':>9} {'ratio':>6} {'limit':>6}")
    for form, readers in READERS.items():
        found: dict[str, list[tuple[float, float]]] = {name: [] for name in readers}
        for _ in range(ROUNDS):
            for name, code in readers.items():
                found[name].append(read(code.format(form) if "{0}" in code else code, folder))
        for name, runs in found.items():
            seconds, peak = statistics.median(run[0] for run in runs), max(run[1] for run in runs)
            ratio = statistics.median(own[0] / peer[0] for own, peer in zip(runs, found["pyarrow"], strict=True))
            limit = LIMITS.get((form, name))
            print(
                f"{form:<8} {name:<18} {seconds:>6.2f} {peak:>9.0f} {ratio:>6.2f} {f'{limit:.2f}' if limit else '':>6}"
            )
    least = check("csv", "small.csv", folder)
    for kind in READERS:
        more = check(kind, f"big.{kind}", folder) - least
        print(f"dlrun check big.{kind}: {more:.2f} CPU s more than the {least:.2f} s for a file of ten rows")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as temporary:
            main(Path(temporary))
