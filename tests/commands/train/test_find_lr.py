"""What `dlrun train --find-lr` shows and writes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

SPEC = """
data: {source: {sklearn: iris}, preprocess: [standardize]%s}
model: {layers: [linear: 8, tanh, linear: $classes]}
loss: cross_entropy
optimizer: %s
"""


def find(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "dlrun", "train", "spec.yaml", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_it_shows_a_curve_and_two_rates_and_writes_the_picture_alone(tmp_path: Path) -> None:
    (tmp_path / "spec.yaml").write_text(SPEC % (", split: {folds: 3}", "adam"))
    done = find(tmp_path, "--find-lr", "--output", "found.svg")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0] == "the loss over the learning rate" and lines[14].split()[0] == "1.0e-07"
    assert [line.partition("  ")[2].partition(",")[0] for line in lines[-2:]] == [
        "where the loss falls fastest",
        "a tenth of the rate with the least loss",
    ]
    assert all(1e-4 < float(line.split()[1]) < 2 for line in lines[-2:])
    assert sorted(file.name for file in tmp_path.iterdir()) == ["found.svg", "spec.yaml"]
    assert ElementTree.parse(tmp_path / "found.svg").getroot().tag.endswith("svg")


def test_a_loss_that_never_falls_has_no_suggestion(tmp_path: Path) -> None:
    (tmp_path / "spec.yaml").write_text(SPEC % ("", "[sgd: {weights: '*.bias', lr: 1e-30}, sgd: {lr: 1e-30}]"))
    frozen = ["model.layers=[{linear: {out_features: $classes, init: zeros}}]", "optimizer={sgd: {lr: 1}}"]
    done = find(tmp_path, "--find-lr", *frozen, "loss={cross_entropy: {coefficient: 1e-30}}")
    assert done.returncode == 0
    assert done.stdout.splitlines()[-1] == "the loss did not fall at any rate, so there is nothing to suggest"


def test_an_optimizer_that_searches_has_no_rate_to_find(tmp_path: Path) -> None:
    (tmp_path / "spec.yaml").write_text(SPEC % ("", "lbfgs") + "train: {batch_size: full}\n")
    done = find(tmp_path, "--find-lr")
    assert done.returncode == 2 and done.stdout == ""
    assert "error: there is no learning rate to find for lbfgs\n --> spec.yaml:5:12  optimizer" in done.stderr
    assert "= help: leave `lr` at 1; its line search finds the rate of each step" in done.stderr


def test_a_picture_needs_a_test_and_a_format_for_curves(tmp_path: Path) -> None:
    (tmp_path / "spec.yaml").write_text(SPEC % ("", "adam"))
    for arguments, message in (
        (["-o", "x.svg"], "a picture is drawn of a range test alone"),
        (["--find-lr", "-o", "x.dot"], "a range test is not drawn as dot"),
        (["--find-lr", "-o", "no/x.svg"], "there is no folder no"),
        (["--find-lr", "-o", "spec.yaml"], "the ending of spec.yaml is not that of a format"),
    ):
        done = find(tmp_path, *arguments)
        assert done.returncode == 2 and message in done.stderr, done.stderr
        assert [file.name for file in tmp_path.iterdir()] == ["spec.yaml"]
