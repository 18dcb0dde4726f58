"""The header of a file of torch (`.pt`, `.pth`, `.bin`): names, types and shapes of tensors, and where their bytes lie.

Such a file has its header as a pickle, which is a program: Python's own reader would import and call whatever it names.
Here it is read as data. Each of the few operations that a file of weights needs makes a plain value or puts one into a
list or a mapping. Nothing is imported or called, and any other operation or name is refused.
"""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import IO, Any

from dlrun.language.suggestions import shorten
from dlrun.safetensors_header import bits
from dlrun.shapes import Shape, numel, show

LONGEST, MOST = 1 << 24, 1 << 21
"""Bytes and operations of a pickle; a tensor takes about 150 and 35 of them."""
AXES = 64
"""The most axes of a tensor, in torch and in numpy."""
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
DAMAGES = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RuntimeError)
DAMAGES += (EOFError, struct.error, zipfile.BadZipFile)
"""What Python raises where a file is damaged, in words that are not for the user."""


class MoreThanWeightsError(ValueError):
    """The file holds something else than tensors by their names."""


class _DamagedError(ValueError):
    """What is wrong with a file, in words for the user; any other error of reading it has none."""


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

    @property
    def size(self) -> int:
        """In bytes."""
        return self.length * bits(self.type) // 8


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
    except (MoreThanWeightsError, _DamagedError):
        raise
    except DAMAGES:
        raise ValueError("its header is not one that torch writes") from None


Places = Callable[[_Storage], int]
"""Where the bytes of a storage begin.

Raises:
    _DamagedError: they are not there, or not as many as there should be.
"""


def _in_zip(stream: IO[bytes]) -> tuple[Any, Places]:
    archive = zipfile.ZipFile(stream)
    known = {entry.filename: entry for entry in archive.infolist()}
    headers = [name for name in known if name.count("/") == 1 and name.endswith("/data.pkl")]
    if len(headers) != 1:
        raise _DamagedError("it is a zip file, but not one that torch writes")
    folder = headers[0].removesuffix("data.pkl")

    def content(name: str, longest: int) -> bytes:
        entry = known[name]
        if entry.compress_type != zipfile.ZIP_STORED or not entry.compress_size == entry.file_size <= longest:
            raise _DamagedError("its header is compressed, or too long")
        return archive.read(entry)

    if (order := f"{folder}byteorder") in known and content(order, len("little")) != b"little":
        raise _DamagedError("its numbers have their high bytes first")

    def place(storage: _Storage) -> int:
        entry = known.get(f"{folder}data/{storage.key}")
        if entry is None or entry.compress_type != zipfile.ZIP_STORED or entry.file_size != storage.size:
            raise _DamagedError(f"the numbers of {shorten(storage.key)} are not there")
        stream.seek(entry.header_offset + 26)
        lengths = stream.read(4)
        after = int.from_bytes(lengths[:2], "little") + int.from_bytes(lengths[2:], "little")
        return entry.header_offset + 30 + after

    return _value(BytesIO(content(headers[0], LONGEST))), place


def _in_old(stream: IO[bytes]) -> tuple[Any, Places]:
    """The form before torch 1.6: several pickles, then the storages one after the other, each after its length."""
    content = BytesIO(stream.read(LONGEST))
    _value(content)  # the number that files of torch begin with
    _value(content)  # the version
    if _value(content).get("little_endian") is not True:
        raise _DamagedError("its numbers have their high bytes first")
    found = _value(content)
    keys = _value(content)
    types = {tensor.storage.key: tensor.storage for tensor in found.values() if isinstance(tensor, _Tensor)}
    at, starts = content.tell(), dict[str, int]()
    for key in keys:
        storage = types[key]
        stream.seek(at)
        if int.from_bytes(stream.read(8), "little") != storage.length:
            raise _DamagedError(f"the numbers of {shorten(key)} are not there")
        starts[key] = at + 8
        at += 8 + storage.size
    return found, lambda storage: starts[storage.key]


def _entry(name: str, tensor: _Tensor, place: Places, size: int) -> TorchEntry:
    storage, shape, first = tensor.storage, tensor.shape, tensor.first
    pairs = list(zip(shape, tensor.strides, strict=True))
    strides = tuple(stride if count > 1 else 0 for count, stride in pairs)  # one number has no neighbour
    if not numel(shape):
        first, strides = 0, (0,) * len(shape)
    elif first + sum((count - 1) * stride for count, stride in pairs) >= storage.length:
        raise _DamagedError(f"the tensor {shorten(name)} has {show(shape)} numbers, and its storage {storage.length}")
    start = place(storage)
    if start + storage.size > size:
        raise _DamagedError(f"it is cut off: the numbers of {shorten(name)} end behind its end")
    return TorchEntry(storage.type, shape, strides, first, start, storage.length)


def _value(stream: IO[bytes]) -> Any:
    """What the next pickle of a stream describes.

    Raises:
        MoreThanWeightsError: it names something that no file of weights does.
        _DamagedError, or one of DAMAGES: it is damaged.
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

    for count, (operation, given, _) in enumerate(pickletools.genops(stream)):
        if count > MOST:
            raise _DamagedError("its header is too long")
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
                size = int(operation.name[-1])
                stack[-size:] = [tuple(stack[-size:])]
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
    raise _DamagedError("its header has no end")


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
        storage, first, shape, strides = arguments[:4]
        if isinstance(storage, _Storage) and _counts((first,)) and _counts(shape) and _counts(strides):
            return _Tensor(storage, first, tuple(shape), tuple(strides))
    raise TypeError


def _storage(entry: tuple[Any, ...]) -> _Storage:
    word, kind, key, _, length = entry[:5]
    if (
        word != "storage"
        or not isinstance(key, str)
        or not _counts((length,))
        or entry[5:6] not in ((), (None,))  # a view of another storage
        or len(entry) > 6
    ):
        raise TypeError
    return _Storage(STORAGES[kind.name], key, length)


def _counts(values: Sequence[Any]) -> bool:
    return (
        isinstance(values, tuple)
        and len(values) <= AXES
        and all(type(value) is int and 0 <= value < 2**63 for value in values)
    )


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError
    return value


def _put(into: Any, entries: Sequence[Any]) -> None:
    """Add keys and values; a key is a text or a small number, since others may take for ever to compare."""
    if not isinstance(into, dict) or len(entries) % 2 or not all(_is_key(key) for key in entries[::2]):
        raise TypeError
    into.update(zip(entries[::2], entries[1::2], strict=True))


def _is_key(value: Any) -> bool:
    return isinstance(value, str) or (type(value) is int and 0 <= value < 2**32)
