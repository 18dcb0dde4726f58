"""Whole runs by the real command line, in processes that have torch loaded when they begin, and what ends them.

Loading torch takes seconds, which thousands of runs need not spend each: one process loads it, runs nothing, and forks.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from sklearn.datasets import load_digits

from dlrun.runs.checkpoints import Checkpoints
from dlrun.runs.info import Record
from dlrun.runs.journal import read_journal
from dlrun.runs.run_json import closed_run

MANY = int(os.environ.get("DLRUN_FAULTS", "0"))
"""How many random moments; 0 for the quick share, 2000 for the whole."""

KILLED = -signal.SIGKILL
TRAIN = ("train", "spec.yaml", "--runs")
AFTER_STEP = """
import os, signal, dlrun.training.lifecycle.checkpointing as k
keep = k.CheckpointPolicy.{method}
def keeping(self, training):
    keep(self, training)
    if training.state.step == {step}:
        os.kill(os.getpid(), signal.SIGKILL)
k.CheckpointPolicy.{method} = keeping
"""
"""SIGKILL once a step is done and its checkpoint written."""

SPEC = """
name: digits
seed: 3
data:
  source: {csv: digits.csv}
  target: digit
  split: {validation: 0.2, test: 0.2}
  preprocess: [standardize]
  augment: [random_crop: {padding: 1}, random_horizontal_flip, mixup: 0.2]
model:
  input: [1, 8, 8]
  layers:
    - conv2d: {out_channels: 4, kernel_size: 3, padding: same}
    - batch_norm
    - relu
    - max_pool2d: 2
    - flatten
    - dropout: 0.3
    - linear: $classes
loss: cross_entropy
metrics: [accuracy, f1, roc_auc]
regularizers: [l2: 1e-4]
constraints: [max_norm: 1]
optimizer: {adamw: {lr: 0.02}}
schedule: {cosine_annealing: {warmup: 1 epoch}}
train:
  epochs: 3
  batch_size: 12
  accumulate: 2
  device: cpu
  clip_grad_norm: 1.0
  clip_grad_value: 0.5
  average: {ema: 0.8}
  early_stopping: {patience: 50}
  checkpoint: {every: 4 steps}
tracking: off
"""
"""Three epochs of six steps of two batches; checkpoints fall inside epochs (4, 8, 16), on the end of one (12) and on
the end (18)."""

CAPTURED = {
    "wide": """
  input: [1, 8, 8]
  layers:
    - conv2d: {out_channels: 16, kernel_size: 3, padding: same}
    - relu
    - flatten
    - dropout: 0.25
    - linear: 1536
    - relu
    - linear: $classes
optimizer: {adam: {lr: 0.002}}
""",
    "narrow": """
  layers: [{linear: 32}, layer_norm, relu, {dropout: 0.5}, {linear: 32}, {dropout: 0.3}, {linear: $classes}]
optimizer: {rmsprop: {lr: 0.002}}
""",
    "grouped": """
  layers: [{linear: 32}, layer_norm, relu, {dropout: 0.5}, {linear: 32}, {dropout: 0.3}, {linear: $classes}]
optimizer: [nadam: {weights: "*.bias"}, radam: {weights: "linear_*"}, lion: {}]
""",
    "unfreezing": """
  layers: [{linear: 32}, batch_norm, relu, {linear: 32}, relu, {linear: $classes}]
  freeze: {names: [linear_1, batch_norm_1], until: 1.8 epochs}
optimizer: {adam: {lr: 0.002}}
""",
    "trunk": """
  layers: [{linear: 32}, {batch_norm: {name: norm}}, relu, {dropout: 0.3}, {linear: 32}, relu, {linear: $classes}]
  freeze: [linear_1, norm]
optimizer: {adam: {lr: 0.002}}
""",
    "following": """
  layers: [{linear: 32}, relu, {linear: $classes}]
optimizer:
  - muon: {weights: linear_1.weight, schedule: {reduce_on_plateau: {patience: 0, threshold: 0.5, factor: 0.5}}}
  - adam: {schedule: {cyclic: {base_lr: 1e-4, step_size_up: 5 steps}}}
""",
    "searching": """
  layers: [{linear: 8}, batch_norm, tanh, {dropout: 0.3}, {linear: $classes}]
optimizer: {lbfgs: {history_size: 5}}
""",
}
"""Networks whose steps are captured in a run's second epoch: one of 1.6 million weights, one with its optimizer, one
with three optimizers, one with weights that are frozen at first, one with rates that change, one with a trunk that is
computed once, and one whose loss is computed several times in a step, which is of all rows."""


def captured_spec(network: str) -> str:
    """A run of 48 steps, of which the first 20 and those that follow a resume are computed as they are written."""
    length = "epochs: 48, batch_size: full" if network == "searching" else "epochs: 4, batch_size: 12"
    return f"""
