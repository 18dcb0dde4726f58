"""Tables in files of every form: the same table is the same bits, and what is none is one error with its place."""

from __future__ import annotations

import gzip
import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from asking import LOSSES, Request, data_info, load
from pydantic import ValidationError

from dlrun.components.sources import SourceError, _streams, _text
from dlrun.components.sources import _table as tables
from dlrun.components.sources._layout import Layout
from dlrun.data.load import load as load_rows
from dlrun.language.component import choose, choose_some
from dlrun.language.experiment import DataSection, as_tuple
from dlrun.plan.describe_data import describe

ROWS = [(index / 8 - 2, index % 5, -1234.5 * index, f"grün {index % 3}") for index in range(60)]
NAMES = ("a", "b", "c", "y")
LARGE = -1234.5 * 59


def lines(between: str = ",", number: Any = repr) -> list[str]:
    return [between.join([*(number(float(value)) for value in row[:3]), row[3]]) for row in ROWS]


def text(between: str = ",", number: Any = repr) -> str:
    return "\n".join([between.join(NAMES), *lines(between, number), ""])


def german(value: float) -> str:
    whole, _, fraction = f"{value:,}".partition(".")
    return f"{whole.replace(',', '.')},{fraction}"


def packed(content: str, codec: str) -> bytes:
    return pa.compress(content.encode(), codec=codec, asbytes=True)


def write_all(folder: Path) -> dict[str, Any]:
    """The table `ROWS` in every form; what a spec writes for each."""
    (folder / "t.csv").write_text(text(), "utf-8")
    (folder / "bom.csv").write_bytes(b"\xef\xbb\xbf" + text().replace("\n", "\r\n").encode())
    (folder / "t.tsv").write_text(text("\t"), "utf-8")
    (folder / "t.csv.gz").write_bytes(gzip.compress(text().encode(), mtime=0))
    (folder / "t.csv.zst").write_bytes(packed(text(), "zstd"))
    (folder / "german.csv").write_text(text(";", german), "latin-1")
    (folder / "utf16.csv").write_text(text(), "utf-16")
    (folder / "bare.csv").write_text("\n".join(lines()), "utf-8")
    (folder / "parts").mkdir()
    for part in range(3):
        own = "\n".join([",".join(NAMES), *lines()[20 * part : 20 * part + 20]])
        (folder / "parts" / f"{part}.csv").write_text(own, "utf-8")
    objects = [json.dumps(dict(zip(NAMES, row, strict=True)), ensure_ascii=False) for row in ROWS]
    (folder / "t.jsonl").write_text("\n".join(objects), "utf-8")
    (folder / "t.jsonl.zst").write_bytes(packed("\n".join(objects), "zstd"))
    columns = dict(zip(NAMES, zip(*ROWS, strict=True), strict=True))
    pa.parquet.write_table(pa.table(columns), folder / "t.parquet", row_group_size=17)
    typed = {**columns, "b": pa.array(columns["b"], pa.int8()), "y": pa.array(columns["y"]).dictionary_encode()}
    pa.parquet.write_table(pa.table(typed), folder / "typed.parquet")
    np.savez(folder / "t.npz", x=np.array([row[:3] for row in ROWS], float), y=np.array(columns["y"]))
    return {
        "csv": {"csv": "t.csv"},
        "mark and line ends": {"csv": "bom.csv"},
        "tsv": {"tsv": "t.tsv"},
        "gz": {"csv": "t.csv.gz"},
        "zst": {"csv": "t.csv.zst"},
        "german": {
            "csv": {"path": "german.csv", "delimiter": ";", "decimal": ",", "thousands": ".", "encoding": "latin-1"}
        },
        "utf-16": {"csv": {"path": "utf16.csv", "encoding": "utf-16"}},
        "bare": {"csv": {"path": "bare.csv", "header": False, "names": NAMES}},
        "parts": {"csv": "parts/*.csv"},
        "jsonl": {"jsonl": "t.jsonl"},
        "packed jsonl": {"jsonl": "t.jsonl.zst"},
        "parquet": {"parquet": "t.parquet"},
        "typed parquet": {"parquet": "typed.parquet"},
        "npz": {"npz": "t.npz"},
    }


def loaded(folder: Path, source: Any) -> Any:
    data = DataSection.read({"source": choose("sources", source), "target": ("y",)})
    info = describe(data, as_tuple(choose_some("losses", [LOSSES["classes"]])), folder, True)
    return load_rows(data, info, 7)


