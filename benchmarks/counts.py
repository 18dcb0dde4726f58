"""Count what a training step and a command cost; the counts do not depend on the machine's speed or load.

    python benchmarks/counts.py

For a training step: torch's operators (both those that call others and those that are called), reads that wait for the
device, bytes allocated for tensors, calls of Python functions and of C functions. Each is the difference of two runs of
the same spec, one on more rows than the other, divided by the difference in steps, so that the costs of the start, the
end and the epochs cancel out. For each kind that takes part in a step: the operators and reads of a plain step with
it. For each command: how many modules it imports, and which heavy ones.
tests/test_counts.py checks bounds of some of these counts.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
SPECS = ROOT / "specs"
HEAVY = ("torch", "mlflow", "sklearn", "pandas", "scipy", "numpy")
READS = ("aten::_local_scalar_dense", "aten::nonzero")
"""Operators that wait for the device: `item`, `bool` and `int` of a tensor end in the first."""
EPOCHS, BATCH, VALIDATION = 2, 128, 64
STEPS = 120, 200
"""Steps per epoch of the two runs."""

NETWORKS = {
    "tabular": {
        "shape": (20,),
        "classes": 2,
        "layers": ["linear: 64", "relu", "dropout: 0.5", "linear: 64", "relu", "dropout: 0.5", "linear: 1"],
        "loss": "binary_cross_entropy",
        "optimizer": "rmsprop: {lr: 1e-3}",
    },
    "cnn": {
        "shape": (1, 8, 8),
        "classes": 4,
        "layers": [
            *("conv2d: {out_channels: 8, kernel_size: 3, padding: 1}", "batch_norm", "relu", "max_pool2d: 2"),
            *("flatten", "linear: 4"),
        ],
        "loss": "cross_entropy",
        "optimizer": "adam: {lr: 1e-3}",
    },
}

TARGETS = {
    "binary": ("{moons: {rows: 200, noise: 0.3}}", 1, "binary_cross_entropy"),
    "classes": ("{sklearn: digits}", 10, "cross_entropy"),
    "numbers": ("{sklearn: diabetes}", 1, "mse"),
}
"""For each way in which a loss or a metric reads a target: a source, how many outputs there are, and a loss."""

COMMANDS = {
    "--help": ["--help"],
    "train --help": ["train", "--help"],
    "check": ["check", str(SPECS / "digits_residual.yaml")],
    "params": ["params", str(SPECS / "digits_residual.yaml")],
    "draw": ["draw", str(SPECS / "digits_residual.yaml"), "--format", "mermaid"],
    "kinds": ["kinds"],
    "kinds conv2d": ["kinds", "conv2d"],
    "schema": ["schema"],
}


def write(network: str, steps: int, folder: Path) -> Path:
    """Write a spec and its rows, for this number of steps per epoch."""
    import numpy as np

    described, rows = NETWORKS[network], steps * BATCH + VALIDATION
    random = np.random.default_rng(1)
    x = random.standard_normal((rows, *described["shape"]), dtype=np.float32)
    np.savez(folder / f"{network}{steps}.npz", x=x, y=np.arange(rows) % described["classes"])
    lines = [
        f"name: {network}",
        f"data: {{source: {{npz: {network}{steps}.npz}}, features: x, target: y,",
        f"       split: {{validation: $({VALIDATION}/{rows}), test: 0}}}}",
        "model:",
        "  layers:",
        *(f"    - {layer}" for layer in described["layers"]),
        f"loss: {described['loss']}",
        "metrics: [accuracy]",
        f"optimizer: {{{described['optimizer']}}}",
        f"train: {{epochs: {EPOCHS}, batch_size: {BATCH}, early_stopping: {{patience: 1000000}}}}",
        "tracking: off",
    ]
    spec = folder / f"{network}{steps}.yaml"
    spec.write_text("\n".join(lines) + "\n")
    return spec


def in_a_step(network: str) -> dict[str, float]:
    """The counts of one training step of a network, by name."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        found = []
        for steps in STEPS:
            run = ["train", str(write(network, steps, folder)), "--runs", str(folder / "runs")]
            found.append(_child("operators", run) | _child("calls", run))
    few, many = found
    return {what: (many[what] - few[what]) / ((STEPS[1] - STEPS[0]) * EPOCHS) for what in many}


