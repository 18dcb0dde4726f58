"""train, check and params as a user runs them: whole processes, their output and exit codes."""

import itertools
import json
import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from places import SPECS

IRIS = """
name: iris
data: {source: {sklearn: iris}, split: {stratify: true}, preprocess: [standardize]}
model: {layers: [{linear: 8}, relu, {linear: $classes}]}
loss: cross_entropy
metrics: [accuracy]
optimizer: {adam: {lr: 0.02}}
train: {epochs: 3, device: cpu}
baselines: [majority]
tracking: off
"""


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    file = tmp_path / "iris.yaml"
    file.write_text(IRIS)
    return file


def dlrun(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "dlrun", *arguments], capture_output=True, text=True, cwd=folder, timeout=300
    )


def test_train_shows_the_data_the_progress_and_the_folder_of_the_run(spec: Path) -> None:
    done = dlrun(spec.parent, "train", "iris.yaml")
    assert (done.returncode, done.stderr) == (0, "")
    assert "150 rows of (4,): 104 train, 23 validation, 23 test, 3 classes" not in done.stdout  # rounding: 106, 22, 22
    assert "150 rows of (4,): 106 train, 22 validation, 22 test, 3 classes" in done.stdout
    assert "(4,) -> standardize -> 3 layers -> (3,), 67 weights" in done.stdout
    assert "epoch 3/3" in done.stdout
    (run,) = (spec.parent / "runs").iterdir()
    assert f"runs/{run.name}" in done.stdout
    metrics = json.loads((run / "run.json").read_text())["test"]
    assert f"{metrics['accuracy']:.4f}" in done.stdout
    shown = [line.split() for line in done.stdout.splitlines()]
    assert ["majority", "1.1007", "0.3182"] in shown  # -(8*log(34/106) + 14*log(36/106))/22, and 7/22
    assert any(line[:1] == ["network"] for line in shown)
    assert "the best baseline, majority" in done.stdout


def test_train_on_a_terminal_shows_one_live_line(spec: Path) -> None:
    parent, child = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "dlrun", "train", "iris.yaml", "train.epochs=40"],
        cwd=spec.parent,
        stdout=child,
        stderr=child,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "100", "LINES": "30"},
    )
    os.close(child)
    shown = b""
    while True:
        try:
            part = os.read(parent, 65536)
        except OSError:
            break
        if not part:
            break
        shown += part
    os.close(parent)
    assert process.wait(60) == 0
    text = shown.decode()
    assert "epoch 40/40" in text
    assert "validation" in text and "elapsed" in text and "left" in text
    assert "\x1b[?25h" in text  # the cursor is back


def test_a_bad_spec_ends_with_2_and_its_problems_on_standard_error(spec: Path) -> None:
    done = dlrun(spec.parent, "train", "iris.yaml", "train.epoch=3", "optimizer.adam.lr=fast")
    assert (done.returncode, done.stdout) == (2, "")
    assert "did you mean 'epochs'" in done.stderr
    assert "'lr' must be a number; received 'fast'" in done.stderr
    assert "2 problems" in done.stderr
    assert not (spec.parent / "runs").exists()


@pytest.mark.parametrize("command", ["train", "check", "params"])
@pytest.mark.parametrize("name", ["gone.yaml", "."])
def test_a_missing_file_or_a_folder_is_an_error_of_one_line(spec: Path, command: str, name: str) -> None:
    done = dlrun(spec.parent, command, name)
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert len(done.stderr.splitlines()) == 1


def test_a_run_that_fails_ends_with_1(spec: Path) -> None:
    done = dlrun(spec.parent, "train", "iris.yaml", "optimizer={sgd: {lr: 1e30}}")
    assert done.returncode == 1
    assert "error: the loss became" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_folder_that_cannot_be_written_ends_with_1(spec: Path) -> None:
    (spec.parent / "runs").write_text("in the way")
    done = dlrun(spec.parent, "train", "iris.yaml")
    assert done.returncode == 1
    assert done.stderr.startswith("error: cannot make a folder in runs")


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["ctrl-c", "terminated"]
)
def test_an_interrupted_run_is_kept_and_marked_as_killed(spec: Path, number: int, code: int) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "dlrun", "train", "iris.yaml", "train.epochs=1000000"],
        cwd=spec.parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    for line in process.stdout:
        if line.split()[:1] == ["1"]:  # the row of the first epoch
            break
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == code
    assert "Traceback" not in errors
    (run,) = (spec.parent / "runs").iterdir()
    assert run.name in errors
    assert json.loads((run / "run.json").read_text())["status"] == "KILLED"
    assert (run / "last.safetensors").exists()
    assert not list(run.glob(".*"))


