from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from asking import Request, Rows, SourceInfo, describe, load
from pydantic import ValidationError
from sklearn import datasets

from dlrun.components.sources import Source, SourceError, resolve
from dlrun.components.sources.csv import Csv
from dlrun.components.sources.npz import Npz
from dlrun.components.sources.sklearn import PUBLISHED, Sklearn
from dlrun.language.component import choose
from dlrun.language.labels import class_labels
from dlrun.language.target_kind import TargetKind

FRUIT = "width,height,class\n1.5,2,apple\n3,4e0,pear\n\n5,6,apple\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "fruit.csv").write_text(FRUIT)
    return tmp_path


def ask(folder: Path, target: Any = None, features: Any = None, wants: TargetKind = "classes") -> Request:
    def names(value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    return Request(folder, names(features), names(target), wants)


def table(folder: Path, text: str | bytes, name: str = "t.csv") -> Path:
    (folder / name).write_bytes(text.encode() if isinstance(text, str) else text)
    return folder


def refused(source: Source, request: Request, loading: bool = False) -> SourceError:
    with pytest.raises(SourceError) as caught:
        (load if loading else describe)(source, request)
    return caught.value


class TestLabels:
    def test_numbers_stand_by_size_and_words_by_alphabet(self):
        assert class_labels([10, 9, 2]) == ("2", "9", "10")
        assert class_labels(["b", "10", "9"]) == ("10", "9", "b")

    def test_a_label_that_reads_as_not_a_number_is_a_word_like_others(self):
        assert class_labels(["nan", "2", "10"]) == ("10", "2", "nan")

    def test_the_order_of_equal_numbers_does_not_hang_on_the_hash_of_texts(self):
        code = "from dlrun.language.labels import class_labels as c; print(c(['1.0', '1', '1.00', '01']))"
        said = {
            subprocess.run(
                [sys.executable, "-c", code],
                env={**os.environ, "PYTHONHASHSEED": str(seed)},
                capture_output=True,
                check=True,
            ).stdout
            for seed in range(4)
        }
        assert len(said) == 1


class TestSklearn:
    @pytest.mark.parametrize("name", PUBLISHED)
    def test_the_published_facts_are_those_of_the_data_set(self, name: str, tmp_path: Path):
        bunch = getattr(datasets, f"load_{name}")()
        wants: TargetKind = "numbers" if name == "diabetes" else "classes"
        data_info = describe(Sklearn(name=name), ask(tmp_path, wants=wants))  # type: ignore[arg-type]
        assert (data_info.rows, *data_info.shape) == bunch.data.shape
        assert data_info.target_shape == ()
        names = tuple(map(str, bunch.target_names)) if wants == "classes" else None
        assert data_info.labels == names
        assert wants == "classes" or (data_info.values and list(data_info.values) == bunch.target.tolist())
        classes = bunch.target.tolist() if wants == "classes" else None
        assert (data_info.classes and list(data_info.classes)) == classes
        assert data_info.counts == (tuple(np.bincount(classes).tolist()) if classes else None)

    def test_without_scikit_learn_each_rows_class_is_not_known(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr("dlrun.components.sources.sklearn.find_spec", lambda name: None)
        data_info = describe(Sklearn(name="iris"), ask(tmp_path))
        assert (data_info.classes, data_info.counts) == (None, (50, 50, 50))

    @pytest.mark.parametrize("name", ["digits", "iris", "wine", "breast_cancer"])
    def test_every_row_has_the_label_of_its_class(self, name: str, tmp_path: Path):
        bunch = getattr(datasets, f"load_{name}")()
        rows = load(Sklearn(name=name), ask(tmp_path))  # type: ignore[arg-type]
        assert (rows.features == bunch.data).all()
        assert (rows.target == bunch.target_names[bunch.target].astype(str)).all()

    def test_a_number_is_loaded_as_it_is(self, tmp_path: Path):
        rows = load(Sklearn(name="diabetes"), ask(tmp_path, wants="numbers"))
        assert (rows.target[:, 0] == datasets.load_diabetes(return_X_y=True)[1]).all()
        rows = load(Sklearn(name="iris"), ask(tmp_path, wants="numbers"))
        assert (rows.target[:, 0] == datasets.load_iris(return_X_y=True)[1]).all()
        values = describe(Sklearn(name="iris"), ask(tmp_path, wants="numbers")).values
        assert values is not None
        assert list(values) == datasets.load_iris(return_X_y=True)[1].tolist()

    def test_classes_of_numbers_are_refused(self, tmp_path: Path):
        error = refused(Sklearn(name="diabetes"), ask(tmp_path))
        assert error.at == ("source",)
        assert error.message == "the target of diabetes is a number, but the loss needs classes"

    def test_yes_or_no_needs_two_classes(self, tmp_path: Path):
        assert describe(Sklearn(name="breast_cancer"), ask(tmp_path, wants="binary")).labels == (
            "malignant",
            "benign",
        )
        error = refused(Sklearn(name="iris"), ask(tmp_path, wants="binary"))
        assert error.at == ("source",)
        assert error.message.startswith("iris has 3 classes")

    @pytest.mark.parametrize("setting", ["features", "target"])
    def test_an_unknown_column_is_told(self, setting: str, tmp_path: Path):
        request = ask(tmp_path, target="x") if setting == "target" else ask(tmp_path, features="x")
        error = refused(Sklearn(name="iris"), request)
        assert (error.at, error.message) == ((setting,), "iris has no column 'x'")

    @pytest.mark.parametrize("name", PUBLISHED)
    def test_columns_have_scikit_learns_names_and_can_be_chosen(self, name: Any, tmp_path: Path):
        bunch = getattr(datasets, f"load_{name}")()
        assert PUBLISHED[name].columns == tuple(map(str, bunch.feature_names))
        last, first = PUBLISHED[name].columns[-1], PUBLISHED[name].columns[0]
        wants: TargetKind = "numbers" if name == "diabetes" else "classes"
        rows = load(Sklearn(name=name), ask(tmp_path, features=(last, first), wants=wants))
        assert (rows.features == bunch.data[:, [-1, 0]]).all()
        rows = load(Sklearn(name=name), ask(tmp_path, target=last, wants="numbers"))
        assert (rows.target == bunch.data[:, -1:]).all()
        assert (rows.features[:, :-1] == bunch.data[:, :-1]).all()

    def test_describing_does_not_import_scikit_learn(self):
        code = (
            "import sys, pathlib\n"
            "from asking import Request, describe\n"
            "from dlrun.components.sources.sklearn import Sklearn\n"
            "describe(Sklearn(name='digits'), Request(pathlib.Path(), None, None, 'classes'))\n"
            "assert not {'sklearn', 'torch'} & set(sys.modules)"
        )
        subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parent.parent)

    def test_the_name_is_the_main_setting(self):
        assert choose("sources", {"sklearn": "wine"}) == Sklearn(name="wine")


class TestCsv:
    def test_classes_are_counted_and_named(self, folder: Path):
        data_info = describe(Csv(path="fruit.csv"), ask(folder, "class"))
        assert data_info == SourceInfo(rows=3, shape=(2,), target_shape=(), labels=("apple", "pear"), counts=(2, 1))
        assert list(data_info.classes or ()) == [0, 1, 0]

    def test_features_are_float64_and_labels_texts(self, folder: Path):
        rows = load(Csv(path="fruit.csv"), ask(folder, "class"))
        assert rows.features.dtype == np.float64
        assert rows.features.tolist() == [[1.5, 2], [3, 4], [5, 6]]
        assert rows.target.tolist() == ["apple", "pear", "apple"]

    def test_features_come_in_the_order_they_are_listed(self, folder: Path):
        source, request = Csv(path="fruit.csv"), ask(folder, "class", ("height", "width"))
        assert load(source, request).features.tolist() == [[2, 1.5], [4, 3], [6, 5]]
        assert describe(source, ask(folder, "class", "height")).shape == (1,)

    def test_a_column_of_numbers_can_be_the_target(self, folder: Path):
        source, request = Csv(path="fruit.csv"), ask(folder, "height", "width", "numbers")
        assert describe(source, request) == SourceInfo(3, (1,), (), None)
        assert load(source, request).target.tolist() == [[2], [4], [6]]

    def test_several_columns_of_numbers_can_be_the_target(self, folder: Path):
        table(folder, "a,b,c\n1,2,3\n4,5,6\n")
        source, request = Csv(path="t.csv"), ask(folder, ("c", "a"), wants="numbers")
        assert describe(source, request) == SourceInfo(2, (1,), (2,), None, vocabulary=6)
        assert load(source, request).target.tolist() == [[3, 1], [6, 4]]
        assert load(source, request).features.tolist() == [[2], [5]]

    def test_one_column_of_yes_or_no_has_two_labels(self, folder: Path):
        data_info = describe(Csv(path="fruit.csv"), ask(folder, "class", wants="binary"))
        assert (data_info.labels, data_info.target_shape) == (("apple", "pear"), ())
        table(folder, "x,y\n1,a\n2,b\n3,c\n")
        error = refused(Csv(path="t.csv"), ask(folder, "y", wants="binary"))
        assert error.message == "the column 'y' has 3 classes, ['a', 'b', 'c']; a binary target needs 2"

    def test_several_columns_of_yes_or_no_hold_0_and_1(self, folder: Path):
        table(folder, "x,p,q\n1,0,1\n2,1,1.0\n")
        source, request = Csv(path="t.csv"), ask(folder, ("p", "q"), wants="binary")
        assert describe(source, request) == SourceInfo(2, (1,), (2,), None, vocabulary=3)
        assert load(source, request).target.tolist() == [[0, 1], [1, 1]]
        table(folder, "x,p,q\n1,0,1\n2,1,2\n")
        assert refused(source, request).message.startswith("t.csv:3: column 'q' is '2'; ")

    @pytest.mark.parametrize("cell", ["", "?", "nan", "inf", "-inf", "1,5", "0x10", "1 2"])
    def test_a_feature_that_is_no_finite_number_is_named_with_its_line(self, cell: str, folder: Path):
        table(folder, f'age,class\n1,a\n"{cell}",b\n')
        error = refused(Csv(path="t.csv"), ask(folder, "class"))
        what = "not a finite number" if "n" in cell else "not a number"
        assert error.message == f"t.csv:3: column 'age' is '{cell}', {what}"
        assert error.at == ("features",)

    def test_loading_names_the_cell_too(self, folder: Path):
        table(folder, "age,class\n1,a\n nan,b\n")
        error = refused(Csv(path="t.csv"), ask(folder, "class"), loading=True)
        assert error.message == "t.csv:3: column 'age' is 'nan', not a finite number"

    def test_numbers_whose_sum_overflows_are_numbers(self, folder: Path):
        table(folder, "a,b,class\n1e308,1e308,x\n1,2,y\n")
        source, request = Csv(path="t.csv"), ask(folder, "class")
        assert describe(source, request).rows == 2
        assert load(source, request).features[0].tolist() == [1e308, 1e308]

    def test_a_target_of_text_is_no_number(self, folder: Path):
        error = refused(Csv(path="fruit.csv"), ask(folder, "class", wants="numbers"))
        assert error.message == "fruit.csv:2: column 'class' is 'apple', not a number; line 3 has 'pear'"
        assert (error.at, error.hint) == (("target",), "use `loss: cross_entropy` for texts that are classes")

    def test_a_class_with_a_nul_is_refused(self, folder: Path):
        table(folder, "x,class\n1,a\n2,b\0\n")
        error = refused(Csv(path="t.csv"), ask(folder, "class"))
        assert error.message.startswith("t.csv:3: column 'class' is 'b")
        assert error.message.endswith("; a NUL cannot be in a class")

    def test_an_empty_class_is_refused(self, folder: Path):
        table(folder, "x,class\n1,a\n2, \n")
        error = refused(Csv(path="t.csv"), ask(folder, "class"))
        assert (error.message, error.at) == (
            "t.csv:3: column 'class' is ''; a class is expected",
            ("target",),
        )

    def test_one_number_written_in_two_ways_is_not_two_classes(self, folder: Path):
        table(folder, "x,class\n1,1\n2,1.0\n3,2\n")
        error = refused(Csv(path="t.csv"), ask(folder, "class"))
        assert error.message == "the column 'class' has the same number in two forms, '1' and '1.0'"

    def test_a_single_class_is_refused(self, folder: Path):
        table(folder, "x,class\n1,a\n2,a\n")
        assert "at least 2 are needed" in refused(Csv(path="t.csv"), ask(folder, "class")).message

    def test_the_target_must_be_named(self, folder: Path):
        error = refused(Csv(path="fruit.csv"), ask(folder))
        assert error.at == ("target",)
        assert error.hint == "columns, from the first line: width, height, class"

    def test_a_misspelt_column_is_told_with_the_nearest(self, folder: Path):
        error = refused(Csv(path="fruit.csv"), ask(folder, "clas"))
        assert (error.message, error.at) == (
            "fruit.csv has no column 'clas'; did you mean 'class'?",
            ("target",),
        )
        error = refused(Csv(path="fruit.csv"), ask(folder, "class", ("width", "hight")))
        assert error.message == "fruit.csv has no column 'hight'; did you mean 'height'?"
        assert error.at == ("features",)

    def test_the_target_cannot_be_a_feature(self, folder: Path):
        error = refused(Csv(path="fruit.csv"), ask(folder, "class", ("width", "class")))
        assert error.at == ("features",)
        assert "'class' is the target" in error.message

    def test_a_column_is_listed_once(self, folder: Path):
        error = refused(Csv(path="fruit.csv"), ask(folder, "class", ("width", "width")))
        assert error.message == "the column 'width' is listed twice"

    def test_several_columns_of_a_target_of_classes_are_their_probabilities(self, folder: Path):
        error = refused(Csv(path="fruit.csv"), ask(folder, ("class", "width")))
        assert error.at == ("target",) and "column 'class' is" in error.message and "not a number" in error.message

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("", "t.csv has no column names in its first line"),
            ("a,a,y\n1,2,x\n", "t.csv:1: two columns are called 'a'"),
            (",a,y\n0,1,x\n", "t.csv:1: column 1 has no name"),
            ("a,y\n", "t.csv has no rows after its first line"),
            ("y\n1\n", "t.csv has no column besides the target"),
            ("a,y\n1,x\n2\n", "t.csv:3: 1 cell; the first line names 2 columns"),
            ("a,y\n1,x\n2,y,z\n", "t.csv:3: 3 cells; the first line names 2 columns"),
            ('a,y\n1,x\n2,"y\n', "t.csv:3: unexpected end of data"),
            (b"a,y\n1,\xff\n", "t.csv:2: column 'y' has the byte 0xff, which is not UTF-8"),
        ],
    )
    def test_a_table_that_is_none_is_refused_with_its_line(self, text: str, message: str, folder: Path):
        error = refused(Csv(path="t.csv"), ask(table(folder, text), "y"))
        assert (error.message, error.at) == (message, ("source", "csv", "path"))

    def test_byte_order_marks_spaces_quotes_and_line_ends_do_not_count(self, folder: Path):
        table(folder, b'\xef\xbb\xbf a , "the, class"\r\n 1 , "x, y"\r\n"2",z\r\n')
        source, request = Csv(path="t.csv"), ask(folder, "the, class")
        assert describe(source, request) == SourceInfo(2, (1,), (), ("x, y", "z"), vocabulary=3, counts=(1, 1))
        rows = load(source, request)
        assert rows.features.tolist() == [[1], [2]]
        assert rows.target.tolist() == ["x, y", "z"]

    def test_numbers_that_only_the_slow_way_reads_are_loaded(self, folder: Path):
        table(folder, 'a,y,t\n1, "2000",u\n3,4,v\n')
        source = Csv(path="t.csv")
        assert load(source, ask(folder, "t")).features.tolist() == [[1, 2000], [3, 4]]
        assert load(source, ask(folder, "t")).target.tolist() == ["u", "v"]
        assert load(source, ask(folder, "y", "a", "numbers")).target.tolist() == [[2000], [4]]

    @pytest.mark.parametrize(
        ("cell", "hint"),
        [
            ("True", "write 1 and 0"),
            ("0,126", "with a decimal point"),
            ("1,125.70", "without the separators"),
            ("1.125,70", "as plain numbers"),
            ("1 125", "without the separators"),
            ("12%", "without the percent sign"),
            ("$5", "without the currency sign"),
            ("?", "add to `preprocess`: `impute: {columns: age}`"),
            ("N/A", "add to `preprocess`: `impute: {columns: age}`"),
            ("2024-05-31", "is a date"),
            ("31/05/2024 10:00", "is a date"),
            ("red", "a column of 0 and 1 for each text"),
            ("1_000", "without underscores"),
            ("0x1F", "as a decimal number"),
            ("infinity", "must be finite"),
            ("\u0661\u0662", "with the digits 0 to 9"),
            ("\u22121", "with the digits 0 to 9"),
            ("1;2", 'delimiter: ";"'),
        ],
    )
    def test_the_way_out_of_a_cell_that_is_no_number_looks_at_it(self, cell: str, hint: str, folder: Path):
        table(folder, f'age,class\n1,a\n"{cell}",b\n')
        for loading in (False, True):
            error = refused(Csv(path="t.csv"), ask(folder, "class"), loading)
            assert error.message.startswith(f"t.csv:3: column 'age' is '{cell}', not a ")
            assert hint in error.hint

    def test_all_columns_at_fault_are_told_at_once_with_two_examples(self, folder: Path):
        table(folder, "p,q,r,y\n1,True,2,a\n2,False,?,b\n3,True,5%,a\n4,True,6%,b\n")
        error = refused(Csv(path="t.csv"), ask(folder, "y"))
        assert error.message == (
            "t.csv:2: column 'q' is 'True', not a number; line 3 has 'False'\n"
            "  t.csv:3: column 'r' is '?', not a number; line 4 has '5%'"
        )
        assert error.hint == (
            "add to `preprocess`: `one_hot: {columns: q}`; or write 1 and 0 for 'True' and 'False'; "
            "or fill in the cell or remove the row; or write '5%' without the percent sign, the same in every row"
        )

    @pytest.mark.parametrize(
        "mark", ["NA", "N/A", "n/a", "NaN", "?", "nan", "None", "null", "NULL", "-", "#N/A", "<NA>", ".", "", "NaT"]
    )
    def test_a_mark_of_a_missing_value_is_no_class(self, mark: str, folder: Path):
        table(folder, f"x,class\n1,a\n2,b\n3, {mark} \n")
        error = refused(Csv(path="t.csv"), ask(folder, "class"))
        assert error.message.startswith("t.csv:4: column 'class' is '")
        assert ("missing: []" in error.hint) == bool(mark)
        if mark:
            data_info = describe(Csv(path="t.csv", missing=()), ask(folder, "class"))
            assert data_info.labels is not None and mark in data_info.labels

    @pytest.mark.parametrize("line", ["5.1,3.5,1.4,0.2,setosa", "1,0,3", "0.5,1.5,2.5", "-1,-2,a", "7,7,a"])
    def test_a_first_line_of_numbers_is_data(self, line: str, folder: Path):
        table(folder, f"{line}\n" * 3)
        error = refused(Csv(path="t.csv"), ask(folder, line.rsplit(",", 1)[1]))
        assert error.message.startswith("t.csv:1: the first line looks like a row, ")

    @pytest.mark.parametrize("line", ["0,1,2,3", "0,1,2,y", "1990,1991,1995,y", "x1,2", "a,b,3,4.5,c"])
    def test_names_can_be_numbers_that_count(self, line: str, folder: Path):
        width = line.count(",")
        table(folder, f"{line}\n" + "1," * width + "a\n" + "2," * width + "b\n")
        assert describe(Csv(path="t.csv"), ask(folder, line.rsplit(",", 1)[1])).rows == 2

    def test_numbers_to_predict_are_no_classes(self, folder: Path):
        request = ask(table(folder, "x,y\n" + "".join(f"{i},{i * 1.37 % 9}\n" for i in range(60))), "y")
        error = refused(Csv(path="t.csv"), request)
        assert error.hint == "`loss: mse` predicts numbers"
        table(folder, "x,y\n" + "".join(f"{i},{i * 37 % 1009}\n" for i in range(60)))
        assert [note.name for note in describe(Csv(path="t.csv"), request).notes] == ["numbers_as_classes"]
        table(folder, "x,y\n" + "".join(f"{i},{i % 10 / 2}\n" for i in range(60)))
        assert [note.name for note in describe(Csv(path="t.csv"), request).notes] == ["numbers_as_classes"]
        table(folder, "x,y\n" + "".join(f"{i},{i % 30}\n" for i in range(600)))
        assert not describe(Csv(path="t.csv"), request).notes

    def test_whole_numbers_from_0_on_have_a_vocabulary(self, folder: Path):
        source, request = Csv(path="t.csv"), ask(folder, "y")
        table(folder, "a,b,y\n6,15,p\n3,19.0,q\n")
        assert describe(source, request).vocabulary == 20
        for other in ("-1", "2.5"):
            table(folder, f"a,b,y\n6,15,p\n{other},19,q\n")
            assert describe(source, request).vocabulary is None

    @pytest.mark.parametrize("delimiter", [";", "\t", "|"])
    def test_a_table_with_another_delimiter_gets_the_line_to_write(self, delimiter: str, folder: Path):
        table(folder, "a,b,y\n1,2,p\n3,4,q\n".replace(",", delimiter))
        written = '"\\t"' if delimiter == "\t" else f'"{delimiter}"'
        assert f"delimiter: {written}" in refused(Csv(path="t.csv"), ask(folder, "y")).hint

    def test_a_tab_can_be_written_as_two_characters(self):
        assert choose("sources", {"csv": {"path": "t.csv", "delimiter": "\\t"}}) == Csv(path="t.csv", delimiter="\t")

    def test_a_single_row_is_a_table(self, folder: Path):
        rows = load(Csv(path="t.csv"), ask(table(folder, "a,b,y\n1,2,3\n"), "y", wants="numbers"))
        assert (rows.features.shape, rows.target.shape) == ((1, 2), (1, 1))

    @pytest.mark.parametrize("delimiter", [";", "\t", " ", "|"])
    def test_another_delimiter_can_be_chosen(self, delimiter: str, folder: Path):
        table(folder, FRUIT.replace(",", delimiter))
        source = Csv(path="t.csv", delimiter=delimiter)
        assert describe(source, ask(folder, "class")).shape == (2,)
        assert load(source, ask(folder, "class")).features.tolist() == [[1.5, 2], [3, 4], [5, 6]]

    @pytest.mark.parametrize("delimiter", ["", ",,", '"', "\n", 3])
    def test_a_delimiter_is_one_character(self, delimiter: Any):
        with pytest.raises(ValidationError, match="a delimiter is one character"):
            choose("sources", {"csv": {"path": "t.csv", "delimiter": delimiter}})

    def test_a_file_that_is_not_there_is_said_with_the_full_path(self, tmp_path: Path):
        error = refused(Csv(path="gone.csv"), ask(tmp_path, "y"))
        assert (error.message, error.at) == (
            "the file gone.csv does not exist",
            ("source", "csv", "path"),
        )
        assert str(tmp_path) in error.hint

    def test_describing_a_small_file_imports_nothing_heavy(self, folder: Path):
        code = (
            "import sys, pathlib\n"
            "from asking import Request, describe\n"
            "from dlrun.components.sources.csv import Csv\n"
            "request = Request(pathlib.Path(sys.argv[1]), None, ('class',), 'classes')\n"
            "assert describe(Csv(path='fruit.csv'), request).rows == 3\n"
            "assert not {'sklearn', 'torch', 'pandas', 'pyarrow'} & set(sys.modules)"
        )
        subprocess.run([sys.executable, "-c", code, str(folder)], check=True, cwd=Path(__file__).parent.parent)


