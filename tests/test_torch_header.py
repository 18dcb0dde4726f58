"""Files of weights that torch writes, read as data: what is in them is what torch reads, and nothing of them is run."""

from __future__ import annotations

import collections
import pickle
import re
import sys
import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from strategies import draws
from torch import nn

from dlrun.network.weights_file import tensors_in, weights_in
from dlrun.plan.start_weights import Taken
from dlrun.torch_header import MOST, MoreThanWeightsError, is_torch, read_torch_header

TYPES = [torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.int16]
TYPES += [torch.int8, torch.uint8, torch.bool]


def saved(value: Any, old: bool = False) -> bytes:
    stream = BytesIO()
    torch.save(value, stream, _use_new_zipfile_serialization=not old)
    return stream.getvalue()


def every_sort_of_tensor() -> dict[str, torch.Tensor]:
    found = {str(kind): (torch.arange(12) - 3).reshape(3, 4).to(kind) for kind in TYPES}
    whole = torch.randn(5, 6)
    return found | {
        "whole": whole,
        "a part of it": whole[1:3, ::2],
        "turned": whole.T,
        "one number": torch.tensor(3),
        "none": torch.zeros(0, 4),
        "a parameter": nn.Parameter(torch.randn(3)),
        "channels last": torch.randn(2, 3, 4, 5).to(memory_format=torch.channels_last),
    }


@pytest.mark.parametrize("old", [False, True])
@pytest.mark.parametrize("make", [dict, collections.OrderedDict])
def test_every_sort_of_tensor_is_what_torch_reads(old: bool, make: Any) -> None:
    data = saved(make(every_sort_of_tensor()), old)
    wanted = torch.load(BytesIO(data), weights_only=True)
    assert is_torch(data) is True
    header = read_torch_header(BytesIO(data))
    assert {name: entry.shape for name, entry in header.items()} == {n: tuple(t.shape) for n, t in wanted.items()}
    found = tensors_in(data, list(header))
    for name, tensor in wanted.items():
        assert found[name].dtype == tensor.dtype
        assert torch.equal(found[name], tensor), name


@pytest.mark.parametrize("old", [False, True])
def test_the_weights_of_a_module_are_what_torch_reads(old: bool) -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.LSTM(4, 5, bidirectional=True))
    data = saved(network.state_dict(), old)
    found = tensors_in(data, list(read_torch_header(BytesIO(data))))
    assert found.keys() == network.state_dict().keys()
    assert all(torch.equal(found[name], value) for name, value in network.state_dict().items())


@pytest.mark.parametrize("old", [False, True])
def test_a_transposed_weight_has_its_axes_exchanged_and_a_bias_stays(old: bool) -> None:
    weight, bias = torch.randn(3, 2), torch.randn(2)
    taken = {"new.weight": Taken(("weight",), transposed=True), "new.bias": Taken(("bias",), transposed=True)}
    found = weights_in(saved({"weight": weight, "bias": bias}, old), taken)
    assert torch.equal(found["new.weight"], weight.t())
    assert torch.equal(found["new.bias"], bias)


class Planted:
    """Writes a file when it is unpickled."""

    def __init__(self, file: Path):
        self.file = file

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.file,)


@pytest.mark.parametrize("old", [False, True])
def test_a_program_in_the_place_of_a_weight_is_refused_and_not_run(tmp_path: Path, old: bool) -> None:
    data = saved({"weight": torch.zeros(3), "more": Planted(tmp_path / "planted")}, old)
    with pytest.raises(MoreThanWeightsError, match=r"it names 'pathlib.*Path|getattr|touch"):
        read_torch_header(BytesIO(data))
    assert not (tmp_path / "planted").exists()


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (nn.Linear(2, 3), "it names 'torch.nn.modules.linear.Linear', which is no part of weights"),
        ({"model": {"weight": torch.zeros(2)}, "epoch": 3}, "these of its entries are no tensors: 'model', 'epoch'"),
        ([torch.zeros(2)], "it holds no mapping from names to tensors"),
        (torch.zeros(2), "it holds no mapping from names to tensors"),
        ({3: torch.zeros(2)}, "these of its entries are no tensors: those without a name"),
        ({"sparse": torch.eye(2).to_sparse()}, "it names 'torch._utils._rebuild_sparse_tensor'"),
    ],
)
def test_a_file_with_more_than_weights_is_refused(value: Any, message: str) -> None:
    with pytest.raises(MoreThanWeightsError) as caught:
        read_torch_header(BytesIO(saved(value)))
    assert message in str(caught.value)


def test_nothing_is_imported_or_looked_up(tmp_path: Path) -> None:
    data = saved(nn.Linear(2, 3).state_dict())
    events: list[str] = []
    watching = True
    sys.addaudithook(lambda event, _: events.append(event) if watching else None)
    read_torch_header(BytesIO(data))
    watching = False
    assert not {"pickle.find_class", "exec", "compile", "open"} & set(events)


def test_a_compressed_header_is_refused_before_it_is_unpacked() -> None:
    data, stream = saved({"weight": torch.zeros(3)}), BytesIO()
    with zipfile.ZipFile(BytesIO(data)) as old, zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
    with pytest.raises(ValueError, match="its header is compressed"):
        read_torch_header(BytesIO(stream.getvalue()))


