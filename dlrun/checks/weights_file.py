"""What a safetensors file holds, read from its header alone: no torch, and no weight in memory."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from dlrun.errors import LocatedError
from dlrun.language.suggestions import did_you_mean
from dlrun.plan.network import Plan
from dlrun.plan.weights import expected
from dlrun.shapes import Shape, numel, show

MAX_HEADER = 100 << 20
SIZES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}
"""The types of weights and buffers, with the bytes of a number."""


class WeightsError(LocatedError):
    """A file that training cannot start from; `hint` is a way out."""


def read_header(path: Path) -> dict[str, Shape]:
    """The name and shape of every tensor in a safetensors file.

    Raises:
        WeightsError: the file is not there, or is no such file.
    """
    try:
        if path.exists() and not path.is_file():  # a pipe would wait for somebody who writes
            raise WeightsError(f"{path} is not a file")
        with path.open("rb") as stream:
            size = int.from_bytes(stream.read(8), "little")
            if not 2 <= size <= MAX_HEADER:
                raise WeightsError(f"{path} is not a safetensors file")
            header = json.loads(stream.read(size))
        header.pop("__metadata__", None)
        return _shapes(path, header, path.stat().st_size - 8 - size)
    except OSError as error:
        raise WeightsError(
            f"cannot read {path}: {error.strerror}", "a path starts from the folder of the file that has it"
        ) from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise WeightsError(f"{path} is not a safetensors file") from None


def _shapes(path: Path, header: dict[str, Any], held: int) -> dict[str, Shape]:
    """Each tensor's shape, once its bytes are known to be in the file, which holds `held` of them."""
    end = 0
    for name, entry in sorted(header.items(), key=lambda item: item[1]["data_offsets"][0]):
        shape, (begin, stop) = tuple(entry["shape"]), entry["data_offsets"]
        if any(type(size) is not int or size < 0 for size in (*shape, begin, stop)):
            raise ValueError
        if entry["dtype"] not in SIZES:
            what = f"'{name}' is of the type {entry['dtype']} in {path}; a weight is a real number"
            raise WeightsError(what, "types are " + ", ".join(SIZES))
        if begin != end or stop - begin != numel(shape) * SIZES[entry["dtype"]]:
            raise WeightsError(f"{path} is damaged: '{name}' does not lie where the header says")
        end = stop
    if end != held:
        what = "is cut off" if held < end else "is damaged"
        raise WeightsError(f"{path} {what}: its weights take {end} bytes, and it has {held}", "copy it again")
    return {name: tuple(entry["shape"]) for name, entry in header.items()}


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
