"""What comes with a request becomes a file of rows, so that it is read as `dlrun predict` reads a file."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from dlrun.components.sources._files import WHOLE
from dlrun.components.sources._json_rows import WrongJsonError, strict_decoder
from dlrun.components.sources._pixels import ImageError, Rule, pixels
from dlrun.errors import SpecError
from dlrun.trained.run import TrainedInput, TrainedRun

MOST_BYTES = WHOLE
"""Bytes of a request; larger files of rows would go through the cache."""
MOST_ROWS = 10_000
"""Rows of a request."""
CSV, JSON = "text/csv", "application/json"
NAME = "rows"
"""What errors call the rows of a request."""
LINE = re.compile(rf"\b{NAME}\.jsonl:(\d+)")


class RefusedError(Exception):
    """A request that is answered with another status than 400."""

    def __init__(self, status: int, message: str):
        super().__init__(message)
        self.status, self.message = status, message


def file_of(body: bytes, kind: str, run: TrainedRun, folder: Path) -> Path:
    """Write the rows of a request into a folder.

    Args:
        body: the request's.
        kind: its media type.
        run: the run that takes the rows.
        folder: where the file is to be.

    Raises:
        RefusedError: rows of this type are not taken.
        SpecError: it has no rows.
    """
    if kind == CSV:
        file = folder / f"{NAME}.csv"
        file.write_bytes(body)
        return file
    if kind == JSON:
        return _file_of_json(body, run, folder)
    if kind.startswith("image/") and (image := image_field(run)) is not None:
        return _file_of_image(body, image, run, folder)
    images = ", or an image such as image/png" if image_field(run) else ""
    raise RefusedError(415, f"Content-Type is '{kind}'; rows come as {JSON} or {CSV}{images}")


def with_rows_named(message: str) -> str:
    """An error about JSON with the number of a row, from 0 on as in the answers, in place of a line."""
    return LINE.sub(lambda found: f"row {int(found[1]) - 1}", message).replace(f"{NAME}.jsonl", "the request")


def image_field(run: TrainedRun) -> tuple[str, TrainedInput] | None:
    """The field of images, and its input, if a row is an image and nothing else."""
    fields = [(name, entry) for entry in run.inputs for name in entry.types]
    if len(fields) != 1 or fields[0][1].types[fields[0][0]] != "image" or fields[0][0] not in fields[0][1].recipes:
        return None
    return fields[0]


def _file_of_json(body: bytes, run: TrainedRun, folder: Path) -> Path:
    rows = _rows_of_json(body)
    if len(rows) > MOST_ROWS:
        raise too_many(len(rows))
    if any(isinstance(value, list) for row in rows for value in row.values()):
        arrays = {name: _array(name, rows) for entry in run.inputs for name in entry.types}
        file = folder / f"{NAME}.npz"
        _save(file, arrays)
        return file
    lines = "".join(json.dumps(row) + "\n" for row in rows).encode()
    if len(lines) > MOST_BYTES:  # numbers may be longer than they came
        raise too_large()
    file = folder / f"{NAME}.jsonl"
    file.write_bytes(lines)
    return file


def too_many(count: int) -> RefusedError:
    """The error about the rows of a request."""
    message = f"the request has {count:,} rows, and at most {MOST_ROWS:,} are answered: send them in parts"
    return RefusedError(413, message)


def too_large() -> RefusedError:
    """The error about the bytes of a request."""
    most = f"{MOST_BYTES >> 20} MiB"
    return RefusedError(413, f"the request has more than {most}: send the rows in parts, or use `dlrun predict`")


def _rows_of_json(body: bytes) -> list[dict[str, Any]]:
    try:
        found = strict_decoder()(body.decode("utf-8"))
    except (WrongJsonError, ValueError, RecursionError) as error:
        raise SpecError(f"the request is not JSON: {error}") from None
    rows = [found] if isinstance(found, dict) else found
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise SpecError('rows are objects in a list, with the columns as keys: [{"a": 1, "b": "x"}]')
    if not rows:
        raise SpecError("the request has no rows")
    return rows


def _array(name: str, rows: list[dict[str, Any]]) -> Any:
    """The values of a field whose values are lists of numbers."""
    values = []
    for number, row in enumerate(rows):
        if name not in row:
            raise SpecError(f"row {number} lacks '{name}', which the network takes")
        try:
            values.append(np.array(row[name], np.float64))
        except (ValueError, TypeError):
            raise SpecError(f"row {number}: '{name}' is not a list of numbers of one length") from None
        if values[-1].shape != values[0].shape:
            raise SpecError(f"row {number}: '{name}' has the shape {values[-1].shape}, and row 0 {values[0].shape}")
    return np.stack(values)


def _file_of_image(body: bytes, image: tuple[str, TrainedInput], run: TrainedRun, folder: Path) -> Path:
    name, entry = image
    recipe = entry.recipes[name]
    (height, width), channels, bits = recipe["size"], recipe["channels"], recipe["bits"]
    to_grey = getattr(run.source, "channels", None) == 1
    rule = Rule(height, width, channels, bits, recipe["resize"], to_grey, "each image of the training")
    file = folder / "image"
    file.write_bytes(body)
    try:
        numbers = np.frombuffer(pixels(str(file), rule), "<u2" if bits == 16 else "u1")
    except ImageError as error:
        raise SpecError(f"the image {error}") from None
    rows = folder / f"{NAME}.npz"
    _save(rows, {name: numbers.reshape(1, channels, height, width)})
    return rows


def _save(file: Path, arrays: Mapping[str, Any]) -> None:
    save: Callable[..., None] = np.savez
    save(file, allow_pickle=False, **arrays)
