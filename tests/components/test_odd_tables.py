"""A cell is read as what it is, or something is said: an error or a note, with its place."""

from __future__ import annotations

import gzip
import itertools
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from asking import Request, SourceInfo, describe, load

from dlrun.components.sources import SourceError
from dlrun.components.sources.csv import Csv
from dlrun.components.sources.npz import Npz
from dlrun.language.target_kind import TargetKind

ROWS = "a,b,y\n1,2,p\n3,4,q\n"


def described(folder: Path, text: str | bytes, wants: TargetKind = "classes", **settings: Any) -> SourceInfo:
    (folder / "t.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    return describe(Csv(path="t.csv", **settings), Request(folder, None, ("y",), wants))


def saved(folder: Path, x: Any, y: Any, wants: TargetKind = "classes") -> SourceInfo:
    np.savez(folder / "a.npz", x=x, y=y)
    return describe(Npz(path="a.npz"), Request(folder, ("x",), ("y",), wants))


def refusal(folder: Path, text: str | bytes, wants: TargetKind = "classes") -> SourceError:
    with pytest.raises(SourceError) as caught:
        described(folder, text, wants)
    return caught.value


def notes(info: SourceInfo) -> list[str]:
    return [note.name for note in info.notes]


@pytest.mark.parametrize(
    ("content", "message", "hint"),
    [
        ("a,b,y\n1,2,p\n3,4,é\n".encode("latin-1"), "t.csv:3: column 'y' has the byte 0xe9", "if it is 'é'"),
        ('a,b,y\n1,"2\né",p\n'.encode("latin-1"), "t.csv:3: column 'b' has the byte 0xe9", "encoding: cp1252"),
        ("a,bé,y\n1,2,p\n".encode("latin-1"), "t.csv:1: the name of column 2 has the byte 0xe9", "if it is 'bé'"),
        ("a,b,y\n1,2,5€\n".encode("cp1252"), "t.csv:2: column 'y' has the byte 0x80", "if it is '5€'"),
        (b"a,b,y\n1," + b"x" * 200_000 + b"\xe9\n", "t.csv:2: the line has the byte", "encoding: cp1252"),
        (ROWS.encode("utf-16"), "t.csv is UTF-16 text", "write `csv: {path: …, encoding: utf-16}`"),
        (ROWS.encode("utf-16-le"), "t.csv is UTF-16 text", "encoding: utf-16-le"),
        (ROWS.encode("utf-16-be"), "t.csv is UTF-16 text", "encoding: utf-16-be"),
        (ROWS.encode("utf-32"), "t.csv is UTF-32 text", "encoding: utf-32"),
        (gzip.compress(ROWS.encode(), mtime=0), "t.csv is a gzip archive", "name it t.csv.gz"),
        ("a,b,y\n1\0,2,p\n", "t.csv:2: column 'a' is '1\0', not a number", "remove the NUL bytes"),
        ("a,b,y\n1,2,p\0\n", "t.csv:2: column 'y' is 'p\0'; a NUL cannot be in a class", "remove the NUL bytes"),
        ("a\0,b,y\n1,2,p\n", "t.csv:1: a column's name has a NUL byte", "remove the NUL bytes"),
        (ROWS + "\0\0\0", "t.csv:4: the line has NUL bytes", "remove the NUL bytes"),
    ],
)
def test_bytes_that_are_no_text_are_said_with_their_place(
    content: str | bytes, message: str, hint: str, tmp_path: Path
) -> None:
    error = refusal(tmp_path, content)
    assert error.message.startswith(message)
    assert hint in error.hint


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le"])
@pytest.mark.parametrize("text", ["ä,b,y\n1,2,p\n3,4,q\n", "a,b,y\n1,2,ö\n3,4,q\n", "a,b,y\n1,2,p\n3,ü,q\n"])
def test_another_encoding_is_one_error_with_a_way_out(text: str, encoding: str, tmp_path: Path) -> None:
    assert refusal(tmp_path, text.encode(encoding)).hint


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("a,b,y\n1,2,p\n   \n", "t.csv:3: 1 cell; the first line names 3 columns", "only spaces"),
        ("a,b,y,\n1,2,p,\n", "t.csv:1: column 4 has no name", "the delimiter at the end of each line"),
        ("a,b,y\n1,2,p,\n", "t.csv:2: 4 cells; the first line names 3 columns", "the delimiter at the end of the line"),
        ("\na,b,y\n1,2,p\n", "t.csv has no column names in its first line", "in the first line"),
        (ROWS + ROWS, "t.csv:4: the line is the same as the first one", "remove it"),
        ("5,6,y\n1,2,y\n3,4,q\n", "t.csv:1: the first line looks like a row", "add a first line"),
        ("sep=;\na;b;y\n1;2;p\n", "t.csv:1: the first line only says which delimiter", "delimiter"),
        ("a,b,y\n1e999,2,p\n", "t.csv:2: column 'a' is '1e999', not a finite number", "the largest number is"),
        ("a,b,y\n1,2,1\n1,2,1.0\n", "the column 'y' has the same number in two forms, '1' and '1.0'", "the same in"),
        ("a,b,y\n1,2,007\n1,2,7\n", "the column 'y' has the same number in two forms, '007' and '7'", "the same in"),
        (
            "a,b,y\n" + "".join(f'1,2,"{i},5"\n' for i in range(30)),
            "the column 'y' has 30 different numbers in 30 rows",
            "write '0,5' with a decimal point",
        ),
        (
            "a,b,y\n" + "".join(f"1,2,2020-01-{i:02}\n" for i in range(1, 31)),
            "the column 'y' has 30 different dates or times in 30 rows",
            "days since the first one",
        ),
    ],
)
def test_a_table_that_is_not_read_as_it_is_is_refused(text: str, message: str, hint: str, tmp_path: Path) -> None:
    error = refusal(tmp_path, text)
    assert error.message.startswith(message)
    assert hint in error.hint


