"""Files of weights that torch writes, read as data: what is in them is what torch reads, and nothing of them is run."""

from __future__ import annotations

import collections
import pickle
import sys
import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from strategies import draws
from torch import nn

from dlrun.network.weights_file import tensors_in, weights_in
from dlrun.plan.start_weights import Taken
from dlrun.torch_header import MoreThanWeightsError, is_torch, read_torch_header

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


def test_a_key_that_would_take_for_ever_to_compare_is_refused() -> None:
    nested = b"\x80\x02}(K\x01\x85" + b"q\x00h\x00h\x00\x86" * 60 + b"K\x01u."
    stream = BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("a/data.pkl", nested)
    with pytest.raises(ValueError, match="not one that torch writes"):
        read_torch_header(BytesIO(stream.getvalue()))


@pytest.mark.parametrize("old", [False, True])
def test_a_changed_file_is_read_or_refused_in_words(old: bool) -> None:
    data = saved(nn.Linear(2, 3).state_dict(), old)

    @draws(300)
    @given(st.lists(st.tuples(st.integers(0, len(data) - 1), st.integers(0, 255)), min_size=1, max_size=4), st.data())
    def holds(changes: list[tuple[int, int]], more: Any) -> None:
        changed = bytearray(data)
        for place, value in changes:
            changed[place] = value
        cut = more.draw(st.integers(len(data) // 2, len(data)))
        try:
            header = read_torch_header(BytesIO(bytes(changed[:cut])))
        except ValueError as error:
            assert str(error)
            return
        few = [name for name, entry in header.items() if entry.shape in ((3, 2), (3,))]
        tensors_in(bytes(changed[:cut]), few)

    holds()


def test_a_pickle_alone_is_no_file_of_torch() -> None:
    assert not is_torch(pickle.dumps({"weight": 3}))
