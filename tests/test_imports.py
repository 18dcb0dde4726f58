"""What each command may import: a slow start is a defect."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from places import SPECS
from run_folders import complete_run, make_run

HEAVY = ("torch", "mlflow", "sklearn", "pandas", "scipy")
PROBE = """
import json, sys
sys.argv = ["dlrun", *json.loads(sys.argv[1])]
try:
    from dlrun.__main__ import main
    main()
except SystemExit as end:
    code = end.code
print("\\n" + json.dumps([code, sorted({name.partition(".")[0] for name in sys.modules})]))
"""


def imported_by(*arguments: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", PROBE, json.dumps(arguments)], capture_output=True, text=True, check=True
    )
    code, modules = json.loads(done.stdout.splitlines()[-1])
    assert code in (0, None), done.stdout + done.stderr
    return set(modules)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["--version"],
        ["train", "--help"],
        ["sync", "--help"],
        ["check", str(SPECS / "iris_logistic.yaml"), "data.preprocess=[]"],
        ["check", *map(str, sorted(SPECS.glob("*.yaml")))],
        ["params", str(SPECS / "digits_residual.yaml"), "--explain"],
        ["params", str(SPECS / "digits_pca_mlp.yaml"), "--json"],
        ["draw", str(SPECS / "digits_residual.yaml"), "--format", "mermaid"],
        ["kinds"],
        ["kinds", "conv2d"],
        ["schema"],
    ],
    ids=lambda arguments: " ".join(arguments[:2])[:40].rpartition("/")[2],
)
def test_a_command_that_does_not_train_imports_nothing_heavy(arguments: list[str]) -> None:
    assert not imported_by(*arguments) & set(HEAVY)


def test_looking_at_runs_imports_nothing_heavy(tmp_path: Path) -> None:
    complete_run(tmp_path / "a", {"validation/loss": 0.5}, {"loss": 0.5})
    make_run(tmp_path / "b", params={"optimizer": "sgd"}, status="RUNNING")
    for arguments in (["--sort", "started"], ["--where", "optimizer=adam"], ["--json"]):
        assert not imported_by("runs", "--runs", str(tmp_path), *arguments) & {*HEAVY, "numpy"}
    assert not imported_by("diff", "a", "b", "--runs", str(tmp_path)) & {*HEAVY, "numpy"}


def test_training_imports_what_it_needs_of_torch_and_neither_its_compiler_nor_mlflow(tmp_path: Path) -> None:
    # The compiler takes longer to import than the rest of torch; sympy comes with it. MLflow has a process of its own.
    spec = str(SPECS / "wine_mlp.yaml")  # its steps are captured, and its data needs no library
    imported = imported_by("train", spec, "train.epochs=12", "train.batch_size=4", "--runs", str(tmp_path))
    assert "torch" in imported
    assert not imported & {"mlflow", "pandas", "scipy", "sklearn", "sympy"}


def test_predicting_imports_neither_pandas_nor_a_server(tmp_path: Path) -> None:
    changes = ("train.epochs=1", "tracking=off", "baselines=off")
    imported_by("train", str(SPECS / "wine_mlp.yaml"), *changes, "--runs", str(tmp_path))
    (columns,) = tmp_path.glob("*/columns.json")
    names = list(json.loads(columns.read_text())["inputs"]["input"]["fields"])
    (tmp_path / "rows.csv").write_text(f"{','.join(names)}\n{','.join('1' for _ in names)}\n")
    for out in ("out.csv", "out.parquet"):
        given = ("predict", "last", str(tmp_path / "rows.csv"), "--out", str(tmp_path / out), "--runs", str(tmp_path))
        imported = imported_by(*given)
        assert "torch" in imported
        assert not imported & {"mlflow", "pandas", "scipy", "sklearn", "starlette", "uvicorn"}


def test_drawing_an_svg_imports_nothing_heavy_and_no_engine(tmp_path: Path) -> None:
    imported = imported_by("draw", str(SPECS / "digits_residual.yaml"), "--output", str(tmp_path / "net.svg"))
    assert not imported & {*HEAVY, "numpy", "resvg_py"}


def test_a_spec_imports_only_the_kinds_it_names() -> None:
    code = (
        "import sys, pathlib; from dlrun.checks.check import check_model; "
        f"check_model(pathlib.Path({str(SPECS / 'iris_logistic.yaml')!r})); "
        "print(*[m for m in sys.modules if m.startswith('dlrun.components.layers.')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["dlrun.components.layers.dense", "dlrun.components.layers.dense.linear"]