def zipped(header: bytes, how: int = zipfile.ZIP_STORED, **others: bytes) -> bytes:
    """A file of torch with a pickle made by hand, and the number 1.5 in the storage 0."""
    stream = BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("a/data.pkl", b"\x80\x02" + header)
        archive.writestr("a/data/0", b"\x00\x00\xc0\x3f")
        for name, content in others.items():
            archive.writestr(f"a/{name}", content, how)
    return stream.getvalue()


STORAGE = b"X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x01"
LARGE = b"\x8a\x08" + b"\xff" * 7 + b"\x7f"


def tensor(first: bytes, shape: bytes, strides: bytes) -> bytes:
    parts = b"(" + b"(" + STORAGE + b"tQ" + first + shape + strides + b"\x89}t"
    return b"}X\x01\x00\x00\x00wctorch._utils\n_rebuild_tensor_v2\n" + parts + b"Rs."


def colliding(count: int) -> bytes:
    """Numbers that a dictionary takes for equal until it has compared each with each."""
    keys = (((2**61 - 1) * number).to_bytes(12, "little") for number in range(1, count))
    return b"}(" + b"".join(b"\x8a\x0c" + key + b"N" for key in keys) + b"u."


@pytest.mark.parametrize(
    "header",
    [
        b"}(K\x01\x85" + b"q\x00h\x00h\x00\x86" * 60 + b"K\x01u.",
        colliding(100_000),
        tensor(
            b"K\x00", b"(" + LARGE + b"q\x00" + b"h\x00" * 500_000 + b"t", b"(K\x00q\x01" + b"h\x01" * 500_000 + b"t"
        ),
        b"](" + b"N" * MOST + b"e.",
        b"](" + b"(" + STORAGE + b"N" * 300_000 + b"tq\x00" + b"h\x00Q" * 300_000 + b"e.",
    ],
    ids=["nested keys", "keys of one hash", "many axes", "many operations", "long entry of a storage"],
)
def test_a_header_that_would_take_for_ever_is_refused(header: bytes) -> None:
    with pytest.raises(ValueError, match=r"not one that torch writes|too long"):
        read_torch_header(BytesIO(zipped(header)))


@pytest.mark.parametrize("how", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_the_order_of_bytes_is_not_unpacked_either(how: int) -> None:
    with pytest.raises(ValueError, match="its header is compressed"):
        read_torch_header(BytesIO(zipped(b"}.", how, byteorder=b"little")))


def test_strides_that_nothing_depends_on_may_be_any() -> None:
    one = zipped(tensor(b"K\x00", b"K\x01\x85", LARGE + b"\x85"))
    read_torch_header(BytesIO(one))
    assert tensors_in(one, ["w"])["w"].tolist() == [1.5]
    none = zipped(tensor(LARGE, b"K\x00\x85", LARGE + b"\x85"))
    read_torch_header(BytesIO(none))
    assert tensors_in(none, ["w"])["w"].tolist() == []


def test_another_zip_file_is_refused_in_words() -> None:
    stream = BytesIO()
    np.savez(stream, weight=np.zeros(3))
    with pytest.raises(ValueError, match="it is a zip file, but not one that torch writes"):
        read_torch_header(BytesIO(stream.getvalue()))


def test_a_storage_that_ends_behind_every_file_is_refused() -> None:
    data = saved({"a": torch.zeros(3), "b": torch.zeros(3)}, old=True)
    length = (2**62).to_bytes(8, "little")
    changed = data.replace(b"K\x03Nt", b"\x8a\x08" + length + b"Nt").replace(b"\x03" + bytes(7), length)
    assert len(changed) > len(data)
    with pytest.raises(ValueError, match="its header is not one that torch writes"):
        read_torch_header(BytesIO(changed))


@pytest.mark.parametrize("old", [False, True])
def test_a_changed_file_is_read_or_refused_in_words(old: bool) -> None:
    data = saved(nn.Linear(2, 3).state_dict(), old)

    places = st.integers(0, len(data) - 1) | st.integers(1, 400).map(lambda back: len(data) - back)
    parts = st.binary(max_size=8) | st.sampled_from([b"\xff" * 4, b"\xff" * 8])

    @draws(500)
    @given(st.lists(st.tuples(places, st.integers(0, 8), parts), min_size=1, max_size=4), st.booleans(), places)
    def holds(changes: list[tuple[int, int, bytes]], cut: bool, end: int) -> None:
        changed = bytearray(data)
        for place, count, part in changes:
            changed[place : place + count] = part
        content = bytes(changed[:end] if cut else changed)
        try:
            header = read_torch_header(BytesIO(content))
        except ValueError as error:
            assert re.fullmatch(r"(it|its|the|these) .*", str(error)), error
            return
        tensors_in(content, [name for name, entry in header.items() if entry.shape in ((3, 2), (3,))])

    holds()


def test_a_pickle_alone_is_no_file_of_torch() -> None:
    assert not is_torch(pickle.dumps({"weight": 3}))