def test_check_takes_many_specs_and_shows_all_problems(spec: Path) -> None:
    (spec.parent / "bad.yaml").write_text("model: {input: 3, layers: [rely]}")
    done = dlrun(spec.parent, "check", "iris.yaml", "bad.yaml")
    assert done.returncode == 2
    assert done.stdout.startswith("iris.yaml: OK")
    assert "bad.yaml:1:28" in done.stderr


def test_check_prints_problems_as_data(spec: Path) -> None:
    done = dlrun(spec.parent, "check", "iris.yaml", "--json", "train.epoch=3")
    assert done.returncode == 2
    (problem,) = json.loads(done.stdout)["problems"]
    assert problem["message"] == "unknown setting 'epoch'; did you mean 'epochs'?"
    assert (problem["file"], problem["line"], problem["path"]) == ("command line", None, "train")


def test_check_prints_as_data_what_it_says_of_the_classes(tmp_path: Path) -> None:
    (tmp_path / "mail.csv").write_text(
        "a,y\n" + "".join(f"{row},{'spam' if row % 3 else 'ham'}\n" for row in range(30))
    )
    (tmp_path / "mail.yaml").write_text(
        "data: {source: {csv: mail.csv}, target: y}\nmodel: {layers: [linear: 1]}\n"
        "loss: {binary_cross_entropy: {of: spam}}\nmetrics: [f1, roc_auc: {of: ham}, accuracy]\noptimizer: sgd\n"
    )
    text = dlrun(tmp_path, "check", "mail.yaml").stdout
    assert "binary_cross_entropy: 1 is spam; f1: of spam; roc_auc: of ham" in text
    (about,) = json.loads(dlrun(tmp_path, "check", "mail.yaml", "--json").stdout)["specs"]
    assert (about["classes"], about["class_rows"]) == ({"target": ["ham", "spam"]}, {"target": [10, 20]})
    assert about["positive"] == {"binary_cross_entropy": "spam", "f1": "spam", "roc_auc": "ham"}


