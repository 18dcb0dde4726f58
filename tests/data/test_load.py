from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlrun.components.sources import SourceError
from dlrun.data.load import Answers, Loaded, load
from dlrun.language.component import choose_some
from dlrun.language.experiment import DataSection, as_tuple
from dlrun.plan.describe_data import describe


def section(**settings: Any) -> DataSection:
    return DataSection.read(settings)


def losses(*written: Any) -> tuple[Any, ...]:
    return as_tuple(choose_some("losses", list(written)))


def loaded(folder: Path, data: DataSection, *written: Any, seed: int = 1) -> Loaded:
    judging = losses(*(written or ("cross_entropy",)))
    return load(data, describe(data, judging, folder), seed)


def answers(folder: Path, data: DataSection, *written: Any) -> Answers:
    return loaded(folder, data, *written).targets["target"]


def csv(folder: Path, text: str, **settings: Any) -> DataSection:
    (folder / "t.csv").write_text(text)
    return section(source={"csv": "t.csv"}, **settings)


def test_classes_become_numbers_in_the_order_of_the_labels(tmp_path: Path):
    data = csv(tmp_path, "x,y\n1,10\n2,9\n3,10\n4,2\n", target="y")
    found = answers(tmp_path, data)
    assert found.labels == ("2", "9", "10")
    assert (found.values.dtype, found.values.tolist()) == (np.int8, [2, 1, 2, 0])
    assert found.classes is not None
    assert found.classes.tolist() == found.values.tolist()


def test_classes_of_scikit_learn_keep_their_published_numbers(tmp_path: Path):
    from sklearn import datasets

    for name in ("digits", "iris", "wine", "breast_cancer"):
        bunch = getattr(datasets, f"load_{name}")()
        found = answers(tmp_path, section(source={"sklearn": name}))
        assert (found.values == bunch.target).all()


def test_one_yes_or_no_becomes_a_column_of_0_and_1(tmp_path: Path):
    data = csv(tmp_path, "x,y\n1,yes\n2,no\n3,yes\n", target="y")
    found = answers(tmp_path, data, {"binary_cross_entropy": {"of": "yes"}})
    assert (found.values.dtype, found.values.tolist()) == (np.float32, [[1], [0], [1]])
    rarer = answers(tmp_path, data, "binary_cross_entropy")
    assert rarer.values.tolist() == [[0], [1], [0]]
    assert found.classes is not None
    assert found.classes.tolist() == [1, 0, 1]


def test_several_yes_or_no_become_as_many_columns(tmp_path: Path):
    data = csv(tmp_path, "x,p,q\n1,1,0\n2,0,0\n", target=["p", "q"])
    found = answers(tmp_path, data, "binary_cross_entropy")
    assert (found.values.dtype, found.values.tolist()) == (np.float32, [[1, 0], [0, 0]])
    assert (found.labels, found.classes) == (None, None)


def test_numbers_become_float32_columns(tmp_path: Path):
    found = answers(tmp_path, csv(tmp_path, "x,y\n1,0.5\n2,3\n", target="y"), "mse")
    assert (found.values.dtype, found.values.tolist()) == (np.float32, [[0.5], [3]])
    np.savez(tmp_path / "a.npz", x=np.ones((2, 3)), y=np.array([[1, 2], [3, 4]]), z=[5, 6])
    for target, expected in (("y", [[1, 2], [3, 4]]), ("z", [[5], [6]])):
        data = section(source={"npz": "a.npz"}, features="x", target=target)
        found = answers(tmp_path, data, "mse")
        assert (found.values.dtype, found.values.tolist()) == (np.float32, expected)


def test_classes_of_an_npz_can_be_numbers_truths_or_texts(tmp_path: Path):
    for values in ([7, 3, 7], [True, False, True], ["b", "a", "b"], [7.0, 3.0, 7.0]):
        np.savez(tmp_path / "a.npz", x=np.ones((3, 2)), y=np.array(values))
        data = section(source={"npz": "a.npz"}, features="x", target="y")
        assert answers(tmp_path, data).values.tolist() == [1, 0, 1]


def test_a_target_too_large_for_float32_is_refused_with_its_row(tmp_path: Path):
    data = csv(tmp_path, "x,y\n1,0.5\n2,1e39\n", target="y")
    with pytest.raises(SourceError) as caught:
        loaded(tmp_path, data, "mse")
    assert caught.value.message == "row 1 has the target 1e+39, too large for float32"
    assert caught.value.at == ("target",)


def test_the_digest_shows_whether_type_shape_or_any_byte_changed(tmp_path: Path):
    x, y = np.arange(12.0).reshape(3, 4), np.array([0, 1, 2])
    changed = x.copy()
    changed[1, 1] = np.nextafter(changed[1, 1], 9)
    variants = [(x, y), (changed, y), (x.astype("f4"), y), (x.reshape(3, 2, 2), y), (x, y[::-1])]
    digests = []
    for features, target in variants:
        np.savez(tmp_path / "a.npz", x=features, y=target)
        data = section(source={"npz": "a.npz"}, features="x", target="y")
        digests.append(loaded(tmp_path, data).digest)
        assert loaded(tmp_path, data).digest == digests[-1]
    assert len(set(digests)) == len(variants)
    assert all(len(digest) == 64 for digest in digests)


def test_the_split_digest_follows_the_rows_of_the_splits_alone(tmp_path: Path):
    one = loaded(tmp_path, section(source={"sklearn": "iris"}), seed=1)
    other = loaded(tmp_path, section(source={"sklearn": "iris"}), seed=2)
    again = loaded(tmp_path, section(source={"sklearn": "iris"}, split={"seed": 1}), seed=2)
    assert one.digest == other.digest
    assert one.split_digest != other.split_digest
    assert one.split_digest == again.split_digest


def test_the_same_rows_in_other_splits_have_another_digest(tmp_path: Path):
    both = [{"validation": 0.2, "test": 0}, {"validation": 0, "test": 0.2}]
    digests = {loaded(tmp_path, section(source={"sklearn": "iris"}, split=s)).split_digest for s in both}
    assert len(digests) == 2


def test_stratifying_names_the_class_that_is_too_small(tmp_path: Path):
    text = "x,y\n" + "1,cat\n" * 20 + "2,dog\n"
    with pytest.raises(SourceError, match="class 'dog' has 1 row, too few"):
        loaded(tmp_path, csv(tmp_path, text, target="y", split={"stratify": True}))


def test_a_file_is_read_once_so_that_a_change_after_that_changes_nothing(tmp_path: Path):
    data = csv(tmp_path, "x,y\n1,a\n2,b\n3,b\n", target="y")
    data_info = describe(data, losses("cross_entropy"), tmp_path)
    (tmp_path / "t.csv").write_text("x,y\n1,a\n2,c\n")
    assert load(data, data_info, 1).features["input"].tolist() == [[1], [2], [3]]


def test_an_archive_that_changes_after_it_was_described_is_refused(tmp_path: Path):
    np.savez(tmp_path / "a.npz", x=np.ones((9, 2)), y=np.arange(9) % 3)
    data = section(source={"npz": "a.npz"}, target="y", features="x")
    data_info = describe(data, losses("cross_entropy"), tmp_path)
    np.savez(tmp_path / "a.npz", x=np.ones((8, 2)), y=np.arange(8) % 3)
    with pytest.raises(SourceError, match=r"the data changed while it was read: \(8, 2\) numbers, and \(9, 2\)"):
        load(data, data_info, 1)
