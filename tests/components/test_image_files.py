"""The files of MNIST and its relatives, and of CIFAR."""

from __future__ import annotations

import gzip
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from array_files import TYPES, idx, write_cifar, write_idx
from asking import Request, data_info, describe, load
from places import SPECS
from sklearn.datasets import load_digits

from dlrun.components.sources import Source, SourceError
from dlrun.language.component import choose

LABELS = np.arange(20) % 10
FILES = "train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte"


def asked(folder: Path, source: Any, target: str | None = None, wants: Any = "classes") -> tuple[Source, Request]:
    chosen = choose("sources", source)
    assert isinstance(chosen, Source)
    return chosen, Request(folder, None, target and (target,), wants)  # type: ignore[arg-type]


def refused(folder: Path, source: Any, *more: Any, loading: bool = False) -> SourceError:
    with pytest.raises(SourceError) as caught:
        (load if loading else describe)(*asked(folder, source, *more))
    return caught.value


class TestIdx:
    @pytest.mark.parametrize("packed", [False, True])
    def test_images_have_a_channel_and_the_rows_of_t10k_are_the_test(self, packed: bool, tmp_path: Path):
        pictures = write_idx(tmp_path / "mnist", LABELS, packed=packed)
        source, request = asked(tmp_path, {"idx": "mnist"})
        found, rows = data_info(source, request), load(source, request)
        assert (found.features["input"].shape, found.table.own_splits) == ((1, 28, 28), {"test": range(18, 20)})
        assert rows.features.dtype == np.uint8 and (rows.features[:, 0] == pictures).all()
        assert rows.target.tolist() == list(map(str, LABELS))

    def test_a_set_is_chosen_where_the_folder_has_several(self, tmp_path: Path):
        write_idx(tmp_path / "emnist", LABELS, "emnist-letters-", "test", packed=True)
        assert describe(*asked(tmp_path, {"idx": "emnist"})).rows == 20
        write_idx(tmp_path / "emnist", LABELS[:12], "emnist-digits-", "test")
        error = refused(tmp_path, {"idx": "emnist"})
        assert error.message == "the folder emnist has several sets, emnist-digits, emnist-letters"
        assert error.hint == "choose one: `idx: {path: …, set: emnist-letters}`"
        assert describe(*asked(tmp_path, {"idx": {"path": "emnist", "set": "emnist-digits"}})).rows == 12
        error = refused(tmp_path, {"idx": {"path": "emnist", "set": "digits"}})
        assert (error.message, error.at) == (
            "the folder emnist has no files whose names begin with 'digits'",
            ("source", "idx", "set"),
        )

    @pytest.mark.parametrize("kind", TYPES)
    @pytest.mark.parametrize("axes", [(), (5,), (2, 3, 4, 5)])
    def test_every_type_and_any_number_of_axes(self, kind: str, axes: tuple[int, ...], tmp_path: Path):
        write_idx(tmp_path / "data", LABELS)
        values = np.random.default_rng(0).integers(0, 100, (20, *axes)).astype(kind)
        for name, rows in (("train", slice(18)), ("t10k", slice(18, 20))):
            (tmp_path / "data" / f"{name}-images-idx3-ubyte").write_bytes(idx(values[rows]))
        rows = load(*asked(tmp_path, {"idx": "data"}))
        assert rows.features.dtype == np.dtype(kind) and (rows.features == values.reshape(20, *(axes or (1,)))).all()

    def test_the_files_that_are_missing_are_named_with_those_that_are_there(self, tmp_path: Path):
        error = refused(tmp_path, {"idx": "mnist"})
        assert error.message == "the folder mnist does not exist"
        assert error.hint.endswith(f"these files belong there, for nothing is downloaded: {FILES}")
        (tmp_path / "mnist").mkdir()
        error = refused(tmp_path, {"idx": "mnist"})
        assert error.message == "the folder mnist has none of the files that are expected"
        assert error.hint.startswith(f"missing: {FILES}; put them into {tmp_path}")
        write_idx(tmp_path / "mnist", LABELS, packed=True)
        (tmp_path / "mnist/t10k-labels-idx1-ubyte.gz").unlink()
        error = refused(tmp_path, {"idx": "mnist"})
        assert (error.message, error.at) == (
            "the folder mnist lacks 1 of the 4 files that are expected",
            ("source", "idx", "path"),
        )
        assert error.hint == (
            "missing: t10k-labels-idx1-ubyte; found: train-images-idx3-ubyte.gz, train-labels-idx1-ubyte.gz, "
            "t10k-images-idx3-ubyte.gz; each may end in .gz"
        )

    def test_the_rows_of_images_and_labels_must_agree(self, tmp_path: Path):
        write_idx(tmp_path / "mnist", LABELS)
        (tmp_path / "mnist/train-labels-idx1-ubyte").write_bytes(idx(LABELS[:7].astype("u1")))
        message = "'image' has 18 rows for training, 2 for test, but 'label' has 7 rows for training, 2 for test"
        assert refused(tmp_path, {"idx": "mnist"}).message == message

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (b"", "it does not begin as an idx file: two bytes of 0, the type, the number of axes"),
            (b"\0\0\x0a\1" + bytes(9), "it does not begin as an idx file"),
            (b"\0\0\x08\3\0\0\0\1", "it ends before the sizes of its 3 axes"),
            (b"\0\0\x08\1\0\0\0\x12" + bytes(17), "its 17 bytes of values are not (18,) of type uint8"),
            (b"\0\0\x08\1\0\0\0\x12" + bytes(19), "its "),
            (b"\0\0\x08\xff" + bytes(4 * 255), "it has 255 axes, and at most 32 are read"),
            (b"\0\0\x08\3" + b"\xff" * 12, "its "),
        ],
    )
    @pytest.mark.parametrize("packed", [False, True])
    def test_a_damaged_file_is_named(self, content: bytes, message: str, packed: bool, tmp_path: Path):
        write_idx(tmp_path / "mnist", LABELS, packed=packed)
        name = "train-labels-idx1-ubyte" + (".gz" if packed else "")
        (tmp_path / "mnist" / name).write_bytes(gzip.compress(content) if packed else content)
        error = refused(tmp_path, {"idx": "mnist"}, loading=True)
        assert error.message.startswith(f"{name} cannot be read: {message}")
        assert error.at == ("source", "idx", "path")

    def test_a_compressed_file_that_is_cut_off_is_named(self, tmp_path: Path):
        write_idx(tmp_path / "mnist", LABELS, packed=True)
        file = tmp_path / "mnist/train-images-idx3-ubyte.gz"
        file.write_bytes(file.read_bytes()[:-100])
        assert refused(tmp_path, {"idx": "mnist"}, loading=True).message.startswith(f"{file.name} cannot be read: ")

    def test_the_shipped_digits_are_those_of_scikit_learn(self, tmp_path: Path):
        subprocess.run(
            [sys.executable, SPECS / "data" / "make_digits_idx.py", tmp_path / "made"], check=True, timeout=60
        )
        for file in sorted((SPECS / "data" / "digits-idx").iterdir()):
            assert gzip.decompress(file.read_bytes()) == gzip.decompress((tmp_path / "made" / file.name).read_bytes())
        source, request = asked(SPECS, {"idx": "data/digits-idx"})
        images, labels = load_digits(return_X_y=True)
        rows = load(source, request)
        assert np.abs(rows.features.reshape(-1, 64) * (16 / 255) - images).max() <= 0.5 * 16 / 255
        assert rows.target.tolist() == labels.astype(str).tolist()
        assert data_info(source, request).table.own_splits == {"test": range(1500, 1797)}