def test_check_shows_the_columns_that_encoders_make(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("size,a,y\n" + "".join(f"{'sml'[i % 3]},{i or ''},{i % 2}\n" for i in range(60)))
    (tmp_path / "s.yaml").write_text(
        "data: {source: {csv: t.csv}, target: y, preprocess: [{impute: {with: median, indicator: true}}, one_hot]}\n"
        "model: {layers: [linear: 2]}\nloss: cross_entropy\noptimizer: adam\n"
    )
    names = ["size=l", "size=m", "size=s", "size=(other)", "a", "a missing"]
    text = dlrun(tmp_path, "check", "s.yaml").stdout
    assert f"  columns 2 -> impute -> one_hot -> 6 numbers: {', '.join(names)}\n" in text
    (about,) = json.loads(dlrun(tmp_path, "check", "s.yaml", "--json").stdout)["specs"]
    assert about["columns"] == {"input": names}


SEVERAL = """
data:
  source: {csv: rows.csv}
  features: {left: [a, b], right: c}
  target: {kind: kind, size: d}
  split: {validation: 0.2, test: 0}
model:
  outputs: [kind, size]
  layers:
    - concat: {branches: [[], right], name: both}
    - linear: {name: kind, out_features: $classes}
    - input: both
    - linear: {name: size, out_features: 1}
loss: [{cross_entropy: {output: kind}}, {mse: {output: size, coefficient: 0.5}}]
metrics: [{accuracy: {output: kind}}]
optimizer: adam
train: {epochs: 2, device: cpu}
tracking: off
"""


@pytest.fixture
def several(tmp_path: Path) -> Path:
    rows = "\n".join(f"{i},{-i},{i % 5},{'xyz'[i % 3]},{i / 8}" for i in range(30))
    (tmp_path / "rows.csv").write_text(f"a,b,c,kind,d\n{rows}\n")
    (tmp_path / "several.yaml").write_text(SEVERAL)
    return tmp_path / "several.yaml"


def test_check_names_several_inputs_and_outputs_by_name(several: Path) -> None:
    shown = dlrun(several.parent, "check", several).stdout
    assert "30 rows of left (2,), right (1,): 24 train, 6 validation, 3 classes of kind" in shown
    assert f"left (2,), right (1,) -> kind (3,), size (1,), {4 * 3 + 4} weights" in shown
    (data,) = json.loads(dlrun(several.parent, "check", several, "--json").stdout)["specs"]
    assert (data["inputs"], data["outputs"]) == ({"left": [2], "right": [1]}, {"kind": [3], "size": [1]})
    assert data["classes"] == {"kind": ["x", "y", "z"]}


def test_train_names_every_output(several: Path) -> None:
    done = dlrun(several.parent, "train", several)
    assert done.returncode == 0, done.stderr
    assert "train   cross_entropy + mse, adam" in done.stdout
    groups, names = next(
        (groups.split(), names.split())
        for groups, names in itertools.pairwise(done.stdout.splitlines())
        if names.split()[:1] == ["epoch"]
    )
    assert "validation/kind" in groups and "validation/size" in groups and "train/kind" in groups
    assert "cross_entropy" in names and "mse" in names
    (run,) = [folder for folder in (several.parent / "runs").iterdir() if folder.is_dir()]
    assert json.loads((run / "labels.json").read_text()) == ["x", "y", "z"]


def test_check_is_done_with_a_spec_that_could_never_fit_at_once(spec: Path) -> None:
    started = time.monotonic()
    done = dlrun(spec.parent, "check", "iris.yaml", "model.layers[0].linear=1000000000000")
    assert done.returncode == 2
    assert "can never fit" in done.stderr
    assert time.monotonic() - started < 60  # and did not try to allocate 15 TiB


def test_params_as_data_has_every_layer_with_its_numbers(tmp_path: Path) -> None:
    (tmp_path / "net.yaml").write_text(
        "model:\n  input: [1, 8, 8]\n  layers:\n"
        "    - conv2d: {out_channels: 32, kernel_size: 3, padding: 1}\n    - flatten\n    - linear: 10\n"
    )
    done = dlrun(tmp_path, "params", "net.yaml", "--json")
    data = json.loads(done.stdout)
    assert {key: data[key] for key in ("total", "trainable", "macs")} == {
        "total": 320 + 20490,
        "trainable": 320 + 20490,
        "macs": 32 * 64 * 9 + 20480,
    }
    conv, flatten, linear = data["layers"]
    assert conv == {
        "name": "conv2d_1",
        "kind": "conv2d",
        "line": 4,
        "input": [1, 8, 8],
        "output": [32, 8, 8],
        "exact": True,
        "weights": {"weight": [32, 1, 3, 3], "bias": [32]},
        "buffers": {},
        "params": 320,
        "trainable": 320,
        "macs": 18432,
        "activations": 32 * 64,
        "formula": "out = (8 + 2*1 - 3) // 1 + 1 = 8; multiply-adds 32*8*8*1*3*3 = 18432; "
        "weight 32*1*3*3 + bias 32 = 320",
        "shared": False,
        "receptive_field": [None, 3, 3],
        "group": None,
    }
    assert (flatten["params"], linear["weights"]) == (0, {"weight": [10, 2048], "bias": [10]})
    explained = dlrun(tmp_path, "params", "net.yaml", "--explain").stdout
    assert "out = (8 + 2*1 - 3) // 1 + 1 = 8" in explained
    assert "weight 32*1*3*3 + bias 32 = 320" in explained
    assert "20,810 weights: 20,810 trainable, 0 frozen" in explained


def test_params_shows_what_preprocessing_makes_of_a_row() -> None:
    data = json.loads(dlrun(SPECS, "params", "digits_lda.yaml", "--json").stdout)
    assert [(layer["name"], layer["output"]) for layer in data["layers"]] == [
        ("preprocess.standardize_1", [64]),
        ("preprocess.lda_1", [9]),
        ("linear_1", [10]),
    ]
    assert data["total"] == 100


def test_help_and_version_and_an_unknown_command(tmp_path: Path) -> None:
    assert dlrun(tmp_path, "--version").stdout.startswith("dlrun ")
    shown = dlrun(tmp_path, "--help").stdout
    assert len(shown.splitlines()) <= 42
    assert all(name in shown for name in ("train", "check", "params", "kinds", "schema", "new", "ui"))
    assert dlrun(tmp_path, "trian", "x.yaml").returncode == 2


@pytest.mark.parametrize("screen", ["/dev/full", "a pipe that nobody reads"])
def test_a_run_goes_on_without_a_screen(spec: Path, screen: str) -> None:
    if screen == "/dev/full":
        output = os.open(screen, os.O_WRONLY)
    else:
        reading, output = os.pipe()
        os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "dlrun", "train", "iris.yaml"],
        cwd=spec.parent, stdout=output, stderr=subprocess.PIPE, text=True, timeout=300,
    )  # fmt: skip
    os.close(output)
    assert (done.returncode, done.stderr) == (0, "")
    (run,) = (spec.parent / "runs").iterdir()
    assert json.loads((run / "run.json").read_text())["status"] == "FINISHED"


def test_ctrl_c_in_the_first_moments_is_no_traceback(spec: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-X", "importtime", "-m", "dlrun", "train", "iris.yaml"],
        cwd=spec.parent, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        # A shell's background job, in which the tests may run, ignores SIGINT, and its children do.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    assert process.stderr is not None
    for line in process.stderr:
        if line.rstrip().endswith("dlrun.errors"):  # the first module of ours, while others are imported
            process.send_signal(signal.SIGINT)
            break
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in errors
