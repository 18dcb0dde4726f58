"""No file that a command reads can run code, watched by the interpreter's own audit events."""

from __future__ import annotations

import ast
import json
import os
import pickle
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from whole_runs import KILLED, MANY, SPEC, TRAIN, Done, Program, Result, differences, result_of, tell, the_run

from dlrun.commands.look.ui import _page

WATCH = """
import json, os, sys
log = os.open({log!r}, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
def hook(event, args):
    if event == "compile":
        source = args[0]
        if isinstance(source, (bytes, bytearray)):
            source = bytes(source).decode(errors="replace")
        told = [source if isinstance(source, str) else None, str(args[1])]
    elif event == "exec":
        told = [str(getattr(args[0], "co_filename", None)), repr(getattr(args[0], "co_consts", None))]
    elif event.startswith(("pickle.", "subprocess.", "os.system", "os.exec", "os.posix_spawn", "os.spawn")):
        told = [str(arg) for arg in args[:2]]
    else:
        return
    os.write(log, json.dumps([event, *told]).encode() + b"\\n")
sys.addaudithook(hook)
"""
CANARY = "canary"
"""Stands in whatever a user names, so that it is known again where it is compiled."""

HOSTILE = """
name: canary-run
description: "canary __import__('os').system('touch planted')"
seed: 3
vars: {canary_width: 5}
blocks:
  canary_block:
    parameters: {canary_size: null}
    layers:
      - linear: {name: canary_inner, out_features: $canary_size}
      - tanh
data:
  source: {csv: canary.csv}
  features: {canary_left: [canary_0, canary_1], canary_right: ["canary'];import os #"]}
  target: canary_kind
  split: {validation: 0.2, test: 0.2}
  preprocess: [{standardize: {input: canary_left}}]
model:
  inputs: {canary_left: [2], canary_right: [1]}
  layers:
    - concat: [[], canary_right]
    - canary_block: $canary_width
    - linear: {name: canary-with-dash, out_features: $(canary_width + 1)}
    - relu: {name: canary_relu}
    - linear: {name: canary_last, out_features: $classes}
loss: cross_entropy
metrics: [accuracy]
optimizer: {adam: {lr: 0.01}}
train: {epochs: 2, batch_size: 8, device: cpu, checkpoint: {every: 3 steps}}
tracking: off
"""


@pytest.fixture
def place(program: Program) -> Iterator[Path]:
    folder = program.folder / "hostile"
    folder.mkdir()
    (folder / "spec.yaml").write_text(HOSTILE)
    rows = [f"{i % 7},{i % 5},{i % 3},canary{'ab'[i % 2]}');import os" for i in range(60)]
    (folder / "canary.csv").write_text("\n".join(["canary_0,canary_1,canary'];import os #,canary_kind", *rows]))
    yield folder
    shutil.rmtree(folder)


def watched(program: Program, place: Path, *arguments: Any, before: str = "") -> tuple[Done, list[list[str]]]:
    """A command, and what it compiled, executed, unpickled and started."""
    log = place / "audit.jsonl"
    log.unlink(missing_ok=True)
    done = program(*arguments, before=WATCH.format(log=str(log)) + before)
    return done, [json.loads(line) for line in log.read_text().splitlines()]


ALLOWED = (ast.Module, ast.FunctionDef, ast.arguments, ast.arg, ast.Assign, ast.Return, ast.Expr, ast.Name, ast.Load)
ALLOWED += (ast.Store, ast.Attribute, ast.Call, ast.Constant, ast.Tuple, ast.List, ast.Dict, ast.keyword, ast.UnaryOp)
ALLOWED += (ast.USub, ast.Import, ast.ImportFrom, ast.alias, ast.AnnAssign)


