"""Run a contender as its own process: its time, its report, and on request its memory."""

from __future__ import annotations

import json
import os
import re
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from environment import LOOPS, PEERS, Environment

MEASURE_EVERY = 0.05
"""Seconds between two measurements of a process's memory."""


class FailedError(Exception):
    """A contender failed."""


@dataclass
class Memory:
    """The peak memory, in MB (10**6 bytes)."""

    own: float = 0.0
    """Resident in the process itself: the kernel's peak value."""
    tree: float = 0.0
    """In the process and all processes that it started; shared memory counts once."""


@dataclass
class Done:
    """The result of a process."""

    seconds: float
    """From its start to its end."""
    report: dict[str, Any] = field(default_factory=dict)
    memory: Memory = field(default_factory=Memory)


def call(command: list[str], cwd: Path, watch: bool = False, **variables: str) -> tuple[Done, str]:
    """Run a command to its end; also returns its output.

    Raises:
        FailedError: its exit code is not 0.
    """
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        started = time.perf_counter()
        process = subprocess.Popen(command, cwd=cwd, stdout=output, stderr=errors, env={**os.environ, **variables})
        memory = Memory()
        watcher = threading.Thread(target=watch_memory, args=(process, memory)) if watch else None
        if watcher:
            watcher.start()
        code = process.wait()
        seconds = time.perf_counter() - started
        if watcher:
            watcher.join()
        output.seek(0)
        errors.seek(0)
        if code:
            raise FailedError(f"{' '.join(command[:2])} failed with exit code {code}: {errors.read().strip()[-400:]}")
        return Done(seconds, {}, memory), output.read()


def watch_memory(process: subprocess.Popen[bytes], memory: Memory) -> None:
    """Measure the memory of a process and of all that it started, until it ends."""
    while process.poll() is None:
        memory.own = max(memory.own, kilobytes(process.pid, "status", "VmHWM") / 1e3 * 1.024)
        tree = sum(kilobytes(pid, "smaps_rollup", "Pss") for pid in family(process.pid))
        memory.tree = max(memory.tree, tree / 1e3 * 1.024)
        time.sleep(MEASURE_EVERY)


def kilobytes(pid: int, file: str, name: str) -> int:
    """A value from /proc; 0 if the process is gone."""
    try:
        text = Path(f"/proc/{pid}/{file}").read_text()
    except OSError:
        return 0
    found = re.search(rf"^{name}:\s+(\d+)", text, re.M)
    return int(found[1]) if found else 0


def family(pid: int) -> list[int]:
    """A process and all its descendants."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(entry.read_text().rpartition(")")[2].split()[1])
        except (OSError, IndexError, ValueError):
            continue
        parents.setdefault(parent, []).append(int(entry.parent.name))
    found, todo = [], [pid]
    while todo:
        found.append(todo.pop())
        todo += parents.get(found[-1], [])
    return found


def python(environment: Environment, script: Path, *arguments: object, watch: bool = False, **variables: str) -> Done:
    """Run one of our scripts; its report is the JSON of its last line."""
    command = [str(environment.python), str(script), *map(str, arguments)]
    paths = os.environ.get("PYTHONPATH", "") if environment.here else ""
    done, output = call(command, script.parent, watch, PYTHONPATH=paths, **variables)
    done.report = json.loads(output.strip().splitlines()[-1])
    return done


def peer(environment: Environment, name: str, given: tuple[object, ...], watch: bool = False) -> Done:
    """Run a peer on a work; `given` is NAME FILE ROWS BATCH EPOCHS DEVICE."""
    chosen = PEERS[name]
    variables = {"KERAS_BACKEND": chosen.backend, "JAX_PLATFORMS": "cpu"} if chosen.backend else {}
    more = ["--together"] if given[0] in chosen.together else []
    return python(environment, LOOPS / chosen.loop, *given, *more, watch=watch, **variables)


def dlrun(environment: Environment, spec: Path, *overrides: str, watch: bool = False) -> Done:
    """Run `dlrun train` with a fresh store; the times of the epochs are those of the journal's lines."""
    with tempfile.TemporaryDirectory(dir=spec.parent) as runs:
        program = [str(environment.python), "-m", "dlrun"] if environment.here else [str(environment.bin / "dlrun")]
        command = [*program, "train", str(spec), *overrides, "--runs", runs]
        done, output = call(command, spec.parent, watch)
        journal = next(Path(runs).glob("*/metrics.jsonl"))
        lines = [json.loads(line) for line in journal.read_text().splitlines()]
    epochs = [line for line in lines if "train/loss" in line["metrics"]]
    first = epochs[0]["time"] / 1e3 - float(epochs[0]["metrics"]["time/epoch"])
    weights = re.search(r"([\d,]+) weights", output)
    done.report = {
        "stamps": [first, *(line["time"] / 1e3 for line in epochs)],
        "losses": [float(line["metrics"]["train/loss"]) for line in epochs],
        "training": [float(line["metrics"]["time/epoch"]) for line in epochs],
        "weights": int(weights[1].replace(",", "")) if weights else 0,
    }
    return done