@pytest.mark.parametrize("small", [1 << 20, 100])
def test_the_same_table_in_every_form_is_the_same_bits(
    small: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "SMALL", small)  # of the larger files, pyarrow reads what the strict reader need not
    found = {form: loaded(tmp_path, source) for form, source in write_all(tmp_path).items()}
    expected = np.array([row[:3] for row in ROWS], float)
    for form, rows in found.items():
        assert rows.features["input"].tobytes() == expected.tobytes(), form
        assert rows.targets["target"].labels == ("grün 0", "grün 1", "grün 2"), form
        assert rows.targets["target"].values.tolist() == [index % 3 for index in range(60)], form
    assert len({(rows.digest, rows.split_digest) for rows in found.values()}) == 1


@pytest.mark.parametrize("kind", ["csv", "tsv", "jsonl", "parquet"])
def test_files_of_their_own_hold_the_last_rows(kind: str, tmp_path: Path) -> None:
    write_all(tmp_path)
    for split in ("validation", "test"):
        shutil.copy(tmp_path / f"t.{kind}", tmp_path / f"{split}.{kind}")
    settings = {"path": f"t.{kind}", "test": f"test.{kind}", "validation": f"validation.{kind}"}
    source = choose("sources", {kind: settings})
    info = data_info(source, Request(tmp_path, None, ("y",), "classes"))  # type: ignore[arg-type]
    assert dict(info.table.own_splits) == {"validation": range(60, 120), "test": range(120, 180)}
    numbers = info.table.numbers(["a", "b", "c"])
    assert numbers[:60].tolist() == numbers[60:120].tolist() == numbers[120:].tolist()
    assert info.table.cell("c", 179).startswith(f"test.{kind}") and str(LARGE) in info.table.cell("c", 179)


def test_a_file_of_two_splits_is_refused_and_files_of_one_name_are_told_apart(tmp_path: Path) -> None:
    write_all(tmp_path)
    error = refusal(tmp_path, {"csv": {"path": "parts/*.csv", "test": "parts/2.csv"}})
    assert (error.message, error.at) == ("2.csv is a file of `path`, and of `test` too", ("source", "csv", "test"))
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "2.csv").write_text(text().replace("-2.0,", "wrong,"), "utf-8")
    error = refusal(tmp_path, {"csv": {"path": "parts/*.csv", "test": "more/2.csv"}})
    assert error.message.startswith("more/2.csv:2: column 'a' is 'wrong', not a number")


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_a_file_with_other_columns_is_refused_by_name(kind: str, tmp_path: Path) -> None:
    write_all(tmp_path)
    other = dict(zip("abz", (1.0, 2.0, "p"), strict=True))
    (tmp_path / "o.csv").write_text("a,b,z\n1,2,p\n")
    (tmp_path / "o.jsonl").write_text(json.dumps(other) + "\n")
    pa.parquet.write_table(pa.Table.from_pylist([other]), tmp_path / "o.parquet")
    source = choose("sources", {kind: {"path": f"t.{kind}", "test": f"o.{kind}"}})
    with pytest.raises(SourceError) as caught:
        load(source, Request(tmp_path, None, ("y",), "classes"))  # type: ignore[arg-type]
    assert caught.value.at == ("source", kind, "test")
    assert caught.value.message.startswith(f"o.{kind}") and "'z'" in caught.value.message


@pytest.mark.parametrize(
    ("thousands", "cell", "number"),
    [
        (".", "1.234,56", 1234.56),
        (".", "-12.345.678", -12345678.0),
        (".", "1234,5", 1234.5),
        (".", ",5", 0.5),
        (".", "1,5e3", 1500.0),
        (".", "1.5", None),
        (".", "1.23,4", None),
        (".", "1234.567", None),
        (".", "1,234.5", None),
        (".", "1,2,3", None),
        (".", "1.234.", None),
        (" ", "1\u202f234 567,5", 1234567.5),
        (None, "1.234", None),
        (None, "1,5", 1.5),
        (None, "1_0", None),
        (None, "\u0661,5", None),
    ],
)
def test_a_number_with_a_decimal_comma_is_what_is_written_or_none(
    thousands: Any, cell: str, number: float | None
) -> None:
    plain = Layout(decimal=",", thousands=thousands).plain(cell)
    assert (float(plain) if plain else None) == number


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"names": ("a",)}, "`names` are for a file whose first line is a row: add `header: false`"),
        ({"header": False, "names": ("a", "a")}, "`names` has 'a' twice"),
        ({"header": False, "names": (" a",)}, "no space at its ends"),
        ({"decimal": ",", "thousands": ","}, "`decimal` and `thousands` are both ','"),
        ({"encoding": "utf8"}, "'encoding' must be 'utf-8'"),
    ],
)
def test_settings_that_do_not_fit_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        choose("sources", {"csv": {"path": "t.csv", **settings}})


