"""The header of a file of torch (`.pt`, `.pth`, `.bin`): names, types and shapes of tensors, and where their bytes lie.

Such a file has its header as a pickle, which is a program: Python's own reader would import and call whatever it names.
Here it is read as data. Each of the few operations that a file of weights needs makes a plain value or puts one into a
list or a mapping. Nothing is imported or called, and any other operation or name is refused.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import IO, Any

from dlrun.language.suggestions import shorten
from dlrun.shapes import Shape, numel, show

LONGEST = 1 << 24
"""Bytes of a pickle; a tensor takes about 150 of them."""
ZIP, OLD = b"PK\x03\x04", b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."
"""How a file begins: since torch 1.6, and before."""
DICT, TENSOR, PARAMETER = (
    "collections OrderedDict",
    "torch._utils _rebuild_tensor_v2",
    "torch._utils _rebuild_parameter",
)
STORAGES = {
    "torch DoubleStorage": "F64",
    "torch FloatStorage": "F32",
    "torch HalfStorage": "F16",
    "torch BFloat16Storage": "BF16",
    "torch LongStorage": "I64",
    "torch IntStorage": "I32",
    "torch ShortStorage": "I16",
    "torch CharStorage": "I8",
    "torch ByteStorage": "U8",
    "torch BoolStorage": "BOOL",
}
"""The type of the numbers of each of torch's storages."""
SIZES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}
"""The bytes of a number of each type."""


class MoreThanWeightsError(ValueError):
    """The file holds something else than tensors by their names."""


@dataclass(frozen=True, slots=True)
class TorchEntry:
    """What a header says of a tensor: which numbers of which storage it has."""

    type: str
    """As in a safetensors file."""
    shape: Shape
    strides: tuple[int, ...]
    """How many numbers apart two neighbours along each axis lie."""
    first: int
    """Which number of the storage is the tensor's first."""
    start: int
    """Where the storage's bytes begin in the file."""
    length: int
    """How many numbers the storage has."""


@dataclass(frozen=True, slots=True)
class _Name:
    """Something that a pickle names; it stands for itself and is never looked up."""

    name: str


@dataclass(frozen=True, slots=True)
class _Storage:
    type: str
    key: str
    length: int


@dataclass(frozen=True, slots=True)
class _Tensor:
    storage: _Storage
    first: int
    shape: Shape
    strides: tuple[int, ...]


def is_torch(beginning: bytes) -> bool:
    """Whether a file with these first bytes is one of torch's."""
    return beginning.startswith((ZIP, OLD))


def read_torch_header(stream: IO[bytes]) -> dict[str, TorchEntry]:
    """Every tensor by its name.

    Raises:
        MoreThanWeightsError: the file holds something else.
        ValueError: with a message for the user: the file is damaged.
        OSError: it cannot be read.
    """
    try:
        is_zip = stream.read(len(ZIP)) == ZIP
        stream.seek(0)
        found, places = _in_zip(stream) if is_zip else _in_old(stream)
        if not isinstance(found, dict):
            raise MoreThanWeightsError("it holds no mapping from names to tensors")
        others = [str(name) for name, value in found.items() if not isinstance(value, _Tensor)]
        if others or not all(isinstance(name, str) for name in found):
            few = ", ".join(shorten(name) for name in others[:4])
            raise MoreThanWeightsError(f"these of its entries are no tensors: {few or 'those without a name'}")
        size = stream.seek(0, 2)
        return {name: _entry(name, tensor, places, size) for name, tensor in found.items()}
    except (LookupError, TypeError, AttributeError, RuntimeError, zipfile.BadZipFile):
        raise ValueError("its header is not one that torch writes") from None


Places = Callable[[_Storage], int]
"""Where the bytes of a storage begin.

Raises:
    ValueError: they are not there, or not as many as there should be.
"""


def _in_zip(stream: IO[bytes]) -> tuple[Any, Places]:
    archive = zipfile.ZipFile(stream)
    [header] = [entry for entry in archive.infolist() if entry.filename.count("/") == 1 and _is(entry, "data.pkl")]
    folder = header.filename.removesuffix("data.pkl")
    if header.compress_type != zipfile.ZIP_STORED or header.file_size > LONGEST:
        raise ValueError("its header is compressed, or too long")
    known = {entry.filename: entry for entry in archive.infolist()}
    order = known.get(f"{folder}byteorder")
    if order is not None and (order.file_size != 6 or archive.read(order) != b"little"):
        raise ValueError("its numbers have their high bytes first")

    def place(storage: _Storage) -> int:
        entry = known.get(f"{folder}data/{storage.key}")
        size = storage.length * SIZES[storage.type]
        if entry is None or entry.compress_type != zipfile.ZIP_STORED or entry.file_size != size:
            raise ValueError(f"the numbers of {shorten(storage.key)} are not there")
        stream.seek(entry.header_offset + 26)
        lengths = stream.read(4)
        after = int.from_bytes(lengths[:2], "little") + int.from_bytes(lengths[2:], "little")
        return entry.header_offset + 30 + after

    return _value(BytesIO(archive.read(header))), place


def _is(entry: zipfile.ZipInfo, name: str) -> bool:
    return entry.filename.rpartition("/")[2] == name


