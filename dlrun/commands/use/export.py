"""`dlrun export`: the network of a run as a file that other programs use."""

from __future__ import annotations

import contextlib
import importlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from dlrun.commands import screen
from dlrun.commands.arguments import AsJson, RunArgument, Runs, problems_as_json, usable_or_none
from dlrun.commands.page_file import check_folder
from dlrun.errors import Problem, RunError, SpecError, without_password

if TYPE_CHECKING:
    from dlrun.exported.written import Written

FORMS = {
    "onnx": ("onnx", ".onnx"),
    "torch": ("torch_program", ".pt2"),
    "safetensors": ("safetensors", ".safetensors"),
    "mlflow": ("mlflow_model", "-mlflow"),
}
"""For each form its module in `exported`, and how the names of its files end, or that of its folder."""


@problems_as_json
def export(
    run: Annotated[str, RunArgument],
    to: Annotated[
        Literal["onnx", "torch", "safetensors", "mlflow"],
        typer.Option(
            help="A program for any runtime, one for torch, weights, or a model that MLflow serves.", show_default=False
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            metavar="FILE",
            help="The file to write, for mlflow a folder; unless given, it has the name of the run.",
            callback=usable_or_none,
        ),
    ] = None,
    register: Annotated[
        str | None, typer.Option(metavar="NAME", help="Register the model of MLflow in the store of the run.")
    ] = None,
    runs: Runs = Path("runs"),
    as_json: AsJson = False,
) -> None:
    """Write the network of a run as a file that other programs use.

    It takes rows as they are after the encoders, for mlflow as they are in the data, and gives what `predict` does.
    Nothing is written unless the file gives what the network gives.
    """
    from dlrun.runs.find import find_run

    if register is not None and to != "mlflow":
        raise SpecError([Problem("--register is for a model of MLflow", hint="--to mlflow")])
    folder = find_run(run, runs)
    name, ending = FORMS[to]
    check_out(out, ending)
    if to == "mlflow":
        from dlrun.tracking.mlflow_run import import_quietly

        import_quietly()
    form: Any = importlib.import_module(f"dlrun.exported.{name}")
    from dlrun.trained.run import open_run

    trained = open_run(folder)
    written = form.write(trained, out or Path(f"{folder.name}{ending}"))
    registered = None if register is None else registered_as(register, trained.folder, next(iter(written.files)))
    if as_json:
        screen.show_json({**as_data(written), **({} if registered is None else {"registered": registered})})
        return
    show(written)
    if registered is not None:
        screen.say_folded(f"registered: {registered}", hanging=2)
    if to == "mlflow":
        model = next(iter(written.files))
        screen.say_folded(f"serve it: mlflow models serve --env-manager local --model-uri {model}", hanging=2)


def check_out(out: Path | None, ending: str) -> None:
    """Hold the file to the ending of its form, and to a folder that there is.

    Raises:
        SpecError: it has another ending; there is no such folder.
    """
    if out is not None and ending.startswith(".") and out.suffix != ending:
        hint = f"name it {out.with_suffix(ending).name}"
        raise SpecError([Problem(f"{out.name} does not end with {ending}, as files of this form do", hint=hint)])
    check_folder(out)


def registered_as(name: str, folder: Path, model: Path) -> str:
    """Register a model in the store of its run, which is delivered there first; where it is.

    Raises:
        RunError: the store cannot be reached, or refuses it.
    """
    from dlrun.commands.look.sync import deliver, store_address
    from dlrun.exported.mlflow_model import register
    from dlrun.tracking.delivery_state import recall

    with contextlib.redirect_stdout(sys.stderr):  # the standard output is for what was written
        deliver(folder, even_without_tracker=True)
    uri = store_address(folder)
    state = recall(folder, uri)
    if state is None or state.run is None:
        raise RunError(f"{model} is written, and not registered: the folder of the run cannot keep what its store has")
    return f"{register(model, uri, state.run, name)} in {without_password(uri)}"


def show(written: Written) -> None:
    """Print what was written."""
    from dlrun.shapes import readable_bytes

    for file, size in written.files.items():
        screen.say_folded(f"{file}: {readable_bytes(size)}", hanging=2)
    if written.inputs:
        ports = [("input", port) for port in written.inputs] + [("output", port) for port in written.outputs]
        rows = [(what, port.name, " x ".join(map(str, port.sizes)), port.type) for what, port in ports]
        screen.table(("", "name", "shape", "type"), rows)
    for name, (least, most) in written.steps.items():
        screen.say(f"{name}: {least} or more" if most is None else f"{name}: from {least} to {most}")
    rows = [(one.output, f"{one.largest:.2g}", f"{one.tolerance:.2g}") for one in written.differences]
    screen.table(("output", "largest difference", "allowed"), rows, right=("largest difference", "allowed"))
    screen.say_folded(f"compared with the network: {written.rows}", hanging=2)


def as_data(written: Written) -> dict[str, Any]:
    """The same for `--json`."""
    return {
        "files": [{"path": str(path), "bytes": size} for path, size in written.files.items()],
        "inputs": [{"name": port.name, "sizes": list(port.sizes), "type": port.type} for port in written.inputs],
        "outputs": [{"name": port.name, "sizes": list(port.sizes), "type": port.type} for port in written.outputs],
        "differences": [
            {"output": one.output, "largest": one.largest, "allowed": one.tolerance} for one in written.differences
        ],
        "steps": {name: list(bounds) for name, bounds in written.steps.items()},
        "rows": written.rows,
    }
