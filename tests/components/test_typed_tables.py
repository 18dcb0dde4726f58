"""Parquet and JSON lines: values with types become numbers or texts, or every wrong column is told at once."""

from __future__ import annotations

import datetime
import decimal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from asking import Request, data_info, describe, load

from dlrun.components.sources import SourceError, _json_table, _parquet_table
from dlrun.components.sources.jsonl import Jsonl
from dlrun.components.sources.parquet import Parquet
from dlrun.language.target_kind import TargetKind
from dlrun.language.times import read_time

UTC = datetime.UTC
DAY = datetime.datetime(2026, 3, 1, 14, 30, 5, 250_000)


def table_of(folder: Path, **columns: Any) -> Any:
    pq.write_table(pa.table(columns), folder / "t.parquet", row_group_size=3)
    return Parquet(path="t.parquet").open(folder)


def refused(folder: Path, features: tuple[str, ...], kind: str = "parquet", wants: TargetKind = "classes") -> Any:
    source = Parquet(path="t.parquet") if kind == "parquet" else Jsonl(path="t.jsonl")
    with pytest.raises(SourceError) as caught:
        load(source, Request(folder, features, ("y",), wants))
    return caught.value


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (pa.array([1, 2, 3, -4], pa.int8()), [1, 2, 3, -4]),
        (pa.array([1, 2**64 - 1, 3, 4], pa.uint64()), [1, 2.0**64, 3, 4]),
        (pa.array([0.5, 1.5, -2, 0], pa.float32()), [0.5, 1.5, -2, 0]),
        (pa.array(np.array([0.5, 1.5, -2, 0], np.float16)), [0.5, 1.5, -2, 0]),
        (pa.array([True, False, True, True]), [1, 0, 1, 1]),
        (pa.array([decimal.Decimal(text) for text in ("0.10", "0.30", "123456789.01", "-7.57")]), None),
        (pa.array([5, 7, 5, 5]).dictionary_encode(), [5, 7, 5, 5]),
    ],
)
def test_every_sort_of_number_is_the_nearest_float64(values: Any, expected: Any, tmp_path: Path) -> None:
    table = table_of(tmp_path, x=values)
    assert table.fields["x"].type == "number"
    table.read({"x": ("features",)}, {})
    assert table.numbers(["x"])[:, 0].tolist() == (expected or [0.1, 0.3, 123456789.01, -7.57])


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (pa.array(["b", "a", "", "b"]), ["b", "a", "", "b"]),
        (pa.array(["b", None, "a", "b"], pa.large_string()), ["b", "", "a", "b"]),
        (pa.array(["b", None, "a", "b"]).dictionary_encode(), ["b", "", "a", "b"]),
        (pa.array([3, 10, None, 3]), ["3", "10", "", "3"]),
        (pa.array([2**60 + 1, 5, 5, 5]), [str(2**60 + 1), "5", "5", "5"]),
        (pa.array([1.0, 0.5, float("nan"), None]), ["1", "0.5", "", ""]),
        (pa.array([True, False, True, None]), ["true", "false", "true", ""]),
    ],
)
def test_every_sort_of_value_has_its_text(values: Any, expected: list[str], tmp_path: Path) -> None:
    table = table_of(tmp_path, x=values)
    table.read({}, {"x": ("target",)})
    texts = table.texts("x")
    assert [texts.distinct[code] for code in texts.rows] == expected
    assert list(texts.distinct) == list(dict.fromkeys(expected))


