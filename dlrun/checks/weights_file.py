"""What a safetensors file holds, read from its header alone: no torch, and no weight in memory."""

from __future__ import annotations

from pathlib import Path

from dlrun.errors import LocatedError
from dlrun.language.suggestions import did_you_mean
from dlrun.plan.network import Plan
from dlrun.plan.weights import expected
from dlrun.safetensors_header import read_header
from dlrun.shapes import Shape, show

TYPES_OF_WEIGHTS = ("F64", "F32", "F16", "BF16", "I64", "I32", "I16", "I8", "U8", "BOOL")
"""The types of weights and buffers."""


class WeightsError(LocatedError):
    """A file that training cannot start from; `hint` is a way out."""


def _shapes(path: Path) -> dict[str, Shape]:
    """The name and shape of every tensor in a safetensors file.

    Raises:
        WeightsError: the file is not there, or is no such file, or a type is none of a weight.
    """
    try:
        if path.exists() and not path.is_file():  # a pipe would wait for somebody who writes
            raise WeightsError(f"{path} is not a file")
        entries = read_header(path)
    except OSError as error:
        raise WeightsError(
            f"cannot read {path}: {error.strerror}", "a path starts from the folder of the file that has it"
        ) from None
    except ValueError as error:
        message = f"{path} is not a safetensors file, or is damaged: {error}"
        raise WeightsError(message, "copy it again") from None
    for name, entry in entries.items():
        if entry.type not in TYPES_OF_WEIGHTS:
            what = f"'{name}' is of the type {entry.type} in {path}; a weight is a real number"
            raise WeightsError(what, "types are " + ", ".join(TYPES_OF_WEIGHTS))
    return {name: entry.shape for name, entry in entries.items()}


def compare_header(path: Path, plan: Plan) -> None:
    """Hold a file's names and shapes against the network's.

    Raises:
        WeightsError: a weight is missing there or has another shape.
    """
    held = _shapes(path)
    for name, shape in expected(plan).items():
        if name not in held:
            raise WeightsError(f"{path} has no '{name}'{did_you_mean(name, held, {})}", "names and shapes must agree")
        if held[name] != shape:
            raise WeightsError(f"'{name}' is {show(held[name])} in {path}, and {show(shape)} in this network")