def save(folder: Path, **arrays: Any) -> Path:
    np.savez(folder / "a.npz", **arrays)
    return folder


def both(folder: Path, x: Any, y: Any, wants: TargetKind = "classes") -> tuple[SourceInfo, Rows]:
    request = ask(save(folder, x=x, y=y), "y", "x", wants)
    return describe(Npz(path="a.npz"), request), load(Npz(path="a.npz"), request)


IMAGES = np.arange(24, dtype=np.float32).reshape(4, 1, 2, 3)


class TestNpz:
    def test_images_and_class_numbers(self, tmp_path: Path):
        data_info, rows = both(tmp_path, IMAGES, np.array([2, 0, 2, 10]))
        assert data_info == SourceInfo(4, (1, 2, 3), (), ("0", "2", "10"), counts=(1, 2, 1))
        assert (rows.features == IMAGES).all()
        assert rows.features.dtype == np.float32

    @pytest.mark.parametrize("values", [np.array(["b", "a", "b", "a"]), np.array([b"b", b"a", b"b", b"a"])])
    def test_labels_can_be_texts(self, values: Any, tmp_path: Path):
        data_info, rows = both(tmp_path, IMAGES, values)
        assert data_info.labels == ("a", "b")
        assert rows.target.tolist() == ["b", "a", "b", "a"]

    def test_whole_floats_are_class_numbers_and_fractions_are_not(self, tmp_path: Path):
        assert both(tmp_path, IMAGES, np.array([[1.0], [0.0], [1.0], [2.0]]))[0].labels == ("0", "1", "2")
        request = ask(save(tmp_path, x=IMAGES, y=[0.5, 1, 2, 3]), "y", "x")
        error = refused(Npz(path="a.npz"), request)
        assert error.message == "the array 'y' holds 0.5, but a class is a whole number or a text"

    def test_whole_numbers_stay_whole_and_have_a_vocabulary(self, tmp_path: Path):
        data_info, rows = both(tmp_path, np.array([[3, 0], [7, 1]], np.uint8), np.array([0, 1]))
        assert (data_info.vocabulary, rows.features.dtype) == (8, np.uint8)
        data_info, rows = both(tmp_path, np.array([[3, -1], [7, 1]]), np.array([0, 1]))
        assert (data_info.vocabulary, rows.features.dtype) == (None, np.int64)
        assert both(tmp_path, np.ones((2, 2)), np.array([0, 1]))[0].vocabulary is None

    @pytest.mark.parametrize(
        ("stored", "loaded"),
        [("f2", "f2"), ("f4", "f4"), ("f8", "f8"), (">f8", "f8"), (">i4", "i4"), ("?", "f4")],
    )
    def test_floats_come_in_the_machines_own_types(self, stored: str, loaded: str, tmp_path: Path):
        _, rows = both(tmp_path, np.array([[1, 0], [0, 1]], stored), np.array([0, 1]))
        assert rows.features.dtype == np.dtype(loaded)
        assert rows.features.dtype.isnative
        assert rows.features.tolist() == [[1, 0], [0, 1]]

    def test_an_array_with_one_axis_is_one_number_a_row(self, tmp_path: Path):
        data_info, rows = both(tmp_path, np.array([0.5, 1.5]), np.array([1.0, 2.0]), "numbers")
        assert data_info == SourceInfo(2, (1,), (), None)
        assert rows.features.shape == (2, 1)

    def test_numbers_can_be_one_or_several_a_row(self, tmp_path: Path):
        assert both(tmp_path, IMAGES, np.ones((4, 1)), "numbers")[0].target_shape == ()
        assert both(tmp_path, IMAGES, np.ones((4, 3)), "numbers")[0].target_shape == (3,)
        assert both(tmp_path, IMAGES, IMAGES, "numbers")[0].target_shape == (1, 2, 3)

    def test_yes_or_no_is_two_labels_or_several_0_and_1(self, tmp_path: Path):
        assert both(tmp_path, IMAGES, np.array([5, 7, 5, 5]), "binary")[0].labels == ("5", "7")
        data_info, rows = both(tmp_path, IMAGES, np.eye(4, dtype=bool), "binary")
        assert (data_info.labels, data_info.target_shape) == (None, (4,))
        assert rows.target.astype(int).tolist() == np.eye(4).tolist()
        request = ask(save(tmp_path, x=IMAGES, y=2 * np.eye(4)), "y", "x", "binary")
        assert refused(Npz(path="a.npz"), request).message.startswith("the array 'y' holds '2.0' at [0, 0];")

    @pytest.mark.parametrize(
        ("x", "y", "wants", "at", "message"),
        [
            (
                IMAGES,
                ["a", "b", "c", "d"],
                "numbers",
                "target",
                "the array 'y' holds texts, but the loss needs",
            ),
            (IMAGES, [1j, 2, 3, 4], "numbers", "target", "the array 'y' holds complex numbers"),
            (IMAGES * 1j, [0, 1, 0, 1], "classes", "features", "the array 'x' holds complex numbers"),
            (
                ["a", "b"],
                [0, 1],
                "classes",
                "features",
                "the array 'x' holds texts, but features must be numbers",
            ),
            (IMAGES, [0, 1, 2], "classes", "target", "'x' has 4 rows, but 'y' has 3"),
            (3.0, [0, 1, 2], "classes", "features", "the array 'x' is a single value without rows"),
            (IMAGES, 1, "classes", "target", "the array 'y' is a single value without rows"),
            (IMAGES[:0], [], "classes", "features", "the array 'x' is empty: its shape is (0, 1, 2, 3)"),
            (IMAGES, [0, 1, np.nan, 1], "numbers", "target", "the array 'y' holds nan at [2]; numbers must be"),
            (np.zeros(4, "M8[s]"), [0, 1, 0, 1], "classes", "features", "the array 'x' holds times"),
            (np.zeros(4, "i4,f4"), [0, 1, 0, 1], "classes", "features", "the array 'x' holds records"),
            (IMAGES, [3, 3, 3, 3], "classes", "target", "the array 'y' has 1 class, ['3']; at least 2"),
        ],
    )
    def test_arrays_that_do_not_fit_are_refused(
        self, x: Any, y: Any, wants: TargetKind, at: str, message: str, tmp_path: Path
    ):
        error = refused(Npz(path="a.npz"), ask(save(tmp_path, x=x, y=y), "y", "x", wants))
        assert error.message.startswith(message)
        assert error.at == (at,)

    def test_python_objects_are_refused_and_never_unpickled(self, tmp_path: Path):
        class Trap:
            def __reduce__(self) -> Any:
                return (Path.touch, (tmp_path / "sprung",))

        objects = np.array([Trap(), Trap()], dtype=object)
        for x, y, at in ((objects, [0, 1], "features"), ([0.0, 1.0], objects, "target")):
            request = ask(save(tmp_path, x=x, y=y), "y", "x")
            for loading in (False, True):
                error = refused(Npz(path="a.npz"), request, loading)
                assert "holds Python objects" in error.message
                assert error.at == (at,)
        assert not (tmp_path / "sprung").exists()

    def test_features_that_are_not_finite_are_refused_with_their_place(self, tmp_path: Path):
        x = IMAGES.copy()
        x[2, 0, 1, 1] = -np.inf
        error = refused(Npz(path="a.npz"), ask(save(tmp_path, x=x, y=[0, 1, 0, 1]), "y", "x"), loading=True)
        assert (error.message, error.at) == (
            "the array 'x' holds -inf at [2, 0, 1, 1]; numbers must be finite",
            ("features",),
        )

    def test_arrays_go_by_name(self, tmp_path: Path):
        save(tmp_path, images=IMAGES, labels=[0, 1, 0, 1])
        assert describe(Npz(path="a.npz"), ask(tmp_path, "labels")).shape == (1, 2, 3)  # what is left
        error = refused(Npz(path="a.npz"), ask(tmp_path, None, "images"))
        assert error.at == ("target",)
        error = refused(Npz(path="a.npz"), ask(tmp_path, "label", "images"))
        assert error.message == "a.npz has no array 'label'; did you mean 'labels'?"
        error = refused(Npz(path="a.npz"), ask(tmp_path, "labels", ("images", "labels")))
        assert error.at == ("features",)
        save(tmp_path, images=IMAGES, more=IMAGES, labels=[0, 1, 0, 1])
        error = refused(Npz(path="a.npz"), ask(tmp_path, "labels"))
        assert (error.message, error.at) == ("npz needs `features`, the name of an array", ("features",))
        assert error.hint == "arrays of a.npz: images, more, labels"
        error = refused(Npz(path="a.npz"), ask(tmp_path, "labels", ("images", "more")))
        assert error.message == "the array 'images' has the shape (1, 2, 3) and stands alone"

    def test_arrays_of_numbers_can_stand_side_by_side(self, tmp_path: Path):
        save(tmp_path, a=np.ones((4, 2)), b=np.arange(4.0), y=[0, 1, 0, 1])
        rows = load(Npz(path="a.npz"), ask(tmp_path, "y", ("b", "a")))
        assert rows.features.tolist() == [[float(number), 1, 1] for number in range(4)]

    def test_describing_reads_no_large_features(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr("dlrun.components.sources._arrays.MOST_VALUES", 39_999)
        x = np.random.default_rng(0).normal(size=(4, 1, 100, 100))
        save(tmp_path, x=x, y=[0, 1, 0, 1])
        whole = (tmp_path / "a.npz").read_bytes()
        broken = bytearray(whole)
        broken[whole.index(x.tobytes()) + x.nbytes - 1] ^= 1  # the checksum of x no longer agrees
        (tmp_path / "a.npz").write_bytes(broken)
        request = ask(tmp_path, "y", "x")
        assert describe(Npz(path="a.npz"), request).shape == (1, 100, 100)
        error = refused(Npz(path="a.npz"), request, loading=True)
        assert error.message.startswith("the array 'x' of a.npz cannot be read: ")
        assert error.at == ("source", "npz", "path")

    @pytest.mark.parametrize("content", [b"", b"x,y\n1,2\n", b"PK\x03\x04 and no more"])
    def test_another_kind_of_file_is_refused(self, content: bytes, tmp_path: Path):
        (tmp_path / "a.npz").write_bytes(content)
        error = refused(Npz(path="a.npz"), ask(tmp_path, "y", "x"))
        assert (error.message, error.at) == (
            "a.npz is not an npz file, or is damaged",
            ("source", "npz", "path"),
        )

    def test_an_archive_of_something_else_is_refused(self, tmp_path: Path):
        with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
            archive.writestr("readme.txt", "hello")
        assert refused(Npz(path="a.npz"), ask(tmp_path, "y", "x")).message == "a.npz holds no arrays"
        with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
            archive.writestr("x.npy", "hello")
            archive.writestr("y.npy", "hello")
        error = refused(Npz(path="a.npz"), ask(tmp_path, "y", "x"))
        assert error.message.startswith("the array 'x' of a.npz cannot be read: ")

    @pytest.mark.parametrize("compressed", [False, True])
    def test_whatever_byte_is_damaged_is_one_error_or_none(self, compressed: bool, tmp_path: Path):
        (np.savez_compressed if compressed else np.savez)(
            tmp_path / "a.npz", x=np.arange(12.0).reshape(6, 2), y=np.arange(6) % 2
        )
        whole, random = (tmp_path / "a.npz").read_bytes(), np.random.default_rng(0)
        source, request = Npz(path="a.npz"), ask(tmp_path, "y", "x")
        for trial in range(600):
            damaged = bytearray(whole)
            if trial % 3:
                for place in random.integers(0, len(whole), trial % 4 + 1):
                    damaged[place] = random.integers(0, 256)
            else:
                del damaged[random.integers(0, len(whole)) :]
            (tmp_path / "a.npz").write_bytes(damaged)
            with contextlib.suppress(SourceError):
                describe(source, request)
                load(source, request)

    @pytest.mark.parametrize(
        "header",
        [
            "{'descr': '<f8', 'fortran_order': False, 'shape': (2,), }",
            "{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000, 100), }",
            "{'descr': '<f8', 'fortran_order': False, 'shape': (-6,), }",
            "{'descr': '<f8', 'fortran_order': False, 'shape': (True, 6), }",
            "{'descr': '<f8', 'fortran_order': 3, 'shape': (6,), }",
            "{'descr': 'nothing', 'fortran_order': False, 'shape': (6,), }",
            "{'descr': [('a', '<f8'], 'fortran_order': False, 'shape': (6,), }",
            "{'descr': ('<f8', 7), 'fortran_order': False, 'shape': (6,), }",
            "{'descr': '<f8', 'fortran_order': False, 'shape': (6,)",
            "(" * 90,
            "[]",
            "\x00\xff",
            "a = b",
            "",
        ],
    )
    def test_a_wrong_header_is_one_error(self, header: str, tmp_path: Path):
        raw = (header + "\n").encode("latin-1")
        member = b"\x93NUMPY\x01\x00" + len(raw).to_bytes(2, "little") + raw + np.arange(6.0).tobytes()
        save(tmp_path, y=np.arange(6) % 2)
        with zipfile.ZipFile(tmp_path / "a.npz", "a") as archive:
            archive.writestr("x.npy", member)
        error = refused(Npz(path="a.npz"), ask(tmp_path, "y", "x"))
        assert error.message.startswith("the array 'x' of a.npz cannot be read: ")
        assert "\n" not in error.message

    @pytest.mark.parametrize("layout", ["fortran", "big", "strided"])
    def test_the_layout_of_an_array_does_not_matter(self, layout: str, tmp_path: Path):
        x = np.arange(24.0).reshape(6, 4)
        stored = {"fortran": np.asfortranarray(x), "big": x.astype(">f8"), "strided": np.repeat(x, 2, 0)[::2]}[layout]
        _, rows = both(tmp_path, stored, np.arange(6) % 2)
        assert rows.features.tolist() == x.tolist()
        assert rows.features.dtype == np.float64

    @pytest.mark.parametrize(
        ("values", "hint"),
        [
            (np.array(["2024-01-01"] * 6, "datetime64[D]"), "date: {columns: x}"),
            (np.ones(6, "timedelta64[s]"), "timedelta64"),
            (np.ones(6, [("a", "<f8")]), "each field"),
            (np.array([1, "a"] * 3, object), "astype(float)"),
            (np.ones(6, complex), "two numbers"),
            (np.array(["a"] * 6), "one_hot: {columns: x}"),
        ],
    )
    def test_values_that_are_no_numbers_get_a_way_out(self, values: Any, hint: str, tmp_path: Path):
        save(tmp_path, x=values, y=np.arange(6) % 2)
        assert hint in refused(Npz(path="a.npz"), ask(tmp_path, "y", "x")).hint

    @pytest.mark.parametrize("mark", ["NA", "nan", "None", "", "?"])
    def test_a_text_that_marks_a_missing_value_is_no_class(self, mark: str, tmp_path: Path):
        save(tmp_path, x=np.ones(3), y=np.array(["a", mark, "b"]))
        error = refused(Npz(path="a.npz"), ask(tmp_path, "y", "x"))
        assert error.message == f"the array 'y' holds '{mark}' at [1]; a class is expected"
        if mark:
            assert describe(Npz(path="a.npz", missing=()), ask(tmp_path, "y", "x")).labels is not None

    def test_compressed_files_are_read_too(self, tmp_path: Path):
        np.savez_compressed(tmp_path / "c.npz", x=IMAGES, y=[0, 1, 0, 1])
        request = ask(tmp_path, "y", "x")
        assert describe(Npz(path="c.npz"), request).rows == 4
        assert (load(Npz(path="c.npz"), request).features == IMAGES).all()


@pytest.mark.parametrize(
    ("path", "kinds", "what"),
    [
        ("gone", ("file",), "the file gone does not exist"),
        ("inner", ("file",), "the file inner is a folder"),
        ("x.csv", ("folder",), "the folder x.csv is a file"),
        ("gone", ("folder", "file"), "the folder or file gone does not exist"),
        ("pipe", ("folder", "file"), "the folder or file pipe is neither a file nor a folder"),
        ("a\0b", ("file",), "the path cannot be read: "),
    ],
)
def test_a_path_that_leads_to_something_else_is_one_error_with_what_is_there(
    tmp_path: Path, path: str, kinds: tuple[Literal["file", "folder"], ...], what: str
) -> None:
    (tmp_path / "inner").mkdir()
    (tmp_path / "x.csv").touch()
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(SourceError) as caught:
        resolve(path, tmp_path, ("source",), kinds)
    assert caught.value.message.startswith(what)
    assert "\0" in path or caught.value.hint == (
        f"looked for {tmp_path / path}; a path starts from the folder of the file that has it"
    )
