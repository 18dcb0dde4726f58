"""A large csv is read by pyarrow; whatever that reads, the strict reader reads the same, and it tells every mistake."""

from __future__ import annotations

import gzip
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from asking import Request, data_info, describe, load

from dlrun.components.sources import SourceError
from dlrun.components.sources import _table as tables
from dlrun.components.sources.csv import Csv
from dlrun.language.target_kind import TargetKind

CELLS = ["1", "2.5", "-3", "4e2", " 7 ", '"8"', "+3", ".5", "5.", "0", "1e-300", "123456789.125"]
ODD = ["nan", "NA", "", "inf", ' "9"', '"a"', "True", "1_0", "0x1", "٣", '"q""r"', '"l\nm"', "9007199254740993"]


def written(folder: Path, draw: random.Random, odd: float) -> None:
    columns, rows = draw.randint(2, 5), draw.randint(30, 60)
    lines = [",".join(f"c{index}" for index in range(columns))]
    for _ in range(rows):
        cells = [draw.choice(ODD if draw.random() < odd else CELLS) for _ in range(columns - 1)]
        lines.append(
            ",".join([*cells, ' "u"' if draw.random() < odd else draw.choice(["p", "q", '"r, s"', " t", "u"])])
        )
        if draw.random() < 0.1:
            lines.append("")
    newline = draw.choice(["\n", "\r\n"])
    (folder / "t.csv").write_bytes((newline.join(lines) + newline).encode())


def rewritten(folder: Path, draw: random.Random) -> Csv:
    """The file in another form, perhaps, and the source that reads it."""
    content = (folder / "t.csv").read_bytes().decode()
    first, rest = content.split("\n", 1)
    form = draw.choice(["plain", "plain", "comma", "points", "bare", "utf-16", "gz"])
    if form in ("comma", "points"):
        content = content.replace(",", ";")
        (folder / "t.csv").write_text(content.replace(".", ",") if form == "comma" else content, newline="")
        return Csv(path="t.csv", delimiter=";", decimal=",")
    if form == "bare":
        (folder / "t.csv").write_text(rest, newline="")
        return Csv(path="t.csv", header=False, names=tuple(first.strip().split(",")))
    if form == "utf-16":
        (folder / "t.csv").write_text(content, "utf-16", newline="")
        return Csv(path="t.csv", encoding="utf-16")
    if form == "gz":
        (folder / "t.csv.gz").write_bytes(gzip.compress(content.encode(), 1, mtime=0))
    return Csv(path="t.csv.gz" if form == "gz" else "t.csv")


def outcome(folder: Path, wants: TargetKind, target: str, source: Csv | None = None) -> Any:
    request = Request(folder, None, (target,), wants)
    source = source or Csv(path="t.csv")
    try:
        info, rows = describe(source, request), load(source, request)
    except SourceError as error:
        return str(error), error.at, error.hint
    return info, info.classes, rows.features.tolist(), rows.target.tolist()


@pytest.mark.parametrize("odd", [0.0, 0.005])
def test_the_fast_reader_reads_what_the_strict_one_reads(
    odd: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fast: list[bool] = []
    original = tables.TextTable._read_fast

    def counting(self: Any, *arguments: Any) -> bool:
        fast.append(original(self, *arguments))
        return fast[-1]

    monkeypatch.setattr(tables.TextTable, "_read_fast", counting)
    monkeypatch.setattr(tables, "TYPED_ROWS", 2)  # of the others only the fast reader sees anything
    draw = random.Random(7)
    for _ in range(250):
        written(tmp_path, draw, odd)
        wants, target = draw.choice([("classes", ""), ("numbers", "c0")])
        columns = (tmp_path / "t.csv").read_text().partition("\n")[0].split(",")
        target = target or columns[-1].strip()
        source = rewritten(tmp_path, draw)
        monkeypatch.setattr(tables, "SMALL", 1 << 20)
        strictly = outcome(tmp_path, wants, target, source)  # type: ignore[arg-type]
        monkeypatch.setattr(tables, "SMALL", 100)
        assert outcome(tmp_path, wants, target, source) == strictly  # type: ignore[arg-type]
    assert sum(fast) > 50, "the fast reader read too few tables: the test would prove little"


@pytest.mark.parametrize("cell", [*CELLS, *ODD, "1e400", "-inf", "9007199254740992"])
def test_a_single_odd_cell_far_down_is_read_or_told_as_by_the_strict_reader(
    cell: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "TYPED_ROWS", 2)
    lines = [f"{number}.5,{'pq'[number % 2]}" for number in range(40)]
    lines[30] = f"{cell},p"
    (tmp_path / "t.csv").write_text("\n".join(["c0,y", *lines, ""]))
    strictly = outcome(tmp_path, "classes", "y")
    monkeypatch.setattr(tables, "SMALL", 100)
    assert outcome(tmp_path, "classes", "y") == strictly


def test_missing_values_are_nan_in_both_ways(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cells = ["1", "NA", "", "n/a", "NULL", "2.5", "?", "nan"] * 30
    (tmp_path / "t.csv").write_text("a,y\n" + "".join(f"{cell},1\n" for cell in cells))
    expected = [float(cell) if cell[:1].isdigit() else np.nan for cell in cells]
    for small in (1 << 20, 100):
        monkeypatch.setattr(tables, "SMALL", small)
        table = Csv(path="t.csv").open(tmp_path)
        table.read({"a": ("features",), "y": ("target",)}, {}, lacking={"a"})
        assert np.array_equal(table.numbers(["a"])[:, 0], expected, equal_nan=True)


def test_of_a_large_file_only_the_first_part_is_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "LOOK", 20_000)
    monkeypatch.setattr(tables, "WHOLE", 40_000)
    lines = [f"{number % 7}.25,{number % 5}.5,{'pq'[number % 2]}\n" for number in range(30_000)]
    (tmp_path / "t.csv").write_text("a,b,y\n" + "".join(lines[:-1]) + "1,wrong,p\n")
    request = Request(tmp_path, None, ("y",), "classes")
    looked = data_info(Csv(path="t.csv"), request, whole=False)
    assert not looked.table.complete and looked.table.read_rows < 3_000
    assert abs(looked.rows - 30_000) < 300
    assert looked.targets["target"].labels == ("p", "q")
    assert looked.features["input"].shape == (2,)
    with pytest.raises(SourceError, match=r"t\.csv:30001: column 'b' is 'wrong', not a number"):
        data_info(Csv(path="t.csv"), request, whole=True)