name: {network}
seed: 4
data: {{source: {{csv: digits.csv}}, target: digit, split: {{validation: 0.2, test: 0.2}}, preprocess: [standardize]}}
model:{CAPTURED[network]}
loss: cross_entropy
metrics: [accuracy]
train: {{{length}, device: cpu, early_stopping: {{patience: 50}}, checkpoint: {{every: 5 steps}}}}
tracking: off
"""


PROGRAM = """
import json, os, pathlib, random, signal, socket, sys, time, traceback, warnings
import faults
import dlrun.commands.app, dlrun.checks.check, dlrun.training.lifecycle.run, dlrun.training.lifecycle.resume
import numpy, rich._emoji_codes, safetensors.torch, sklearn.metrics, torch, torch._inductor.config, torch.fx
from dlrun.__main__ import main
dlrun.checks.check.check(pathlib.Path(sys.argv[2]), (), training=True)  # brings in the kinds
mother = socket.socket(fileno=int(sys.argv[1]))
signal.signal(signal.SIGINT, signal.SIG_DFL)  # what a child does with it before dlrun is there is not dlrun's

def act(order):
    sys.argv = ["dlrun", *order["arguments"]]
    os.chdir(order["folder"])
    random.seed()
    numpy.random.seed()
    exec(order["before"], {})  # a line of a test's, such as one that makes a step fail
    code = 0
    with faults.faults(order["mode"], order["at"]) as faulty:
        try:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            main()
        except SystemExit as end:
            code = end.code or 0
        except BaseException:
            traceback.print_exc()
            code = 99
        finally:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
    if order["mode"] == "count":
        os.write(3, json.dumps(faulty.calls).encode())
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)

for line in mother.makefile():
    order = json.loads(line)
    said, counted = os.memfd_create("said"), os.memfd_create("counted")
    begun = time.perf_counter()
    child = os.fork()
    if not child:
        os.dup2(said, 1)
        os.dup2(said, 2)
        os.dup2(counted, 3)
        try:
            act(order)
        except KeyboardInterrupt:  # in the last moments, when dlrun is through
            os._exit(130)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(98)
    for after, number in order["signals"]:
        time.sleep(after)
        try:
            if os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
                os.kill(child, number)
        except ProcessLookupError:
            pass
    _, status = os.waitpid(child, 0)
    texts = []
    for descriptor in (said, counted):
        with os.fdopen(descriptor, "rb") as file:
            file.seek(0)
            texts.append(file.read().decode(errors="replace"))
    took = time.perf_counter() - begun
    answer = {"code": os.waitstatus_to_exitcode(status), "said": texts[0], "calls": texts[1], "took": took}
    mother.sendall(json.dumps(answer).encode() + b"\\n")
"""


@dataclass(frozen=True)
class Done:
    """A command that is over."""

    code: int
    """Its exit code; negative where a signal has killed it."""
    said: str
    calls: list[tuple[str, str]]
    """The durable operations and what each was done to; only of `count`."""
    took: float
    """Seconds."""


def write_digits(file: Path, change: float = 0.0) -> None:
    """240 handwritten digits as a table; `change` is added to the last pixel of the last row."""
    digits = load_digits()
    pixels = digits.data[:240].copy()
    pixels[-1, -1] += change
    names = [f"p{number}" for number in range(64)]
    lines = [",".join([*names, "digit"])]
    lines += [
        ",".join([*map(repr, row), str(label)]) for row, label in zip(pixels.tolist(), digits.target, strict=False)
    ]
    file.write_text("\n".join(lines))


class Program:
    """`dlrun`, as often as it is wanted."""

    def __init__(self, folder: Path):
        """`folder` is where the specs are, and where all commands are given."""
        self.folder = folder
        write_digits(folder / "digits.csv")
        (folder / "spec.yaml").write_text(SPEC)
        for network in CAPTURED:
            (folder / f"{network}.yaml").write_text(captured_spec(network))
        self._own, theirs = socket.socketpair()
        with theirs:
            paths = [str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]
            self._process = subprocess.Popen(
                [sys.executable, "-W", "ignore", "-c", PROGRAM, str(theirs.fileno()), str(folder / "spec.yaml")],
                pass_fds=[theirs.fileno()],
                env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": ":".join(filter(None, paths))},
            )
        self._answers = self._own.makefile()

    def __call__(
        self,
        *arguments: str | Path,
        mode: str = "count",
        at: int = 0,
        signals: Sequence[tuple[float, int]] = (),
        before: str = "",
    ) -> Done:
        """Give a command, with a fault, or with signals after so many seconds each."""
        order = {"folder": str(self.folder), "arguments": list(map(str, arguments)), "mode": mode, "at": at}
        order |= {"signals": list(signals), "before": before}
        self._own.sendall(json.dumps(order).encode() + b"\n")
        answer = json.loads(self._answers.readline())
        calls = [(name, about) for name, about in json.loads(answer["calls"] or "[]")]
        return Done(answer["code"], answer["said"], calls, answer["took"])

    def close(self) -> None:
        self._answers.close()
        self._own.close()
        self._process.wait()


def the_run(runs: Path) -> Path | None:
    """The only run of a folder of runs, if it has begun; one without run.json has not."""
    found = [path for path in runs.glob("*") if (path / "run.json").is_file()]
    assert len(found) <= 1
    return found[0] if found else None


def status_of(folder: Path) -> str:
    """What became of a run that nobody trains, as the next command finds it."""
    closed = closed_run(folder)
    assert closed is not None, "somebody still trains it"
    return closed.status


@dataclass(frozen=True)
class Result:
    """All that a run leaves, but for times."""

    status: str
    test: dict[str, Any]
    last: bytes
    best: bytes
    journal: list[tuple[Any, ...]]
    """Each line's epoch, step and figures, to the last bit."""
    checkpoint: dict[str, Any]
    """What the last checkpoint holds, tensors as bytes."""
    files: list[str]