def refusal(folder: Path, source: Any, target: str = "y") -> SourceError:
    with pytest.raises(SourceError) as caught:
        load(choose("sources", source), Request(folder, None, (target,), "classes"))  # type: ignore[arg-type]
    return caught.value


@pytest.mark.parametrize("end", ["gz", "zst"])
def test_a_packed_file_that_is_cut_damaged_or_not_packed_is_one_error(end: str, tmp_path: Path) -> None:
    whole = packed(text() * 50, "gzip" if end == "gz" else "zstd")
    for content, why in (
        (whole[: len(whole) // 2], "cannot be unpacked: it ends too early"),
        (text().encode(), "cannot be unpacked: it is damaged, or not packed"),
        (whole[:3] + b"\xff" * 9 + whole[12:], "cannot be unpacked: it"),
    ):
        (tmp_path / f"t.csv.{end}").write_bytes(content)
        error = refusal(tmp_path, {"csv": f"t.csv.{end}"})
        assert error.message.startswith(f"t.csv.{end} {why}") and error.at == ("source", "csv", "path")


def test_a_line_without_an_end_and_a_file_that_becomes_too_much_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_text, "LONGEST", 100_000)
    monkeypatch.setattr(_streams, "MOST", 1_000_000)
    (tmp_path / "line.csv.gz").write_bytes(gzip.compress(b"a,y\n" + b"0" * 200_000, mtime=0))
    assert refusal(tmp_path, {"csv": "line.csv.gz"}).message == "line.csv.gz:2: a line of more than 100,000 characters"
    (tmp_path / "many.csv.gz").write_bytes(gzip.compress(b"a,y\n" + b"0,p\n0,q\n" * 1_000_000, mtime=0))
    error = refusal(tmp_path, {"csv": "many.csv.gz"})
    assert error.message.startswith("many.csv.gz becomes more than 30") and "unpack it yourself" in error.hint


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_a_file_that_changes_while_it_is_read_is_one_error(kind: str, tmp_path: Path) -> None:
    write_all(tmp_path)
    table = choose("sources", {kind: f"t.{kind}"}).open(tmp_path)  # type: ignore[attr-defined]
    os.utime(tmp_path / f"t.{kind}", ns=(1, 1))
    with pytest.raises(SourceError, match=rf"t\.{kind} changed while it was read"):
        table.read({"a": ("features",)}, {})


def test_of_many_packed_files_the_rows_are_estimated_from_the_first_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "LOOK", 200_000)
    monkeypatch.setattr(tables, "WHOLE", 400_000)
    draw = np.random.default_rng(0)
    for part in range(4):
        numbers = draw.normal(size=50_000).tolist()
        content = "a,y\n" + "".join(f"{number:.6f},{'pq'[number > 0]}\n" for number in numbers)
        (tmp_path / f"{part}.csv.gz").write_bytes(gzip.compress(content.encode(), mtime=0))
    info = data_info(
        choose("sources", {"csv": {"path": "[012].csv.gz", "test": "3.csv.gz"}}),  # type: ignore[arg-type]
        Request(tmp_path, None, ("y",), "classes"),
        whole=False,
    )
    assert not info.table.complete and info.table.read_rows < 50_000
    assert abs(info.rows - 200_000) < 20_000 and abs(len(info.table.own_splits["test"]) - 50_000) < 5_000


def test_a_row_of_more_bytes_than_a_look_takes_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "LOOK", 50)
    monkeypatch.setattr(tables, "WHOLE", 60)
    names = [f"column{index}" for index in range(100)]
    rows = "".join(",".join([str(row)] * 100 + ["pq"[row % 2]]) + "\n" for row in range(1000))
    (tmp_path / "t.csv").write_text(",".join([*names, "y"]) + "\n" + rows)
    table = choose("sources", {"csv": "t.csv"}).open(tmp_path, whole=False)  # type: ignore[attr-defined]
    table.read({"column0": ("features",)}, {})
    assert table.numbers(["column0"]).tolist() == [[0.0]] and table.rows > 100


def test_a_pattern_that_matches_nothing_says_where_it_looked(tmp_path: Path) -> None:
    error = refusal(tmp_path, {"csv": "parts/*.csv"})
    assert error.message == "no file matches parts/*.csv" and str(tmp_path / "parts") in error.hint
    (tmp_path / "parts").mkdir()
    assert refusal(tmp_path, {"csv": "parts"}).hint == "`parts/*` reads the files in it as one table"
    (tmp_path / "odd[1].csv").write_text(text(), "utf-8")
    assert loaded(tmp_path, {"csv": "odd[1].csv"}).rows == 60