def hold_to(events: list[list[str]], allowed: tuple[str, ...] = ()) -> int:
    """Nothing was unpickled, nothing started but what is allowed, and no text of a user's executed.

    Names stand in the straight-line code that torch.fx writes; gives how often they were met there.
    """
    met = 0
    for event, *told in events:
        assert event in ("compile", "exec", "subprocess.Popen"), (event, told)
        if event == "subprocess.Popen":
            assert told[0] in allowed, told
        elif event == "compile" and told[0] and CANARY in told[0]:
            assert told[1].startswith("<eval_with_key>"), told
            check_straight(told[0])
            met += 1
        elif event == "exec" and CANARY in told[1]:
            assert told[0].startswith("<eval_with_key>"), told
    return met


def check_straight(text: str) -> None:
    """Code that only calls the network's own modules, torch's functions and a tensor's methods."""
    tree = ast.parse(text)
    for node in ast.walk(tree):
        assert isinstance(node, ALLOWED), (ast.dump(node), text)
        if isinstance(node, ast.Import | ast.ImportFrom):
            assert CANARY not in ast.dump(node), text
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            assert node.value.isidentifier() or node.value.replace("-", "_").isidentifier(), text
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id in ("getattr",), text


def test_training_and_resuming_execute_nothing_that_they_read(program: Program, place: Path) -> None:
    spec, runs = place / "spec.yaml", place / "runs"
    met = 0
    commands = [
        ("check", spec),
        ("params", spec),
        ("draw", spec, "-o", place / "out.svg"),
        ("train", spec, "--runs", runs),
    ]
    for command in commands:
        done, events = watched(program, place, *command)
        assert done.code == 0, done.said
        met += hold_to(events)
    assert met, "the network's own code was not seen"
    done, events = watched(program, place, "resume", "last", "--runs", runs, "train.epochs=3")
    assert done.code == 0, done.said
    assert hold_to(events)
    assert not list(program.folder.rglob("planted"))
    tell(
        f"audited: {len(commands) + 1} commands; names of a spec stood in {met} compiled texts, all straight-line code"
    )


def test_the_watching_would_see_a_pickle_and_a_program(program: Program, place: Path) -> None:
    seen = "import pickle, subprocess, collections\npickle.loads(pickle.dumps(collections.Counter))\n"
    _, events = watched(program, place, "kinds", before=seen)
    with pytest.raises(AssertionError):
        hold_to(events)
    _, events = watched(program, place, "kinds", before="import subprocess\nsubprocess.run(['true'])\n")
    with pytest.raises(AssertionError):
        hold_to(events)
    _, events = watched(program, place, "kinds", before="eval('len(\"canary\")')\n")
    with pytest.raises(AssertionError):
        hold_to(events)


NAMES = [
    'x"); __import__("os").system("touch planted") #',
    "x');__import__('os').system('touch planted')#",
    "x\n    import os",
    "x\n",
    "../x",
    "x y",
    "x(1)",
    "x=1",
    "\u202ex",
    "x\0",
    "é",
    "__import__('os')",
    "lambda: 0",
    "",
]


@pytest.mark.parametrize("where", ["layer", "input", "variable", "block", "parameter", "run", "output"])
def test_a_name_that_is_code_is_refused(program: Program, place: Path, where: str) -> None:
    for name in NAMES:
        quoted = json.dumps(name)
        text = {
            "layer": HOSTILE.replace("name: canary_relu", f"name: {quoted}"),
            "input": HOSTILE.replace("canary_right", quoted),
            "variable": HOSTILE.replace("canary_width: 5", f"canary_width: 5, {quoted}: 1"),
            "block": HOSTILE.replace("canary_block:", f"{quoted}:"),
            "parameter": HOSTILE.replace("canary_size: null", f"{quoted}: 1, canary_size: null"),
            "run": HOSTILE.replace("canary-run", quoted),
            "output": HOSTILE.replace("  layers:\n    - concat", f"  outputs: [{quoted}]\n  layers:\n    - concat"),
        }[where]
        (place / "spec.yaml").write_text(text)
        done, events = watched(program, place, "train", place / "spec.yaml", "--runs", place / "runs")
        hold_to(events)
        assert done.code == 2 and "Traceback" not in done.said, (name, done.said)
        assert not list(program.folder.rglob("planted"))


class Planted:
    """Makes a file when it is unpickled."""

    def __init__(self, file: Path):
        self.file = file

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.file),)