OF_SEQUENCES = ("ctc", "dice")
"""Losses for several classes in each row; torch's ctc reads the lengths of the sequences back."""
OWN_NETS = {
    "nll": ("layers: [linear: 10, log_softmax]", "nll"),
    "gaussian_nll": (
        "outputs: [mean, spread], layers: [linear: {out_features: 1, name: mean}, input: input, linear: 1, "
        "softplus: {name: spread}]",
        "{gaussian_nll: {output: mean, variance: spread}}",
    ),
    "kl_divergence": (
        "outputs: [mean, teacher], layers: [linear: {out_features: 5, name: mean}, input: input, linear: 5, "
        "softmax: {name: teacher}]",
        "{kl_divergence: {output: mean, target: teacher}}",
    ),
}
"""The networks of losses that take outputs of a form of their own, and how these are written."""


def with_each_kind(family: str, folder: Path) -> dict[str, dict[str, int]]:
    """By kind of a family, the operators and reads of one plain step of a small network that has the kind."""
    from dlrun.language.kinds import kinds

    return {kind: with_kind(family, kind, folder) for kind in kinds(family) if kind not in OF_SEQUENCES}


def with_kind(family: str, kind: str, folder: Path) -> dict[str, int]:
    """The operators and reads of one plain step of a small network that has a kind.

    Reads inside a kernel do not count: on a processor, that of adam reads how many steps there were from memory.
    """
    import torch

    from dlrun.checks.check import check
    from dlrun.training.lifecycle.setup import prepare_training
    from dlrun.training.speed.fast_step import FastStep

    spec = folder / f"{kind}.yaml"
    spec.write_text("\n".join(_spec_with(family, kind)) + "\n")
    task = prepare_training(check(spec, training=True)).task
    step, rows = FastStep(task), task.data.train
    moves = [(group.optimizer, group.optimizer.lr) for group in task.groups]

    def one_step() -> None:
        step(task.augment(rows, 0, torch.arange(32, device=rows.device)), moves)

    for _ in range(2):  # the first step makes what the others need
        one_step()
    return {"operators": operators_of(one_step)["operators"], "reads": reads_of(one_step)}


def _spec_with(family: str, kind: str) -> list[str]:
    """A spec with a kind of a family: with its defaults, or as in its example where settings have none."""
    from pydantic import ValidationError

    from dlrun.components.optimizers import SearchingOptimizer
    from dlrun.language.component import choose
    from dlrun.language.kinds import find

    cls: Any = find(family, kind)
    written = kind
    try:
        choose(family, kind)
    except ValidationError:
        (example,) = (line.partition(":")[2].strip() for line in cls.__doc__.splitlines() if "Example:" in line)
        written = f"{{{example}}}"
    wants = {"losses": lambda: cls.wants, "metrics": lambda: min(cls.suits)}.get(family, lambda: "classes")()
    source, outputs, loss = TARGETS[wants]
    layers = f"layers: [linear: 8, tanh, linear: {outputs}]"
    if family == "losses" and kind in OWN_NETS:
        layers, written = OWN_NETS[kind]
    alone = family == "optimizers" and issubclass(cls, SearchingOptimizer)
    sections = {
        "optimizers": f"optimizer: {kind}" if alone else f"optimizer: [{kind}: {{weights: '*.weight'}}, sgd]",
        "losses": f"loss: {written}",
    }
    return [
        f"data: {{source: {source}, preprocess: [standardize], split: {{test: 0}}}}",
        f"model: {{{layers}}}",
        f"train: {{device: cpu, batch_size: {'full' if alone else 32}}}",
        sections.get(family, f"{family}: [{written}]"),
        *([] if family == "optimizers" else ["optimizer: rmsprop"]),
        *([] if family == "losses" else [f"loss: {loss}"]),
    ]


