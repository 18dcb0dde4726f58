"""The header that numpy writes before an array's values."""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

from dlrun.shapes import Shape, numel, show

if TYPE_CHECKING:
    import numpy as np

MOST = 20_000
"""Bytes of a file that are read for its header; numpy refuses one of more than 10,000 characters."""


@dataclass(frozen=True, slots=True)
class Header:
    """What numpy writes before an array's values."""

    shape: Shape
    dtype: np.dtype[Any]
    fortran: bool
    """Whether the first index changes fastest."""
    start: int
    """Where the values begin."""


def read_header(stream: IO[bytes], size: int) -> Header:
    """Read the header from the beginning of a stream of so many bytes.

    Raises:
        Exception: of many types, with a message for the user: the header is damaged, or has other than the bytes of
            the values after it.
    """
    from numpy.lib import format as npy

    head = io.BytesIO(stream.read(min(size, MOST)))  # no more, whatever length the header claims
    # Version 3 differs only in the field names of records, and records are refused.
    version = npy.read_magic(head)
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # numpy warns of headers of Python 2
        shape, fortran, dtype = read(head)
    size -= head.tell()
    if any(type(count) is not int or count < 0 for count in shape):
        raise ValueError(f"the shape {shape} is not possible")
    if not dtype.hasobject and numel(shape) * dtype.itemsize != size:
        raise ValueError(f"{show(shape)} values of type {dtype} do not take {size} bytes")
    return Header(shape, dtype, fortran, head.tell())