FILES = [
    "run.json",
    "resolved.yaml",
    "metrics.jsonl",
    "labels.json",
    "preprocess.safetensors",
    "spec.yaml",
    "params.txt",
]
FILES += ["last.safetensors", "best.safetensors", "lock", "tracking.json"]
STEP = "checkpoints/step-000000008/"
FILES += [STEP + name for name in ("weights.safetensors", "state.json", "manifest.json", "optimizer.safetensors")]


def test_a_pickle_in_the_place_of_any_file_of_a_run_is_not_run(
    program: Program, alone: Result, runs: Path, place: Path
) -> None:
    assert program(*TRAIN, runs / "first", mode="kill", at=120).code == KILLED
    first = the_run(runs / "first")
    assert first is not None and (first / STEP).is_dir()
    planted = place / "planted"
    data = pickle.dumps(Planted(planted))
    said = {}
    for number, name in enumerate(FILES):
        folder = runs / str(number) / first.name
        shutil.copytree(first, folder)
        (folder / name).write_bytes(data)
        done, events = watched(program, place, "resume", folder)
        hold_to(events)
        assert "Traceback" not in done.said and done.code in (0, 1, 2), (name, done.said)
        said[name] = done
        assert not planted.exists()
        if done.code == 0:
            wanted = {"last", "files"} if name == "tracking.json" else {"files"}
            assert set(differences(result_of(folder), alone)) <= wanted, name
    refused = [name for name, done in said.items() if done.code]
    assert {"run.json", "resolved.yaml"} <= set(refused)
    passed = len(FILES) - len(refused)
    tell(f"pickles planted in {len(FILES)} files of a run: {len(refused)} refused, {passed} passed over or not read")


def test_a_pickle_in_the_place_of_a_spec_of_data_or_of_weights_is_refused(program: Program, place: Path) -> None:
    planted = place / "planted"
    data = pickle.dumps(Planted(planted))
    (place / "spec.yaml").write_text(HOSTILE.replace("canary.csv", "rows.csv"))
    (place / "rows.csv").write_bytes(data)
    (place / "npz.yaml").write_text(SPEC.replace("csv: digits.csv", "npz: rows.npz"))
    (place / "rows.npz").write_bytes(data)
    (place / "digits.csv").symlink_to(program.folder / "digits.csv")
    (place / "weights.yaml").write_text(SPEC)
    (place / "weights.safetensors").write_bytes(data)
    (place / "pickle.yaml").write_bytes(data)
    for command in ("check", "train"):
        own = ("--runs", place / "runs") if command == "train" else ()
        for spec in ("spec.yaml", "npz.yaml", "pickle.yaml", "weights.yaml"):
            more = ("model.weights=weights.safetensors",) if spec == "weights.yaml" else ()
            done, events = watched(program, place, command, place / spec, *more, *own)
            hold_to(events)
            assert done.code == 2 and "Traceback" not in done.said, (spec, done.said)
            assert not planted.exists()


def test_syncing_and_showing_execute_nothing_that_they_read(program: Program, runs: Path, place: Path) -> None:
    assert program(*TRAIN, runs).code == 0
    folder = the_run(runs)
    assert folder is not None
    planted = place / "planted"
    data = pickle.dumps(Planted(planted))
    store = f"sqlite:///{place / 'mlflow.db'}"
    for name in ("tracking.json", "labels.json"):
        (folder / name).write_bytes(data)
    done, events = watched(program, place, "sync", folder, "--to", store)
    assert done.code == 0, done.said
    unpickled = [told for event, *told in events if event == "pickle.find_class"]
    assert not unpickled and not planted.exists()
    (place / "mlflow.db").write_bytes(data)
    assert _page(place / "mlflow.db").startswith("experiments?")
    if MANY:  # loading MLflow takes its time
        done, events = watched(program, place, "sync", folder, "--to", store)
        assert done.code in (0, 1, 2) and "Traceback" not in done.said, done.said
        assert not [told for event, *told in events if event == "pickle.find_class"]
    assert not planted.exists()