def imported_by(command: list[str]) -> list[str]:
    """The modules that a command has imported at its end."""
    return _child("modules", command)


def _child(what: str, command: list[str]) -> Any:
    """Run a dlrun command in a fresh process and count."""
    call = [sys.executable, __file__, "--child", what, json.dumps(command)]
    paths = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(call, capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": paths})
    if done.returncode:
        raise SystemExit(f"dlrun {' '.join(command)} ended with {done.returncode}: {done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def _dlrun(command: list[str]) -> None:
    """Run the command line in this process."""
    sys.argv = ["dlrun", *command]
    from dlrun.__main__ import main as run

    try:
        run()
    except SystemExit as end:
        if end.code:
            raise


def modules_after(work: Callable[[], object]) -> list[str]:
    """The modules that are imported after `work`."""
    work()
    return sorted(sys.modules)


def calls_of(work: Callable[[], object]) -> dict[str, int]:
    """The calls in this thread during `work`."""
    counted = {"call": 0, "c_call": 0}

    def note(frame: object, event: str, argument: object) -> None:
        if event in counted:
            counted[event] += 1

    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(None)
    return {"Python calls": counted["call"], "C calls": counted["c_call"]}


def operators_of(work: Callable[[], object]) -> dict[str, int]:
    """The operators and the tensor memory during `work`, from torch's profiler."""
    import torch

    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profile:
        work()
    counted = {"operators": 0, "reads": 0, "bytes": 0}
    for event in profile.profiler.kineto_results.events():
        if event.name() == "[memory]":
            counted["bytes"] += max(0, event.nbytes())
        elif event.name().startswith("aten::"):
            counted["operators"] += 1
            counted["reads"] += event.name() in READS
    return counted


def reads_of(work: Callable[[], object]) -> int:
    """The reads that wait for the device during `work`, without those inside of kernels."""
    from torch.utils._python_dispatch import TorchDispatchMode

    class Counting(TorchDispatchMode):
        reads = 0

        def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            self.reads += function._schema.name in READS
            return function(*args, **(kwargs or {}))

    with Counting() as counting:
        work()
    return counting.reads


FAMILIES = ("optimizers", "losses", "regularizers", "constraints", "metrics")
"""The families whose kinds take part in a step."""


def main() -> None:
    if sys.argv[1:2] == ["--child"]:
        count = {"modules": modules_after, "calls": calls_of, "operators": operators_of}[sys.argv[2]]
        counted = count(lambda: _dlrun(json.loads(sys.argv[3])))
        print("\n" + json.dumps(counted))
        return
    print("in a step")
    print(f"{'network':<14} {'operators':>10} {'reads':>7} {'bytes':>12} {'Python calls':>13} {'C calls':>9}")
    for name in NETWORKS:
        step = in_a_step(name)
        print(
            f"{name:<14} {step['operators']:10.1f} {step['reads']:7.2f} {step['bytes']:12,.0f} "
            f"{step['Python calls']:13.1f} {step['C calls']:9.1f}"
        )
    with tempfile.TemporaryDirectory() as name:
        for family in FAMILIES:
            print(f"\n{'a step with ' + family:<28} {'operators':>10} {'reads':>7}")
            for kind, step in with_each_kind(family, Path(name)).items():
                print(f"{kind:<28} {step['operators']:10} {step['reads']:7}")
    print(f"\n{'command':<14} {'modules':>8}  heavy ones")
    with tempfile.TemporaryDirectory() as folder:
        training = ["train", str(write("tabular", 2, Path(folder))), "--runs", str(Path(folder) / "runs")]
        for name, command in {**COMMANDS, "train": training}.items():
            modules = imported_by(command)
            heavy = [package for package in HEAVY if package in modules]
            print(f"{name:<14} {len(modules):8}  {', '.join(heavy)}")


if __name__ == "__main__":
    main()