class TestCifar:
    def test_the_ten_classes(self, tmp_path: Path):
        pictures = write_cifar(tmp_path / "ten", LABELS)
        source, request = asked(tmp_path, {"cifar": "ten"})
        found, rows = data_info(source, request), load(source, request)
        assert found.table.own_splits == {"test": range(18, 20)}
        assert rows.features.dtype == np.uint8 and (rows.features == pictures).all()
        assert rows.target.tolist() == list(map(str, LABELS))
        (tmp_path / "ten/batches.meta.txt").write_text("\n".join("jihgfedcba") + "\n\n")
        assert load(source, request).target.tolist() == [*"jihgfedcba"] * 2

    def test_the_hundred_classes_have_coarse_ones(self, tmp_path: Path):
        coarse = LABELS // 3
        pictures = write_cifar(tmp_path / "hundred", LABELS, coarse)
        source, request = asked(tmp_path, {"cifar": "hundred"})
        assert (load(source, request).features == pictures).all()
        assert load(source, request).target.tolist() == list(map(str, LABELS))
        source, request = asked(tmp_path, {"cifar": "hundred"}, "coarse_label")
        assert load(source, request).target.tolist() == list(map(str, coarse))
        assert describe(source, request).shape == (3, 32, 32)

    def test_a_folder_without_the_files_says_which_belong_there(self, tmp_path: Path):
        (tmp_path / "data").mkdir()
        error = refused(tmp_path, {"cifar": "data"})
        assert error.message == "the folder data has none of the files that are expected"
        assert "missing: data_batch_1.bin, " in error.hint
        assert error.hint.endswith("; for CIFAR-100: train.bin, test.bin")
        (tmp_path / "data/data_batch_1").write_bytes(b"")
        error = refused(tmp_path, {"cifar": "data"})
        assert error.message == "the folder data has the files for Python, which can hold code"
        assert error.hint == "take the binary version, cifar-10-binary.tar.gz"
        write_cifar(tmp_path / "data", LABELS)
        (tmp_path / "data/data_batch_3.bin").unlink()
        assert (
            refused(tmp_path, {"cifar": "data"}).message == "the folder data lacks 1 of the 6 files that are expected"
        )

    def test_damaged_files_are_named(self, tmp_path: Path):
        write_cifar(tmp_path / "ten", LABELS)
        file = tmp_path / "ten/data_batch_2.bin"
        content = file.read_bytes()
        file.write_bytes(content + b"0")
        message = "the array 'image' of data_batch_2.bin cannot be read: its 3074 bytes are not rows of 3073 bytes"
        assert refused(tmp_path, {"cifar": "ten"}).message == message
        file.write_bytes(b"\x0a" + content[1:])
        message = "the array 'label' holds 10 at [1], but the classes are 0 to 9"
        assert refused(tmp_path, {"cifar": "ten"}).message == message
        file.write_bytes(content)
        (tmp_path / "ten/batches.meta.txt").write_text("airplane\n")
        assert refused(tmp_path, {"cifar": "ten"}).message == "batches.meta.txt has 1 names, and there are 10 classes"
