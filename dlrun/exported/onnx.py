"""A run's network in ONNX, which runs without torch and without dlrun."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from dlrun.errors import Problem, RunError, SpecError
from dlrun.exported.description import NAME, Description, as_text, description
from dlrun.exported.program import Port, Program, as_free_as_it_holds, quiet
from dlrun.exported.proof import Array, Compute, Difference, Inputs, prove, rows_to_compare
from dlrun.exported.written import Written, write_with_description
from dlrun.modules.private_torch import recurrent_kernels_of_any_length
from dlrun.trained.run import TrainedRun

ENDING = ".onnx"
LIBRARIES = ("onnx", "onnxscript", "onnxruntime")
MOST_BYTES = 1 << 31
"""An ONNX file is smaller than this."""


def write(run: TrainedRun, out: Path) -> Written:
    """Write the file, once onnxruntime computes with it what the network gives.

    Raises:
        SpecError: a library is not installed.
        RunError: the network cannot be written in ONNX; the answers differ; the file cannot be written.
    """
    need_libraries()
    rows = rows_to_compare(run)

    def proved(program: Program) -> tuple[Program, Description, bytes, tuple[Difference, ...]]:
        about = description(run, program)
        data = as_onnx(program, {NAME: as_text(about)})
        return program, about, data, prove(run, rows, runtime(program, data), program)

    program, about, data, differences = as_free_as_it_holds(run, proved)
    return Written.of(program, write_with_description(out, data, about), differences, rows)


def need_libraries() -> None:
    """Import what writes and runs ONNX.

    Raises:
        SpecError: it is not installed.
    """
    lacking = [name for name in LIBRARIES if importlib.util.find_spec(name) is None]
    if lacking:
        verb, them = ("is", "it") if len(lacking) == 1 else ("are", "them")
        message = f"{' and '.join(lacking)} {verb} not installed, and ONNX needs {them}"
        raise SpecError([Problem(message, hint="pip install 'dlrun[export]'")])


def as_onnx(program: Program, notes: Mapping[str, str]) -> bytes:
    """The program as an ONNX file, with notes in it.

    Raises:
        RunError: ONNX lacks an operator, or the file would be too large.
    """
    sizes = tuple(_free(port) for port in program.inputs)
    try:
        with quiet(), contextlib.redirect_stdout(io.StringIO()), recurrent_kernels_of_any_length():
            found: Any = torch.onnx.export(
                program.exported,
                dynamo=True,
                verbose=False,
                dynamic_shapes=sizes,
            )
    except Exception as error:  # torch's conversion raises whatever its parts do
        raise RunError(f"ONNX cannot hold this network: {_why(error)}\n  `--to torch` may write it") from None
    _name(found.model.graph, program)
    model = found.model_proto
    for name, text in notes.items():
        note = model.metadata_props.add()
        note.key, note.value = name, text
    if model.ByteSize() >= MOST_BYTES:
        raise RunError("the network is larger than 2 GiB, and an ONNX file is not\n  `--to torch` writes it")
    return model.SerializeToString()


def _name(graph: Any, program: Program) -> None:
    """Give inputs and outputs the names of the spec, and any other value that has such a name another one."""
    made = [value for node in graph.all_nodes() for value in node.outputs]
    wanted = {port.name for port in (*program.inputs, *program.outputs)}
    for number, value in enumerate([*graph.inputs, *graph.initializers.values(), *made]):
        if value.name in wanted or value.is_graph_output():
            value.name = f"inner/{number}"
    ports = zip((*graph.inputs, *graph.outputs), (*program.inputs, *program.outputs), strict=True)
    for value, port in ports:
        value.name = port.name


def _free(port: Port) -> dict[int, str]:
    """The sizes of an input that are free, by their axes."""
    return {axis: size for axis, size in enumerate(port.sizes) if isinstance(size, str)}


def _why(error: BaseException) -> str:
    """What ONNX lacks, from the first of the errors that led to this one."""
    cause: BaseException = error
    while cause.__cause__ is not None:
        cause = cause.__cause__
    text = str(cause).strip()
    operator = re.search(r"op='aten\.(\w+)'", text)
    return f"it has no operator for torch's {operator[1].strip('_')}" if operator else text.partition("\n")[0]


def runtime(program: Program, data: bytes) -> Compute:
    """A file's network at work: inputs to outputs by name."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # what is wrong is raised
    try:
        session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its errors have no public base
        raise _cannot_run(error) from None
    names = [port.name for port in program.inputs]

    def compute(inputs: Inputs) -> Mapping[str, Array]:
        given = {name: values.numpy() for name, values in zip(names, inputs, strict=True)}
        try:
            found: Any = session.run([port.name for port in program.outputs], given)
        except Exception as error:
            raise _cannot_run(error) from None
        return {port.name: values for port, values in zip(program.outputs, found, strict=True)}

    return compute


def _cannot_run(error: Exception) -> RunError:
    what = str(error).strip().partition("\n")[0]
    return RunError(f"onnxruntime cannot run this network: {what}\n  `--to torch` may write it")