def _in_old(stream: IO[bytes]) -> tuple[Any, Places]:
    """The form before torch 1.6: several pickles, then the storages one after the other, each after its length."""
    content = BytesIO(stream.read(LONGEST))
    _value(content)  # the number that files of torch begin with
    _value(content)  # the version
    if _value(content).get("little_endian") is not True:
        raise ValueError("its numbers have their high bytes first")
    found = _value(content)
    keys = _value(content)
    types = {tensor.storage.key: tensor.storage for tensor in found.values() if isinstance(tensor, _Tensor)}
    at, starts = content.tell(), dict[str, int]()
    for key in keys:
        storage = types[key]
        stream.seek(at)
        if int.from_bytes(stream.read(8), "little") != storage.length:
            raise ValueError(f"the numbers of {shorten(key)} are not there")
        starts[key] = at + 8
        at += 8 + storage.length * SIZES[storage.type]
    return found, lambda storage: starts[storage.key]


def _entry(name: str, tensor: _Tensor, place: Places, size: int) -> TorchEntry:
    storage, shape, strides = tensor.storage, tensor.shape, tensor.strides
    last = tensor.first + sum((size - 1) * stride for size, stride in zip(shape, strides, strict=True))
    if numel(shape) and last >= storage.length:
        raise ValueError(f"the tensor {shorten(name)} has {show(shape)} numbers, and its storage {storage.length}")
    start = place(storage)
    if start + storage.length * SIZES[storage.type] > size:
        raise ValueError(f"it is cut off: the numbers of {shorten(name)} end behind its end")
    return TorchEntry(storage.type, shape, strides, tensor.first, start, storage.length)


def _value(stream: IO[bytes]) -> Any:
    """What the next pickle of a stream describes.

    Raises:
        MoreThanWeightsError: it names something that no file of weights does.
        ValueError, IndexError, KeyError, TypeError, AttributeError: it is damaged.
    """
    import pickletools  # takes operations apart, and runs none

    stack: list[Any] = []
    marks: list[int] = []
    memo: dict[int, Any] = {}

    def since_mark() -> list[Any]:
        start = marks.pop()
        taken = stack[start:]
        del stack[start:]
        return taken

    for operation, given, _ in pickletools.genops(stream):
        match operation.name:
            case "PROTO":
                pass
            case "STOP":
                return stack.pop()
            case "MARK":
                marks.append(len(stack))
            case "BINUNICODE" | "BININT" | "BININT1" | "BININT2" | "LONG1" | "BINFLOAT":
                stack.append(given)
            case "NONE" | "NEWTRUE" | "NEWFALSE":
                stack.append({"NONE": None, "NEWTRUE": True, "NEWFALSE": False}[operation.name])
            case "EMPTY_DICT":
                stack.append({})
            case "EMPTY_LIST":
                stack.append([])
            case "EMPTY_TUPLE":
                stack.append(())
            case "TUPLE1" | "TUPLE2" | "TUPLE3":
                count = int(operation.name[-1])
                stack[-count:] = [tuple(stack[-count:])]
            case "TUPLE":
                stack.append(tuple(since_mark()))
            case "APPEND":
                _list(stack[-2]).append(stack.pop())
            case "APPENDS":
                taken = since_mark()
                _list(stack[-1]).extend(taken)
            case "SETITEM":
                key, value = stack[-2:]
                del stack[-2:]
                _put(stack[-1], (key, value))
            case "SETITEMS":
                taken = since_mark()
                _put(stack[-1], taken)
            case "BINPUT" | "LONG_BINPUT":
                memo[given] = stack[-1]  # type: ignore[index]
            case "BINGET" | "LONG_BINGET":
                stack.append(memo[given])  # type: ignore[index]
            case "GLOBAL":
                stack.append(_named(str(given)))
            case "BINPERSID":
                stack.append(_storage(stack.pop()))
            case "REDUCE":
                arguments = stack.pop()
                stack.append(_made(stack.pop(), arguments))
            case "BUILD":  # torch notes the versions of modules beside the weights
                if not isinstance(stack[-2], dict):
                    raise MoreThanWeightsError("it sets attributes of something that is no mapping")
                stack.pop()
            case name:
                raise MoreThanWeightsError(f"it has the operation {name}, which no file of weights needs")
    raise ValueError("its header has no end")


def _named(name: str) -> _Name:
    if name not in (DICT, TENSOR, PARAMETER, *STORAGES):
        raise MoreThanWeightsError(f"it names {shorten(name.replace(' ', '.'))}, which is no part of weights")
    return _Name(name)


def _made(of: _Name, arguments: tuple[Any, ...]) -> Any:
    """What torch would make."""
    if of.name == DICT and arguments == ():
        return {}
    if of.name == PARAMETER and isinstance(arguments[0], _Tensor):
        return arguments[0]
    if of.name == TENSOR:
        storage, first, shape, strides, *_ = arguments
        if isinstance(storage, _Storage) and _counts((first,)) and _counts(shape) and _counts(strides):
            return _Tensor(storage, first, tuple(shape), tuple(strides))
    raise TypeError


def _storage(entry: tuple[Any, ...]) -> _Storage:
    word, kind, key, _, length, *views = entry
    if (
        word != "storage"
        or not isinstance(key, str)
        or not _counts((length,))
        or any(view is not None for view in views)
    ):
        raise TypeError
    return _Storage(STORAGES[kind.name], key, length)


def _counts(values: Sequence[Any]) -> bool:
    return isinstance(values, tuple) and all(type(value) is int and 0 <= value < 2**63 for value in values)


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError
    return value


def _put(into: Any, entries: Sequence[Any]) -> None:
    """Add keys and values; a key is a text or a number, since others may take for ever to compare."""
    if not isinstance(into, dict) or len(entries) % 2 or not all(type(key) in (str, int) for key in entries[::2]):
        raise TypeError
    into.update(zip(entries[::2], entries[1::2], strict=True))
