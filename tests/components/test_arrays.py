"""Arrays by name, in files of several formats."""

from __future__ import annotations

import json
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from asking import Request, data_info, describe, load
from safetensors.torch import save_file

from dlrun.components.sources import Source, SourceError
from dlrun.language.component import choose
from dlrun.stored import StoredArray

X = np.random.default_rng(0).normal(size=(12, 3)).astype(np.float32)
Y = np.arange(12) % 3


def asked(folder: Path, source: Any, x: Any = "x", y: Any = "y", wants: Any = "classes") -> tuple[Source, Request]:
    chosen = choose("sources", source)
    assert isinstance(chosen, Source)
    return chosen, Request(folder, x and (x,), y and (y,), wants)


def refused(folder: Path, source: Any, *names: Any, loading: bool = False) -> SourceError:
    with pytest.raises(SourceError) as caught:
        (load if loading else describe)(*asked(folder, source, *names))
    return caught.value


def npy(folder: Path, x: Any = X, y: Any = Y) -> dict[str, Any]:
    np.save(folder / "x.npy", x)
    np.save(folder / "y.npy", y)
    return {"npy": ["x.npy", "y.npy"]}


def packed(folder: Path, x: Any) -> dict[str, Any]:
    np.savez_compressed(folder / "a.npz", x=x, y=Y)
    return {"npz": "a.npz"}


def tensors(folder: Path, **values: Any) -> dict[str, Any]:
    save_file({name: torch.as_tensor(value) for name, value in values.items()}, folder / "a.safetensors")
    return {"safetensors": "a.safetensors"}


def entry(dtype: str, shape: list[Any], *place: int) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": list(place)}


def of_header(folder: Path, header: Any, size: int = 16) -> dict[str, Any]:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    (folder / "a.safetensors").write_bytes(len(text).to_bytes(8, "little") + text + bytes(size))
    return {"safetensors": "a.safetensors"}


def test_the_same_arrays_in_every_format_are_the_same_bits(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "a.npz", x=X, y=Y)
    found = []
    for source in ({"npz": "a.npz"}, npy(tmp_path), tensors(tmp_path, x=X, y=Y)):
        rows = load(*asked(tmp_path, source))
        found.append((rows.features.dtype, rows.features[:].tobytes(), rows.target.tolist()))
        described = describe(*asked(tmp_path, source)), describe(*asked(tmp_path, {"npz": "a.npz"}))
        assert described[0].shape == described[1].shape
    assert found[0] == found[1] == found[2] == (X.dtype, X.tobytes(), list(map(str, Y)))


