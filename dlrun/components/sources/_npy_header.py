"""The header that numpy writes before an array's values."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from dlrun.shapes import Shape, numel, show

if TYPE_CHECKING:
    import numpy as np


def read_header(stream: Any, size: int) -> tuple[Shape, np.dtype[Any], bool]:
    """The shape and type of an array, and whether it is in Fortran's order; the stream is then at its values.

    Args:
        stream: at the header.
        size: the bytes of the header and the values.

    Raises:
        Exception: of many types, with a message for the user: the header is damaged, or has other than the bytes of
            the values after it.
    """
    from numpy.lib import format as npy

    # Version 3 differs only in the field names of records, and records are refused.
    version = npy.read_magic(stream)
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # numpy warns of headers of Python 2
        shape, fortran, dtype = read(stream)
    size -= stream.tell()
    if any(type(count) is not int or count < 0 for count in shape):
        raise ValueError(f"the shape {shape} is not possible")
    if not dtype.hasobject and numel(shape) * dtype.itemsize != size:
        raise ValueError(f"{show(shape)} values of type {dtype} do not take {size} bytes")
    return shape, dtype, fortran