def test_a_first_line_that_stands_twice_is_said_where_the_target_is_numbers_too(tmp_path: Path) -> None:
    error = refusal(tmp_path, "a,y\n1,2\na,y\n3,4\n", "numbers")
    assert (error.message, error.hint) == ("t.csv:3: the line is the same as the first one", "remove it")


@pytest.mark.parametrize(
    ("labels", "note"),
    [
        (["yes", "Yes", "no"], "similar_classes"),
        (["New York", "New  York", "no"], "similar_classes"),
        (["yes", "yes\u200b", "no"], "similar_classes"),
        (["caf\u00e9", "cafe\u0301", "no"], "similar_classes"),
        (["True", "FALSE", "true"], "similar_classes"),
        (["-999", "p", "q"], "mixed_classes"),
        (["1", "0", "True", "False"], "mixed_classes"),
        (["0", "1", "inf"], "mixed_classes"),
        (["0.5", "1", "1.5"], "numbers_as_classes"),
    ],
)
@pytest.mark.parametrize("kind", ["csv", "npz"])
def test_classes_that_may_be_meant_otherwise_are_noted(kind: str, labels: list[str], note: str, tmp_path: Path) -> None:
    labels = labels * 20
    if kind == "npz":
        info = saved(tmp_path, np.ones((len(labels), 2)), np.array(labels))
    else:
        info = described(tmp_path, "a,b,y\n" + "".join(f"1,2,{label}\n" for label in labels))
    assert note in notes(info)
    assert info.labels is not None
    assert set(info.labels) == set(labels)