@pytest.mark.parametrize(
    "kind", [pa.date32(), pa.timestamp("s"), pa.timestamp("ms"), pa.timestamp("ns"), pa.timestamp("us", "+02:00")]
)
def test_dates_and_times_are_read_as_texts_that_say_the_same_time(kind: Any, tmp_path: Path) -> None:
    values = pa.array([DAY, DAY.replace(microsecond=0), None], pa.timestamp("us")).cast(kind, safe=False)
    table = table_of(tmp_path, x=values)
    assert table.fields["x"].type == "time"
    table.read({}, {"x": ("features",)})
    texts = table.texts("x")
    expected = values.cast(pa.timestamp("ms", "UTC"), safe=False).cast(pa.int64()).to_pylist()
    for code, milliseconds in zip(texts.rows, expected, strict=True):
        text = texts.distinct[code]
        assert read_time(text) == (None if milliseconds is None else milliseconds / 1000), text


def test_all_columns_of_a_parquet_that_cannot_be_used_are_told_at_once(tmp_path: Path) -> None:
    table_of(
        tmp_path,
        lists=[[1, 2]] * 5,
        records=[{"a": 1}] * 5,
        words=["p", "q", None, "p", "q"],
        lacks=[1.0, None, float("nan"), 4.0, 5.0],
        infinite=[1.0, 2.0, 3.0, float("-inf"), 5.0],
        day=[datetime.date(2026, 1, 1)] * 5,
        y=["r", "s", "r", "s", "r"],
    )
    error = refused(tmp_path, ("lists", "records", "words", "lacks", "infinite", "day"))
    assert error.message.split("\n  ") == [
        "the column 'lists' of t.parquet holds lists",
        "the column 'records' of t.parquet holds records",
        "the column 'words' of t.parquet holds texts, such as 'p' and 'q'",
        "the column 'day' of t.parquet holds times, such as '2026-01-01'",
        "t.parquet, row 1: column 'lacks' is 'null', one of 2 rows without a value",
        "t.parquet, row 3: column 'infinite' is '-inf'; numbers must be finite",
    ]
    steps = "`impute: {columns: lacks}`, `impute: {columns: words, with: most_frequent}`, `one_hot: {columns: words}`"
    steps += ", `date: {columns: day}`"
    assert error.hint.startswith(f"add to `preprocess`: {steps}; or write a column for each of the values")


def test_columns_that_cannot_be_used_are_told_without_features_too(tmp_path: Path) -> None:
    pandas.DataFrame({"a": [1, 2], "l": [[1], [2]], "y": ["p", "q"]}, index=["i", "j"]).to_parquet(
        tmp_path / "t.parquet"
    )
    with pytest.raises(SourceError) as caught:
        load(Parquet(path="t.parquet"), Request(tmp_path, None, ("y",), "classes"))
    assert caught.value.message.split("\n  ") == [
        "the column 'l' of t.parquet holds lists",
        "the column '__index_level_0__' of t.parquet holds pandas' index of the rows",
    ]
    assert "index=False" in caught.value.hint and "list the columns to learn from" in caught.value.hint


def test_whole_numbers_of_a_parquet_that_float64_rounds_are_noted(tmp_path: Path) -> None:
    table_of(tmp_path, x=[1, 2, 2**53, 2**53 + 1], y=["p", "q", "p", "q"])
    (note,) = describe(Parquet(path="t.parquet"), Request(tmp_path, ("x",), ("y",), "classes")).notes
    assert note.message == f"t.parquet, row 3: column 'x' is '{2**53 + 1}', which is kept as {2**53}"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "t.parquet is not a parquet file"),
        (b"a,b\n1,2\n", "t.parquet is not a parquet file"),
        (b"PK\x03\x04 and more", "t.parquet is not a parquet file, but a zip archive or a workbook"),
        (b"PAR1 and no more", "t.parquet is damaged or cut: it has no footer"),
    ],
)
def test_another_file_is_no_parquet_file(content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "t.parquet").write_bytes(content)
    error = refused(tmp_path, ("x",))
    assert (error.message, error.at) == (message, ("source", "parquet", "path"))


def test_more_rows_than_memory_holds_are_one_error(tmp_path: Path) -> None:
    table = table_of(tmp_path, x=[1.0, 2.0])
    table.rows = 2**60
    with pytest.raises(SourceError, match=r"t\.parquet has 1,152,921,504,606,846,976 rows, too many for the memory"):
        table.read({"x": ("features",)}, {})


