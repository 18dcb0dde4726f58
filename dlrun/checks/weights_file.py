"""What a safetensors file holds, read from its header alone: no torch, and no weight in memory."""

from __future__ import annotations

import json
from pathlib import Path

from dlrun.errors import LocatedError
from dlrun.language.suggestions import did_you_mean
from dlrun.plan.network import Plan
from dlrun.plan.weights import expected
from dlrun.shapes import Shape, show

MAX_HEADER = 100 << 20


class WeightsError(LocatedError):
    """A file that training cannot start from; `hint` is a way out."""


def read_header(path: Path) -> dict[str, Shape]:
    """The name and shape of every tensor in a safetensors file.

    Raises:
        WeightsError: the file is not there, or is no such file.
    """
    try:
        with path.open("rb") as stream:
            size = int.from_bytes(stream.read(8), "little")
            if not 2 <= size <= MAX_HEADER:
                raise WeightsError(f"{path} is not a safetensors file")
            header = json.loads(stream.read(size))
        return {name: tuple(entry["shape"]) for name, entry in header.items() if name != "__metadata__"}
    except OSError as error:
        raise WeightsError(
            f"cannot read {path}: {error.strerror}", "a path starts from the folder of the file that has it"
        ) from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise WeightsError(f"{path} is not a safetensors file") from None


def compare_header(path: Path, plan: Plan) -> None:
    """Hold a file's names and shapes against the network's.

    Raises:
        WeightsError: a weight is missing there or has another shape.
    """
    held = read_header(path)
    for name, shape in expected(plan).items():
        if name not in held:
            raise WeightsError(f"{path} has no '{name}'{did_you_mean(name, held, {})}", "names and shapes must agree")
        if held[name] != shape:
            raise WeightsError(f"'{name}' is {show(held[name])} in {path}, and {show(shape)} in this network")
