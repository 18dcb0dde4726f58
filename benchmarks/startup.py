"""Time the commands that need no torch, as whole processes, compared with the import of torch.

    python benchmarks/startup.py [rounds]

Every round runs each command once, in turn, so that a change in the machine's load affects all of them alike. The
output shows the medians, the median over the rounds of the ratio to `import torch`, and the largest peak memory.
`dlrun runs` lists a thousand folders: copies of a run that is trained first.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SPEC = str(Path(__file__).parent / "specs" / "vgg16.yaml")
PYTHON = sys.executable
COMMANDS = {
    "import torch": [PYTHON, "-c", "import torch"],
    "dlrun --help": [PYTHON, "-m", "dlrun", "--help"],
    "dlrun check vgg16": [PYTHON, "-m", "dlrun", "check", SPEC],
    "dlrun params vgg16": [PYTHON, "-m", "dlrun", "params", SPEC],
    "dlrun kinds": [PYTHON, "-m", "dlrun", "kinds"],
    "dlrun schema": [PYTHON, "-m", "dlrun", "schema"],
}
TRAINED = str(Path(__file__).parents[1] / "specs" / "iris_logistic.yaml")
RUNS = 1000
LISTING = f"dlrun runs, {RUNS:,}"
LIMITS = {"dlrun --help": 1 / 4, "dlrun check vgg16": 1 / 3, "dlrun params vgg16": 1 / 3, LISTING: 1 / 2}
MEMORY_LIMIT = {"dlrun check vgg16": 80, "dlrun params vgg16": 80}


def measure(command: list[str]) -> tuple[float, float]:
    """Seconds and peak MB (10**6 bytes) of one run."""
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    return seconds, usage.ru_maxrss * 1024 / 1e6


def copied_runs(folder: Path) -> Path:
    """A folder of many runs: one that is trained, and copies of it."""
    train = [PYTHON, "-m", "dlrun", "train", TRAINED, "tracking=off", "baselines=off", "--runs", str(folder / "one")]
    subprocess.run(train, stdout=subprocess.DEVNULL, check=True)
    (trained,) = (folder / "one").iterdir()
    for number in range(RUNS):
        shutil.copytree(trained, folder / "many" / f"{trained.name}-{number}")
    return folder / "many"


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        runs = copied_runs(Path(folder))
        compare({**COMMANDS, LISTING: [PYTHON, "-m", "dlrun", "runs", "--runs", str(runs)]})


def compare(commands: dict[str, list[str]]) -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 9
    for command in commands.values():  # load the files into the cache and compile the byte code
        measure(command)
    times: dict[str, list[float]] = {name: [] for name in commands}
    memory = dict.fromkeys(commands, 0.0)
    for _ in range(rounds):
        for name, command in commands.items():
            seconds, megabytes = measure(command)
            times[name].append(seconds)
            memory[name] = max(memory[name], megabytes)
    print(f"{rounds} rounds, Python {sys.version.split()[0]}, {os.cpu_count()} cores")
    print(f"{'command':<20} {'median s':>9} {'ratio':>7} {'limit':>7} {'peak MB':>8} {'limit':>5}")
    for name, seconds in times.items():
        ratios = [own / torch for own, torch in zip(seconds, times["import torch"], strict=True)]
        limit = f"{LIMITS[name]:.3f}" if name in LIMITS else ""
        print(
            f"{name:<20} {statistics.median(seconds):9.3f} {statistics.median(ratios):7.3f} {limit:>7} "
            f"{memory[name]:8.1f} {MEMORY_LIMIT.get(name, ''):>5}"
        )


if __name__ == "__main__":
    main()
