"""The public face: `import dlrun`."""

from __future__ import annotations

import os
import random
import re
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from places import DOCS, ROOT, SPECS

import dlrun
from dlrun.errors import SpecError, visible

SMALL = SPECS / "iris_logistic.yaml"
WIDE = """
data: {source: {sklearn: digits}, preprocess: [standardize]}
model: {layers: [{linear: 2048}, relu, {dropout: 0.2}, {linear: $classes}]}
loss: cross_entropy
optimizer: {adam: {lr: 1e-3}}
train: {epochs: 2, batch_size: 128}
"""


def test_the_public_names_are_these_and_the_docs_list_them() -> None:
    names = {"DlrunError", "RunError", "SpecError", "check", "load_network", "read_run", "train"}
    assert set(dlrun.__all__) == names | {"__version__"} == set(dir(dlrun))
    page = (DOCS / "python.md").read_text()
    assert {name for name in names if not re.search(rf"^\| `{name}[(`]", page, re.M)} == set()
    assert all(getattr(dlrun, name).__doc__ for name in names)
    with pytest.raises(AttributeError, match="has no attribute 'trian'"):
        dlrun.trian  # noqa: B018


def test_importing_checking_and_reading_import_no_torch(tmp_path: Path) -> None:
    dlrun.train(SMALL, "train.epochs=1", "tracking=off", runs=tmp_path)
    program = f"""
import sys, dlrun
assert not {{name for name in sys.modules if name.startswith("dlrun.")}}
dlrun.check({str(SMALL)!r})
assert dlrun.read_run("last", {str(tmp_path)!r}).status == "FINISHED"
assert "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_the_example_of_the_docs_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (block,) = re.findall(r"```python\n(.*?)```", (DOCS / "python.md").read_text(), re.S)
    (tmp_path / "specs").symlink_to(ROOT / "specs")
    monkeypatch.chdir(tmp_path)
    found: dict[str, object] = {}
    exec(block, found)
    checked, outcome, run, network = (found[name] for name in ("checked", "outcome", "run", "network"))
    assert checked.plan.total == 15  # type: ignore[attr-defined]
    assert outcome.status == "FINISHED"  # type: ignore[attr-defined]
    assert len(run.metric("train/loss")) == 5  # type: ignore[attr-defined]
    assert run.metric("test/loss") == [outcome.test["loss"]]  # type: ignore[attr-defined]
    assert network(torch.zeros(2, 4)).shape == (2, 3)  # type: ignore[operator]


def test_a_bad_spec_raises_every_problem(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("model: {input: 4, layers: [{linaer: 3}]}\ntrian: {epochs: 1}\n")
    with pytest.raises(dlrun.SpecError) as raised:
        dlrun.check(tmp_path / "bad.yaml")
    assert len(raised.value.problems) == 2
    with pytest.raises(dlrun.SpecError, match="there is no run nothing"):
        dlrun.read_run("nothing", tmp_path)


def settings_of_the_process() -> list[object]:
    """Everything that a run changes while it lasts."""
    return [
        torch.get_num_threads(),
        torch.get_float32_matmul_precision(),
        torch.get_deterministic_debug_mode(),
        torch.backends.cudnn.allow_tf32,
        torch.utils.deterministic.fill_uninitialized_memory,  # type: ignore[attr-defined]
        list(warnings.filters),
        torch.get_rng_state().tolist(),
        random.getstate(),
        repr(np.random.get_state()),
    ]


def test_runs_in_one_process_end_in_the_same_bits_in_any_order(tmp_path: Path) -> None:
    # The small one takes one thread and the wide one as many as there are, so that the one could change the other.
    wide = tmp_path / "wide.yaml"
    wide.write_text(WIDE)
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    before = settings_of_the_process()
    ended: dict[Path, list[tuple[dict[str, torch.Tensor], list[float]]]] = {SMALL: [], wide: []}
    try:
        for spec in (SMALL, wide, wide, SMALL):
            torch.rand(3)  # whatever else the process does with the generators
            torch.set_rng_state(torch.tensor(before[6], dtype=torch.uint8))
            outcome = dlrun.train(spec, "tracking=off", "train.device=cpu", runs=tmp_path / "runs")
            assert settings_of_the_process() == before
            losses = dlrun.read_run(outcome.folder).metric("train/loss")
            ended[spec].append((dlrun.load_network(outcome.folder).state_dict(), losses))
            assert settings_of_the_process() == before
    finally:
        torch.set_num_threads(threads)
    for (first, losses), (second, other_losses) in ended.values():
        assert losses == other_losses
        assert all(torch.equal(first[name], second[name]) for name in first)


SEVERAL = "error: WORLD_SIZE is 2: a run is trained by one process, not by several"


def test_one_of_several_processes_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dlrun.train(SMALL, "train.epochs=1", "tracking=off", runs=tmp_path / "runs")
    (run,) = (tmp_path / "runs").iterdir()
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(dlrun.SpecError) as refused:
        dlrun.train(SMALL, "tracking=off", runs=tmp_path / "runs")
    assert str(refused.value).splitlines()[0] == SEVERAL
    longer = ["resume", str(run), "train.epochs=2"]
    for command in (["train", str(SMALL), "tracking=off"], longer):
        done = subprocess.run([sys.executable, "-m", "dlrun", *command], cwd=tmp_path, capture_output=True, text=True)
        assert (done.returncode, done.stdout, done.stderr.splitlines()[0]) == (2, "", SEVERAL)
    assert [run] == list((tmp_path / "runs").iterdir())
    assert len(dlrun.read_run(run).metric("train/loss")) == 1
    monkeypatch.setenv("WORLD_SIZE", "1")
    subprocess.run([sys.executable, "-m", "dlrun", *longer], cwd=tmp_path, check=True, capture_output=True)
    assert len(dlrun.read_run(run).metric("train/loss")) == 2


NO_PATHS = {"NUL": "a\0b", "long": "x" * 5000, "no text": "\ud800"}


@pytest.mark.parametrize("text", NO_PATHS.values(), ids=NO_PATHS)
@pytest.mark.parametrize("argument", ["check", "spec", "runs", "run", "runs of a run", "network"])
def test_a_text_that_can_be_no_path_is_one_error(tmp_path: Path, argument: str, text: str) -> None:
    spec = tmp_path / "spec.yaml"
    spec.write_text("data: {source: {sklearn: iris}}\nmodel: {layers: [linear: $classes]}\nloss: cross_entropy\n")
    with pytest.raises(SpecError) as caught:
        {
            "check": lambda: dlrun.check(text),
            "spec": lambda: dlrun.train(text, runs=tmp_path),
            "runs": lambda: dlrun.train(spec, "optimizer=sgd", "train.epochs=1", runs=text),
            "run": lambda: dlrun.read_run(text, runs=tmp_path),
            "runs of a run": lambda: dlrun.read_run("last", runs=text),
            "network": lambda: dlrun.load_network(text),
        }[argument]()
    assert len(caught.value.problems) == 1
    assert visible(str(caught.value)) == str(caught.value)


def test_what_would_wait_for_another_process_is_no_file(tmp_path: Path) -> None:
    if not hasattr(os, "mkfifo"):
        pytest.skip("no pipes with names here")
    os.mkfifo(tmp_path / "pipe")
    spec = tmp_path / "spec.yaml"
    for text in ("extends: pipe\n", "model: {input: [3], layers: [linear: 2], weights: ./pipe}\n"):
        spec.write_text(text)
        with pytest.raises(SpecError, match="pipe is not a file"):
            dlrun.check(spec)