@pytest.mark.parametrize("source", ["npz", "npy", "safetensors"])
def test_whole_numbers_are_looked_through_in_pieces(
    source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("npz", "_arrays"):
        monkeypatch.setattr(f"dlrun.components.sources.{module}.BLOCK", 7)
    random = np.random.default_rng(0)
    for dtype, least, most in (("u1", 0, 256), ("u1", 0, 100), ("i8", 0, 9), ("i8", -3, 9), ("i2", -(2**15), 2**15)):
        values = random.integers(least, most, (12, 5), dtype)
        written = {"npz": packed, "npy": npy, "safetensors": lambda folder, x: tensors(folder, x=x, y=Y)}[source]
        found = describe(*asked(tmp_path, written(tmp_path, values)))
        assert found.vocabulary == (None if values.min() < 0 else values.max() + 1)
    values[11, 4] = 0
    assert describe(*asked(tmp_path, written(tmp_path, values.astype(np.int64) + 2**53))).notes


class TestNpy:
    @pytest.mark.parametrize("order", ["C", "F"])
    def test_an_array_stays_on_the_disk_in_the_order_of_c(self, order: Any, tmp_path: Path):
        values = np.arange(24, dtype=np.float32).reshape(12, 1, 2)
        features = load(*asked(tmp_path, npy(tmp_path, np.asarray(values, order=order)))).features
        assert isinstance(features, StoredArray) == (order == "C")
        assert (features[:] == values).all()

    def test_a_large_array_is_not_looked_through(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        values = np.where(np.arange(36).reshape(12, 3) == 7, np.nan, X)
        source = npy(tmp_path, values)
        error = refused(tmp_path, source)
        assert error.message == "the array 'x' holds nan at [2, 1]; numbers must be finite"
        monkeypatch.setattr("dlrun.components.sources._arrays.MOST_VALUES", 35)
        assert describe(*asked(tmp_path, source)).shape == (3,)
        assert np.isnan(load(*asked(tmp_path, source)).features[:][2, 1])

    @pytest.mark.parametrize(("stored", "loaded"), [(">f4", "f4"), ("?", "f4"), ("f2", "f2"), (">i8", "i8")])
    def test_types_are_loaded_as_from_an_npz(self, stored: str, loaded: str, tmp_path: Path):
        values = (np.arange(12) % 2).astype(stored)
        features = load(*asked(tmp_path, npy(tmp_path, values))).features
        assert features.dtype == np.dtype(loaded) and features.dtype.isnative
        assert features[:][:, 0].tolist() == values.tolist()

    @pytest.mark.parametrize(
        ("values", "message"),
        [
            (np.float32(3), "the array 'x' is a single value without rows"),
            (X[:0], "the array 'x' is empty: its shape is (0, 3)"),
            (np.zeros(12, "i4,f4"), "the array 'x' holds records, but features must be numbers"),
            (np.array([1, None] * 6), "the array 'x' holds Python objects, but features must be numbers"),
            (X[:5], "'x' has 5 rows, but 'y' has 12 rows"),
        ],
    )
    def test_arrays_that_are_no_features_are_refused(self, values: Any, message: str, tmp_path: Path):
        assert refused(tmp_path, npy(tmp_path, values)).message == message

    def test_a_damaged_file_is_named_with_the_setting_that_names_it(self, tmp_path: Path):
        source = npy(tmp_path)
        with (tmp_path / "y.npy").open("ab") as stream:
            stream.write(b"more")
        what = "(12,) values of type int64 do not take 100 bytes"
        for target in ("y", "z"):
            error = refused(tmp_path, source, "x", target)
            assert error.message == f"the array 'y' of y.npy cannot be read: {what}"
            assert error.at == ("source", "npy", "path", 1)

    def test_files_of_one_name_are_refused(self, tmp_path: Path):
        (tmp_path / "more").mkdir()
        npy(tmp_path / "more")
        npy(tmp_path)
        error = refused(tmp_path, {"npy": ["x.npy", "y.npy", "more/x.npy"]})
        assert (error.message, error.at) == ("two of the files are called x", ("source", "npy", "path", 2))


class TestSplitArrays:
    def save(self, folder: Path, **arrays: Any) -> dict[str, Any]:
        np.savez(folder / "a.npz", **arrays)
        return {"npz": "a.npz"}

    @pytest.mark.parametrize(
        ("train", "validation", "test"),
        [
            ("{}_train", "{}_val", "{}_test"),
            ("train_{}", "valid_{}", "test_{}"),
            ("{}_TRAIN", "{}_validation", "{}_Test"),
        ],
    )
    def test_parts_are_joined_and_their_rows_stay_apart(self, train: str, validation: str, test: str, tmp_path: Path):
        cuts = {test: slice(9, 12), train: slice(0, 6), validation: slice(6, 9)}
        arrays = {
            name.format(letter): values[cut] for name, cut in cuts.items() for letter, values in (("x", X), ("y", Y))
        }
        source, request = asked(tmp_path, self.save(tmp_path, **arrays), None, None)
        found = data_info(source, request)
        assert found.table.own_splits == {"validation": range(6, 9), "test": range(9, 12)}
        rows = load(source, request)
        assert (rows.features == X).all() and rows.target.tolist() == list(map(str, Y))
        source, request = asked(tmp_path, {"npz": "a.npz"}, train.format("x"), train.format("y"))
        found = data_info(source, request)
        assert (found.rows, found.table.own_splits) == (6, {})

    def test_the_words_that_say_what_is_predicted(self, tmp_path: Path):
        arrays = {"train_images": X, "test_images": X[:4], "train_labels": Y, "test_labels": Y[:4]}
        found = data_info(*asked(tmp_path, self.save(tmp_path, **arrays), None, None))
        assert (found.features["input"].fields, found.targets["target"].fields) == (("images",), ("labels",))

    @pytest.mark.parametrize(
        ("arrays", "message"),
        [
            (
                {"x_test": X[:2, :2]},
                "'x' is x_train and x_test, but the shape of 'x_train' is (12, 3), and that of 'x_test' is (2, 2)",
            ),
            (
                {"x_test": X[:2].astype(np.uint8)},
                "'x' is x_train and x_test, but 'x_train' holds values of type float32, and 'x_test' of type uint8",
            ),
            (
                {"x_test": X[:2], "x_val": X[:2]},
                "'x' has 12 rows for training, 2 for validation, 2 for test, but "
                "'y' has 12 rows for training, 2 for test",
            ),
        ],
    )
    def test_parts_that_do_not_fit_each_other_are_refused(self, arrays: Any, message: str, tmp_path: Path):
        source = self.save(tmp_path, x_train=X, y_train=Y, y_test=Y[:2], **arrays)
        assert refused(tmp_path, source, None, None).message == message

    def test_without_a_pair_names_mean_nothing(self, tmp_path: Path):
        source = self.save(tmp_path, x_train=X, y_train=Y)
        assert data_info(*asked(tmp_path, source, "x_train", "y_train")).table.own_target is None
        source = self.save(tmp_path, x_val=X, x_valid=X, x_train=X, y=Y)  # two arrays for one part
        assert set(data_info(*asked(tmp_path, source, "x_train", "y")).table.fields) == {
            "x_val",
            "x_valid",
            "x_train",
            "y",
        }


class TestZip:
    @pytest.mark.filterwarnings("ignore:Duplicate name")
    def test_two_arrays_of_one_name_are_refused(self, tmp_path: Path):
        np.savez(tmp_path / "a.npz", x=X, y=Y)
        with zipfile.ZipFile(tmp_path / "a.npz", "a") as archive:
            archive.writestr("x.npy", archive.read("x.npy"))
        assert refused(tmp_path, {"npz": "a.npz"}).message == "a.npz holds two arrays called 'x'"

    def test_more_than_deflate_can_hold_is_refused_unread(self, tmp_path: Path):
        header = b"{'descr': '|u1', 'fortran_order': False, 'shape': (4000000000,), }\n"
        start = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header
        np.savez(tmp_path / "a.npz", y=Y)
        with zipfile.ZipFile(tmp_path / "a.npz", "a", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("x.npy", start)
        content = (tmp_path / "a.npz").read_bytes()
        size, claimed = (len(start)).to_bytes(4, "little"), (len(start) + 4_000_000_000).to_bytes(4, "little")
        (tmp_path / "a.npz").write_bytes(content.replace(size, claimed))
        message = refused(tmp_path, {"npz": "a.npz"}).message
        assert message.startswith("the array 'x' of a.npz cannot be read: ") and "cannot hold 4000000" in message

    def test_what_is_deflated_beyond_the_size_in_the_directory_is_not_read(self, tmp_path: Path):
        """A member of 64 MB of zeros whose directory and header speak of 12 bytes."""
        stream = zlib.compressobj(9, zlib.DEFLATED, -15)
        header = b"{'descr': '|u1', 'fortran_order': False, 'shape': (12,), }\n"
        start = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header
        packed = stream.compress(start + bytes(1 << 26)) + stream.flush()
        np.savez(tmp_path / "a.npz", y=Y)
        with zipfile.ZipFile(tmp_path / "a.npz", "a") as archive:
            archive.writestr("x.npy", packed)
        content = bytearray((tmp_path / "a.npz").read_bytes())
        for signature, at in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):  # the method and the size of the last member
            place = content.rindex(signature)
            content[place + at : place + at + 2] = (8).to_bytes(2, "little")
            content[place + at + 14 : place + at + 18] = (len(start) + 12).to_bytes(4, "little")
        (tmp_path / "a.npz").write_bytes(content)
        error = refused(tmp_path, {"npz": "a.npz"}, loading=True)
        assert error.message.startswith("the array 'x' of a.npz cannot be read: ")


class TestSafetensors:
    def test_bfloat16_becomes_float32_of_the_same_value(self, tmp_path: Path):
        values = torch.tensor(X).bfloat16()
        rows = load(*asked(tmp_path, tensors(tmp_path, x=values, y=Y)))
        assert rows.features.dtype == np.float32
        assert torch.equal(torch.from_numpy(rows.features.copy()), values.float())

    @pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.int16, torch.uint8, torch.bool])
    def test_every_type_is_read_as_the_library_reads_it(self, dtype: torch.dtype, tmp_path: Path):
        values = torch.tensor(Y[:, None]).to(dtype)
        rows = load(*asked(tmp_path, tensors(tmp_path, x=values, y=Y)))
        assert rows.features[:].tolist() == values.tolist()

    def test_a_type_that_numpy_has_not_is_named(self, tmp_path: Path):
        source = tensors(tmp_path, x=torch.zeros(12, 2).to(torch.float8_e4m3fn), y=Y)
        error = refused(tmp_path, source)
        assert error.message == "the array 'x' holds values of type F8_E4M3, which numpy has not"
        assert describe(*asked(tmp_path, tensors(tmp_path, x=X, y=Y, notes=torch.ones(1)))).rows == 12

    @pytest.mark.parametrize(
        ("header", "what"),
        [
            (b"", "its first 8 bytes are not the length of a header"),
            (b"{" * 9, "the header is not JSON"),
            (b"[" * 100_000, "the header is nested too deep"),
            (b"[]", "the header does not name tensors"),
            (b'{"x": 1, "x": 2}', "the header has a name twice"),
            ({"x": 3}, "the header does not say type, shape and place of 'x'"),
            ({"x": entry("F32", [True], 0, 4)}, "the header does not say type, shape"),
            ({"x": entry("F32", [-4], 0, 16)}, "the header does not say type, shape"),
            ({"x": entry("Q8", [16], 0, 16)}, "the tensor 'x' has the type 'Q8'"),
            ({"x": entry("F32", [3], 0, 16)}, "(3,) values of type F32 do not take the 16"),
            ({"x": entry("F32", [2**62], 0, 2**63)}, "the header does not say type, shape"),
            (
                {name: entry("F32", [2], at, at + 8) for name, at in (("x", 0), ("y", 4))},
                "the tensor 'y' overlaps the tensor before it",
            ),
            (
                {name: entry("F32", [1], at, at + 4) for name, at in (("x", 0), ("y", 12))},
                "the tensor 'y' does not begin where the one before it ends",
            ),
            ({"x": entry("F32", [3], 0, 12)}, "the header has 12 bytes of tensors, and 16"),
        ],
    )
    def test_a_damaged_header_is_one_error(self, header: Any, what: str, tmp_path: Path):
        error = refused(tmp_path, of_header(tmp_path, header))
        assert error.message.startswith(f"a.safetensors is not a safetensors file, or is damaged: {what}")
        assert error.at == ("source", "safetensors", "path")