def test_a_look_at_a_large_parquet_reads_its_footer_the_first_rows_and_the_classes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = 20_000
    draw = np.random.default_rng(0)
    classes = np.array(["p", "q", "rare"])[np.minimum(np.arange(rows) // 9_999, 2)]
    x = draw.normal(size=rows)
    pq.write_table(pa.table({"x": x, "z": x, "y": classes}), tmp_path / "t.parquet", row_group_size=2_000)
    monkeypatch.setattr(_parquet_table, "WHOLE", 100_000)
    monkeypatch.setattr(_parquet_table, "LOOKED_AT", 3_000)
    info = data_info(Parquet(path="t.parquet"), Request(tmp_path, None, ("y",), "classes"), whole=False)
    assert (info.rows, info.table.read_rows, info.table.complete) == (rows, 1_000, False)
    assert info.targets["target"].labels == ("p", "q", "rare")
    assert info.table.numbers(["x"])[:, 0].tolist() == x[:1_000].tolist()


def test_a_look_at_a_table_does_not_import_pandas(tmp_path: Path) -> None:
    """In a process of its own: pyarrow imports pandas where it is asked for an array of numpy, or to fill nulls."""
    (tmp_path / "t.csv").write_text("x,w,y\n" + "1.5,,p\nNA,u,q\n" * 100_000)
    pq.write_table(
        pa.table({"x": [1.5, None], "b": [True, None], "t": [DAY, None], "w": pa.array(["u", None]), "y": ["p", "q"]}),
        tmp_path / "t.parquet",
    )
    code = (
        "import sys, pathlib\n"
        "from dlrun.language.component import choose\n"
        "for file in ('t.csv', 't.parquet'):\n"
        "    table = choose('sources', {file[2:]: file}).open(pathlib.Path())\n"
        "    numbers = dict.fromkeys([name for name in table.fields if name in 'xb'], ('features',))\n"
        "    texts = dict.fromkeys([name for name in table.fields if name not in numbers], ('features',))\n"
        "    table.read(numbers, texts, list(numbers))\n"
        "    assert table.rows in (2, 200_000) and table.numbers(['x'])[0] == 1.5\n"
        "assert 'pyarrow' in sys.modules and not {'pandas', 'torch'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path)


def test_numbers_booleans_texts_and_absent_keys_of_json_lines_are_read(tmp_path: Path) -> None:
    lines = ['{"a": 1, "b": true, "w": "p"}', "", '{"w": null, "a": -2.5e1}', '{"b": false, "w": "ä", "a": null}']
    (tmp_path / "t.jsonl").write_text("\n".join(lines), "utf-8")
    table = Jsonl(path="t.jsonl").open(tmp_path)
    assert [(field.name, field.type) for field in table.fields.values()] == [
        ("a", "number"),
        ("b", "number"),
        ("w", "text"),
    ]
    table.read({"a": ("features",), "b": ("features",)}, {"w": ("features",)}, lacking=["a", "b"])
    expected = [[1, 1], [-25, np.nan], [np.nan, 0]]
    assert np.array_equal(table.numbers(["a", "b"]), expected, equal_nan=True)
    texts = table.texts("w")
    assert [texts.distinct[code] for code in texts.rows] == ["p", "", "ä"]


@pytest.mark.parametrize(
    ("line", "message", "hint"),
    [
        ('{"a": 1, "y": "p"', "t.jsonl:3: the line is not JSON: expecting ',' delimiter", "the line is"),
        ('{"a": NaN, "y": "p"}', "t.jsonl:3: NaN is not JSON", "write null"),
        ('{"a": -Infinity, "y": "p"}', "t.jsonl:3: -Infinity is not JSON", "write null"),
        ('{"a": 1, "a": 2, "y": "p"}', "t.jsonl:3: the key 'a' stands twice", "a name of its own"),
        (
            '{"a": "5", "y": "p"}',
            "t.jsonl:3: column 'a' is the text \"5\"; t.jsonl:1 has the number 1",
            "without quotes",
        ),
        ('{"a": "NA", "y": "p"}', "t.jsonl:3: column 'a' is the text \"NA\"", "write null where there is no value"),
        ('{"a": true, "y": "p"}', "t.jsonl:3: column 'a' is true; t.jsonl:1 has the number 1", "one sort"),
        ('{"a": [1], "y": "p"}', "t.jsonl:3: column 'a' is a list", "one sort"),
        ('{"a": 1, "y": 5}', "t.jsonl:3: column 'y' is the number 5; t.jsonl:1 has the text", "in quotes"),
        ('{"a": 1e999, "y": "p"}', "t.jsonl:3: column 'a' is too large for a number", "the largest number"),
        ('{"a": null, "y": "p"}', "t.jsonl:3: column 'a' has no value", "`impute: {columns: a}`"),
        ('{"y": "p"}', "t.jsonl:3: column 'a' has no value", "`impute: {columns: a}`"),
        ('{"a": 1}', "t.jsonl:3: column 'y' is null; a class is expected", "fill in the value"),
        ('{"a": 1, "y": "p", "z": 1}', "t.jsonl:3: the key 'z' is in none of the first 2 rows", "to the first row"),
        (r'{"a": 1, "y": "\ud800"}', r"t.jsonl:3: \ud800 is half of a character", "the character itself"),
        ("[1, 2]", "t.jsonl:3: a list, and each line is an object", "the line is"),
        ("[" * 99_999, "t.jsonl:3: nested too deep", ""),
        ('{"a": ' + "1" * 5_000 + "}", "t.jsonl:3: a number of too many digits", ""),
        ('{"a": 1, "y": "\udce9"}', "t.jsonl:3: the line has the byte 0xe9, which is not UTF-8", "as UTF-8"),
        ("\0", "t.jsonl:3: the line is not JSON", "the line is"),
    ],
)
def test_a_wrong_line_of_json_is_one_error_with_its_place(
    line: str, message: str, hint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_json_table, "TYPED_ROWS", 2)
    content = "\n".join(['{"a": 1, "y": "p"}', '{"a": 2, "y": "q"}', line, '{"a": 3, "y": "q"}'])
    (tmp_path / "t.jsonl").write_text(content, "utf-8", "surrogateescape")
    error = refused(tmp_path, ("a",), "jsonl")
    assert error.message.startswith(message)
    assert hint in error.hint


@pytest.mark.parametrize("content", ['[{"a": 1}, {"a": 2}]', '{\n "a": 1,\n "y": "p"\n}'])
def test_json_in_another_form_says_how_to_write_lines(content: str, tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_text(content)
    error = refused(tmp_path, ("a",), "jsonl")
    assert error.message.startswith("t.jsonl:1: ") and "line" in error.hint


def test_of_large_json_lines_only_the_first_part_is_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_json_table, "LOOK", 20_000)
    monkeypatch.setattr(_json_table, "WHOLE", 40_000)
    lines = [f'{{"a": {number % 7}.5, "y": "{"pq"[number % 2]}"}}\n' for number in range(10_000)]
    (tmp_path / "t.jsonl").write_text("".join(lines[:-1]) + '{"a": "wrong", "y": "p"}\n')
    request = Request(tmp_path, None, ("y",), "classes")
    looked = data_info(Jsonl(path="t.jsonl"), request, whole=False)
    assert not looked.table.complete and looked.table.read_rows < 1_000
    assert abs(looked.rows - 10_000) < 300
    with pytest.raises(SourceError, match=r't\.jsonl:10000: column \'a\' is the text "wrong"'):
        data_info(Jsonl(path="t.jsonl"), request, whole=True)