def result_of(folder: Path) -> Result:
    """What a run has left."""
    told = json.loads((folder / "run.json").read_text())
    return Result(
        told["status"],
        told.get("test", {}),
        (folder / "last.safetensors").read_bytes(),
        (folder / "best.safetensors").read_bytes(),
        [line_of(record) for record in read_journal(folder / "metrics.jsonl")],
        _held(folder),
        sorted(path.name for path in folder.iterdir() if not path.is_dir()),
    )


def line_of(record: Record) -> tuple[Any, ...]:
    metrics = {name: value for name, value in record.metrics.items() if not name.startswith("time/")}
    return record.epoch, record.step, {name: repr(value) for name, value in metrics.items()}, len(record.metrics)


def _held(folder: Path) -> dict[str, Any]:
    newest = Checkpoints(folder).newest()
    assert newest is not None
    # No step draws from Python's and NumPy's generators, and every process begins with others; what the journal weighs
    # depends on times; a spec that is resumed has absolute paths.
    apart = ("seconds", "python", "numpy", "journal", "settings")
    held: dict[str, Any] = {name: value for name, value in newest.state.items() if name not in apart}
    for group, tensors in newest.tensors.items():
        for name, tensor in tensors.items():
            held[f"{group}/{name}"] = (
                str(tensor.dtype),
                tensor.contiguous().flatten().view(torch.uint8).numpy().tobytes(),
            )
    return held


def differences(found: Result, wanted: Result) -> list[str]:
    """In what two runs differ; nothing where they are one."""
    names = ("status", "test", "last", "best", "journal", "files")
    differing = [name for name in names if getattr(found, name) != getattr(wanted, name)]
    keys = found.checkpoint.keys() | wanted.checkpoint.keys()
    for key in sorted(keys):
        if repr(found.checkpoint.get(key)) != repr(wanted.checkpoint.get(key)):
            differing.append(f"checkpoint {key}")
    return differing


def spread(count: int, most: int) -> list[int]:
    """At most `most` of the numbers from 1 to `count`, evenly spread, the first and the last among them."""
    if most >= count:
        return list(range(1, count + 1))
    return sorted({round(1 + place * (count - 1) / max(1, most - 1)) for place in range(most)})


def of_each_kind(calls: Sequence[tuple[str, str]], most: int) -> list[int]:
    """Operations to break: the first of each kind on each kind of file, and others spread over all; numbers from 1."""
    first: dict[tuple[str, str], int] = {}
    for number, call in enumerate(calls, 1):
        first.setdefault(call, number)
    return sorted({*first.values(), *spread(len(calls), most)})


def resumed(program: Program, runs: Path, alone: Result) -> str:
    """Resume what was interrupted and hold it against the run that was left alone; gives what was said."""
    folder = the_run(runs)
    if folder is None:
        # All that a run begins with was not there yet: there is nothing to go on with, and that is said.
        for path in [*runs.iterdir(), "last"]:
            refused = program("resume", path, "--runs", runs)
            assert refused.code == 2, refused.said
            assert "is not the folder of a run" in refused.said or "there are no runs" in refused.said, refused.said
            assert not the_run(runs)
        return ""
    done = program("resume", "last", "--runs", runs)
    assert done.code == 0, done.said
    assert "not what it was" not in done.said and "damaged" not in done.said, done.said
    assert not (differing := differences(result_of(folder), alone)), differing
    return done.said


def killed(program: Program, runs: Path, step: int, *overrides: str, method: str = "after_step") -> Path:
    """The folder of a run that was killed after a step."""
    done = program(*TRAIN, runs, *overrides, before=AFTER_STEP.format(step=step, method=method))
    folder = the_run(runs)
    assert done.code == KILLED and folder is not None, done.said
    return folder


def tell(text: str) -> None:
    """A line for whoever counts; `pytest -s` shows it."""
    sys.stdout.write(f"  {text}\n")