@pytest.mark.parametrize(
    ("cell", "hint"),
    [
        ("1,234", "write '1,234' without the separator, or with a decimal point"),
        ("0,126", "write '0,126' with a decimal point"),
        ("12,34", "write '12,34' with a decimal point"),
        ("(12.50)", "write '(12.50)' with a minus sign"),
        ("1.5D+03", "write '1.5D+03' with an e before the exponent"),
        ("<5", "'<5' is a limit and no number"),
        ("≥ 0.1", "'≥ 0.1' is a limit and no number"),
        ("0xAB", "write '0xAB' as a decimal number"),
        ("12kg", "write '12kg' without the unit"),
        ("3.5 °C", "write '3.5 °C' without the unit"),
    ],
)
def test_the_way_out_of_a_cell_looks_at_what_it_is(cell: str, hint: str, tmp_path: Path) -> None:
    assert refusal(tmp_path, f'a,y\n"{cell}",1\n', "numbers").hint.startswith(hint)
    assert refusal(tmp_path, f'a,y\n1,"{cell}"\n', "numbers").hint.startswith(hint)


@pytest.mark.parametrize(("one", "other"), [("1", "1.0"), ("007", "7"), ("1", "1e0"), ("-0", "0")])
def test_one_number_in_two_forms_is_refused(one: str, other: str, tmp_path: Path) -> None:
    message = f"has the same number in two forms, '(?:{one}|{other})' and '(?:{one}|{other})'"
    with pytest.raises(SourceError, match=message):
        described(tmp_path, f"a,y\n1,{one}\n1,{other}\n1,2\n")
    with pytest.raises(SourceError, match=message):
        saved(tmp_path, np.ones(3), np.array([one, other, "2"]))


def test_spaces_at_the_ends_of_a_texts_class_are_noted_in_an_npz_and_ignored_in_a_csv(tmp_path: Path) -> None:
    assert notes(saved(tmp_path, np.ones((4, 1)), np.array([" yes", "yes", "no", "no"]))) == ["similar_classes"]
    info = described(tmp_path, 'a,y\n1, yes\n1,"yes "\n1,no\n')
    assert (info.labels, info.counts, info.notes) == (("no", "yes"), (1, 2), ())


def test_classes_that_are_what_they_seem_get_no_note(tmp_path: Path) -> None:
    for labels in (["yes", "no"], ["0", "1"], ["a", "b", "A1"], ["007", "008"], ["+", "-1"], ["<=50K", ">50K"]):
        info = described(tmp_path, "a,y\n" + "".join(f"1,{label}\n" for label in labels * 20))
        assert notes(info) == (["mixed_classes"] if "-1" in labels else []), labels


def test_large_whole_numbers_are_different_classes(tmp_path: Path) -> None:
    info = described(tmp_path, "a,y\n1,9007199254740993\n1,9007199254740992\n")
    assert info.labels == ("9007199254740992", "9007199254740993")


@pytest.mark.parametrize("wants", ["classes", "numbers"])
def test_whole_numbers_that_float64_rounds_are_noted(wants: TargetKind, tmp_path: Path) -> None:
    cell = 2**53 + 1
    kept = int(np.float64(cell))
    text = f"a,b,y\n{cell},0.5,1\n{cell - 1},2,2\n"
    (note,) = described(tmp_path, text, wants).notes
    assert (note.name, note.at) == ("rounded_numbers", ("features",))
    assert note.message == f"t.csv:2: column 'a' is '{cell}', which is kept as {kept}"
    assert not described(tmp_path, text.replace(str(cell), str(cell - 1)), wants).notes
    noted = saved(tmp_path, np.array([cell, 1]), np.array([1, 2]), wants).notes
    assert [note.message for note in noted] == [f"the array 'x' holds {cell}, which is kept as {kept}"]
    assert not saved(tmp_path, np.array([cell - 1, 1]), np.array([1, 2]), wants).notes
    for kind in (np.int64, np.uint64):
        noted = saved(tmp_path, np.ones(2), np.array([cell, 1], kind), "numbers").notes
        assert [note.name for note in noted] == ["rounded_numbers"]


@pytest.mark.parametrize("cell", ["007", " 007", '"007"', "-01", "00.5", "0001e3"])
def test_zeros_in_front_of_a_number_are_noted(cell: str, tmp_path: Path) -> None:
    info = described(tmp_path, f"id,b,y\n12,1,p\n{cell},1,q\n")
    assert notes(info) == ["leading_zeros"]
    assert "t.csv:3: column 'id' is " in info.notes[0].message
    assert notes(described(tmp_path, f"a,b,y\n1,1,12\n2,1,{cell}\n", "numbers")) == ["leading_zeros"]


def test_many_columns_of_one_sort_are_one_note(tmp_path: Path) -> None:
    (note,) = described(tmp_path, "a,b,c,y\n1,2,3,p\n01,02,03,q\n").notes
    assert note.message.startswith("t.csv:3: column 'a' is '01'")
    assert note.message.endswith("; 2 more columns have such numbers")


@pytest.mark.parametrize("cell", ["0", "0.5", "-0.25", "1e-05", "10", "1.05", "0e0", "100", "+0", "0."])
def test_other_zeros_are_not_noted(cell: str, tmp_path: Path) -> None:
    assert not described(tmp_path, f"a,b,y\n{cell},1,p\n1,{cell},q\n").notes


MARKS = ["", "NA", "N/A", "?", "nan", "NaN", "None", "null", "NULL", "-", "--", "n/a", "<NA>", "#N/A", ".", "...", "—"]
MARKS += ["(null)", "[NA]", "<null>", "$null$", "{none}", "undefined", "Not Available", "#NUM!", "N\\A", "(missing)"]


@pytest.mark.parametrize("mark", MARKS)
def test_a_mark_of_a_missing_value_is_no_class_number_or_feature(mark: str, tmp_path: Path) -> None:
    assert "a class is expected" in refusal(tmp_path, f"a,b,y\n1,2,p\n3,4,q\n5,6,{mark}\n").message
    for text in (f"a,b,y\n1,2,3\n3,4,{mark}\n", f"a,b,y\n1,2,3\n{mark},4,5\n"):
        error = refusal(tmp_path, text, "numbers")
        assert error.message.startswith("t.csv:3: column ")
        target = "fill in the cell or remove the row"
        assert error.hint == (
            target if error.at == ("target",) else "add to `preprocess`: `impute: {columns: a}`; or " + target
        )
    with pytest.raises(SourceError, match="a class is expected"):
        saved(tmp_path, np.ones(3), np.array(["p", "q", mark]))


ATOMS = ["1", "0", ".", ",", "-", "+", "e", "_", " ", "'", "%", "x", "\u00a0", "1", "2", "\u0661"]


def test_a_cell_is_the_number_that_is_written_or_it_is_refused(tmp_path: Path) -> None:
    """Every cell of up to three of these characters: its value is that of exact arithmetic, or there is an error."""
    cells = {"".join(parts) for size in (1, 2, 3) for parts in itertools.product(ATOMS, repeat=size)}
    request = Request(tmp_path, ("a",), ("y",), "numbers")
    lines = []
    for cell in sorted(cells):
        plain = cell.strip(" \u00a0")
        try:
            number = Decimal(plain) if plain.isascii() and "_" not in plain else None
        except ArithmeticError:
            number = None
        lines.append((cell, number))
    good = [(cell, number) for cell, number in lines if number is not None]
    assert len(good) > 100
    text = "a;y\n" + "".join(f'"{cell}";1\n' for cell, _ in good)
    (tmp_path / "t.csv").write_text(text, "utf-8")
    rows = load(Csv(path="t.csv", delimiter=";"), request).features[:, 0]
    for value, (cell, number) in zip(rows.tolist(), good, strict=True):
        assert value == float(number), cell
    for cell in [cell for cell, number in lines if number is None][::8]:
        (tmp_path / "t.csv").write_text(f'a;y\n"{cell}";1\n', "utf-8")
        with pytest.raises(SourceError):
            describe(Csv(path="t.csv", delimiter=";"), request)
