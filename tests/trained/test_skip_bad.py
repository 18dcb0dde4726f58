"""Rows that cannot be used: one error, or left out of the predictions and listed with their lines and the reasons."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
from predicting import answers, invoke, rows_in, trained, write_rows

import dlrun
from dlrun.components.sources import _bad_rows
from dlrun.components.sources import _rows as tables
from dlrun.components.sources._files import TableSource
from dlrun.errors import SpecError
from dlrun.language.kinds import find
from dlrun.trained.endings import ENDINGS, skipped_file
from dlrun.trained.predict import BLOCK, predict
from dlrun.trained.rows import READABLE, NewRows, source_of
from dlrun.trained.run import TrainedRun, open_run

SPEC = """
data:
  source: {csv: rows.csv}
  target: kind
  features: [a, b, place, day]
  split: {validation: 0.2, test: 0.3}
  preprocess: [one_hot: {columns: place}, date: {columns: day}, standardize]
model: {layers: [linear: 8, tanh, linear: $classes]}
loss: cross_entropy
optimizer: adam
train: {epochs: 2, device: cpu}
tracking: off
baselines: off
"""
CSV = """\
a,b,place,day
1,2,near,2024-01-02
much,2,near,2024-01-02
1,2,near
1,2,"far
off",2024-01-02
1,1e300,near,2024-01-02

1,2,near,someday
1,,near,2024-01-02
a,b,place,day
1,"2"x,near,2024-01-02
1,2,near,2024-05-02
"""
CSV_ROWS = [0, 3, 9]
"""Those that can be used."""
CSV_SKIPPED = [
    (1, 3, "column 'a' is 'much', not a number"),
    (2, 4, "3 cells; the first line names 4 columns"),
    (4, 7, "row 4 holds 1e+300, too large for float32"),
    (5, 9, "date: column 'day' is 'someday'; it is not a time"),
    (6, 10, "column 'b' is '', not a number"),
    (7, 11, "the line is the same as the first one"),
    (8, 12, "',' expected after '\"'"),
]
JSONL = """\
{"a": "much", "b": 2, "place": "near", "day": "2024-01-02"}
{"a": 1, "b": 2, "place": "near", "day": "2024-01-02"}
{"a": 1, "b":

[1, 2]
{"a": 1, "place": "near", "day": "2024-01-02"}
{"a": 1, "b": 2, "place": "near", "day": "xx"}
{"a": 1, "b": 2, "place": 5, "day": "2024-01-02"}
{"a": 1, "b": 2, "place": "near", "day": "2024-05-02"}
"""
JSONL_ROWS = [1, 7]
JSONL_SKIPPED = [
    (0, 1, "column 'a' is the text \"much\"; new.jsonl:2 has the number 1"),
    (2, 3, "the line is not JSON: expecting value, at character 15"),
    (3, 5, "a list, and each line is an object"),
    (4, 6, "column 'b' has no value"),
    (5, 7, "date: column 'day' is 'xx'; it is not a time"),
    (6, 8, "column 'place' is the number 5; new.jsonl:1 has the text \"near\""),
]
PARQUET = {
    "a": [1.0, None, float("inf"), 1.0, 2.0],
    "b": [1.0, 2, 3, 4, 1e300],
    "place": ["near", None, "x", "far", "near"],
    "day": ["2024-01-02", "2024-01-02", "2024-01-02", "uu", "2024-01-02"],
}
PARQUET_SKIPPED = [
    (1, "column 'a' has no value"),
    (2, "column 'a' is 'inf', and numbers must be finite"),
    (3, "date: column 'day' is 'uu'; it is not a time"),
    (4, "row 4 holds 1e+300, too large for float32"),
]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> TrainedRun:
    """Of numbers, categories and days."""
    folder = tmp_path_factory.mktemp("run")
    rows = write_rows(folder / "rows.csv")
    lines = [
        f"{row['a']},{row['b']},{row['place'][:2]},2024-0{n % 9 + 1}-11,{row['kind']}" for n, row in enumerate(rows)
    ]
    (folder / "rows.csv").write_text("\n".join(["a,b,place,day,kind", *lines]))
    (folder / "spec.yaml").write_text(SPEC)
    return open_run(dlrun.train(folder / "spec.yaml", runs=folder / "runs").folder)


def write_new(folder: Path, kind: str) -> Path:
    """A file with rows that cannot be used."""
    file = folder / f"new.{kind}"
    if kind == "parquet":
        pyarrow.parquet.write_table(pyarrow.table(PARQUET), file)
    else:
        text = {"csv": CSV, "tsv": CSV.replace(",", "\t"), "jsonl": JSONL}[kind]
        file.write_text(text)
    return file


def test_these_are_all_kinds_of_tables_that_new_rows_come_in() -> None:
    tables = {kind for kind in READABLE if issubclass(find("sources", kind), TableSource)}
    assert tables == {"csv", "tsv", "jsonl", "parquet"}


@pytest.mark.parametrize("is_large", [False, True], ids=["small", "large"])
@pytest.mark.parametrize(
    ("kind", "good", "skipped"),
    [
        ("csv", CSV_ROWS, CSV_SKIPPED),
        ("tsv", CSV_ROWS, [(*row[:2], row[2].replace("','", "'\t'").replace("csv", "tsv")) for row in CSV_SKIPPED]),
        ("jsonl", JSONL_ROWS, JSONL_SKIPPED),
        ("parquet", [0], PARQUET_SKIPPED),
    ],
)
def test_rows_that_cannot_be_used_are_left_out_and_listed(
    kind: str,
    good: list[int],
    skipped: list[tuple[Any, ...]],
    is_large: bool,
    run: TrainedRun,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if is_large:  # the rows are read into the cache, by the second command from there
        monkeypatch.setenv("DLRUN_CACHE", str(tmp_path / "cache"))
        monkeypatch.setattr(tables, "WHOLE", 0)
    file = write_new(tmp_path, kind)
    for _ in range(1 + is_large):
        out = tmp_path / "out.csv"
        done = invoke(run.folder, file, "--skip-bad", "--out", out)
        assert done.exit_code == 0, done.output
        assert f"{len(skipped)} rows are left out: {tmp_path / 'out.skipped.csv'} says why" in done.stderr
        assert f"{len(good)} row" in done.stdout
        assert [row[0] for row in rows_in(out)[1]] == good
        names, rows = rows_in(tmp_path / "out.skipped.csv")
        assert names == (["row", "reason"] if kind == "parquet" else ["row", "line", "reason"])
        assert list(map(tuple, rows)) == skipped
        out.unlink()


def test_the_rows_that_are_left_have_their_predictions(run: TrainedRun, tmp_path: Path) -> None:
    lines = [line for line in (run.folder.parent.parent / "rows.csv").read_text().splitlines() if line]
    (tmp_path / "good.csv").write_text("\n".join(lines))
    (expected,) = answers(run, tmp_path / "good.csv")
    (tmp_path / "mixed.csv").write_text("\n".join([lines[0], "x,1,ne,2024-01-01,low", *lines[1:], "1,1,ne,never,low"]))
    found = list(predict(run, NewRows(run, source_of(run, tmp_path / "mixed.csv"), skip_bad=True)))
    np.testing.assert_array_equal(np.concatenate([one.numbers for one in found]), np.arange(1, len(lines)))
    values = np.concatenate([one.answers[0].values for one in found])
    np.testing.assert_allclose(values, expected.values, rtol=1e-6)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("csv", "new.csv:4: 3 cells; the first line names 4 columns"),
        ("jsonl", "new.jsonl:3: the line is not JSON"),
        ("parquet", "new.parquet, row 2: column 'a' is 'inf'; numbers must be finite"),
    ],
)
def test_without_the_option_the_first_one_is_an_error(kind: str, message: str, run: TrainedRun, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=message):
        answers(run, write_new(tmp_path, kind))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b,place\n1,2,near\n", "new.csv lacks the column 'day'"),
        ('a,b,place,day\n1,2,near,2024-01-02\n1,2,"near,2024-01-02\n1,2,near,2024-01-02\n', "unexpected end of data"),
        ("a,b,place,day\n1,2,n\xe9ar,2024-01-02\n", "is not UTF-8"),
    ],
)
def test_what_is_wrong_with_the_whole_file_is_an_error_all_the_same(
    text: str, message: str, run: TrainedRun, tmp_path: Path
) -> None:
    (tmp_path / "new.csv").write_bytes(text.encode("latin-1"))
    with pytest.raises(SpecError, match=message):
        list(predict(run, NewRows(run, source_of(run, tmp_path / "new.csv"), skip_bad=True)))


@pytest.mark.parametrize("place", [1, BLOCK + 1], ids=["while reading", "while encoding"])
def test_too_many_such_rows_are_an_error(
    place: int, run: TrainedRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_bad_rows, "MOST", 3)
    bad = "much,1,near,2024-01-02" if place == 1 else "1,1,near,never"
    lines = ["a,b,place,day", *["1,1,near,2024-01-02"] * place, *[bad] * 4]
    (tmp_path / "new.csv").write_text("\n".join(lines))
    with pytest.raises(SpecError, match=f"more than 3 rows cannot be used; the first one is row {place}: "):
        list(predict(run, NewRows(run, source_of(run, tmp_path / "new.csv"), skip_bad=True)))


def test_a_number_that_a_step_is_not_defined_for_makes_a_row_bad(tmp_path: Path) -> None:
    changes = ("data.preprocess=[log1p]", "data.features=[a]", "data.target=up", "data.source={csv: sizes.csv}")
    lines = [f"{value},{'yes' if value > 2 else 'no'}" for value in np.random.default_rng(0).uniform(1, 3, 60)]
    (tmp_path / "sizes.csv").write_text("\n".join(["a,up", *lines]))
    run = trained(tmp_path, "up", "$classes", "cross_entropy", *changes)
    (tmp_path / "new.csv").write_text("a\n1\n-2\n3\n-4\n")
    rows = NewRows(run, source_of(run, tmp_path / "new.csv"), skip_bad=True)
    assert [one.numbers.tolist() for one in predict(run, rows)] == [[0], [2]]
    skipped = rows.skipped()
    assert skipped["line"].tolist() == [3, 5]
    assert skipped["reason"][0].startswith("row 1 holds -2; ")


@pytest.mark.parametrize("ending", ENDINGS)
def test_the_list_has_the_form_of_the_predictions(ending: str, run: TrainedRun, tmp_path: Path) -> None:
    out = tmp_path / f"out{ending}"
    assert invoke(run.folder, write_new(tmp_path, "csv"), "--skip-bad", "--out", out).exit_code == 0
    aside = tmp_path / f"out.skipped{ending}"
    if ending == ".npz":
        with np.load(aside, allow_pickle=False) as arrays:
            rows = list(zip(arrays["row"].tolist(), arrays["line"].tolist(), arrays["reason"].tolist(), strict=True))
    else:
        rows = list(map(tuple, rows_in(aside)[1]))
    assert rows == CSV_SKIPPED
    assert not list(tmp_path.glob(".*"))


def test_beside_the_standard_output_the_list_is_a_csv_named_after_the_rows(
    run: TrainedRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    write_new(tmp_path / "data", "jsonl")
    done = invoke(run.folder, "data/new.jsonl", "--skip-bad")
    assert [line.split(",")[0] for line in done.stdout.splitlines()] == ["row", *map(str, JSONL_ROWS)]
    assert len(rows_in(tmp_path / "new.skipped.csv")[1]) == len(JSONL_SKIPPED)
    assert skipped_file(None, Path("data/sales.2024.csv.gz")) == Path("sales.2024.skipped.csv")
    done = invoke(run.folder, "-", "--skip-bad", given=CSV.encode())
    assert len(rows_in(tmp_path / "stdin.skipped.csv")[1]) == len(CSV_SKIPPED)


def test_without_bad_rows_the_list_is_empty(run: TrainedRun, tmp_path: Path) -> None:
    (tmp_path / "new.csv").write_text("a,b,place,day\n1,2,near,2024-01-02\n")
    done = invoke(run.folder, tmp_path / "new.csv", "--skip-bad", "--out", tmp_path / "out.jsonl")
    assert "left out" not in done.stderr and "1 row predicted" in done.stdout
    assert (tmp_path / "out.skipped.jsonl").read_text() == ""


def test_the_list_never_takes_the_place_of_the_rows(run: TrainedRun, tmp_path: Path) -> None:
    rows = write_new(tmp_path, "csv").rename(tmp_path / "out.skipped.csv")
    done = invoke(run.folder, rows, "--skip-bad", "--out", tmp_path / "out.csv")
    assert f"the rows that are left out would be written to {rows}, which is read; rename it" in str(done.exception)
    assert rows.read_text() == CSV


def test_rows_of_arrays_cannot_be_left_out(tmp_path: Path) -> None:
    np.savez(tmp_path / "rows.npz", a=np.zeros(3))
    run = trained(tmp_path, "up", "$classes", "cross_entropy", "data.features=[a]", "data.preprocess=[standardize]")
    with pytest.raises(SpecError, match=r"`--skip-bad` is for csv, tsv, jsonl and parquet, and rows\.npz is npz"):
        NewRows(run, source_of(run, tmp_path / "rows.npz"), skip_bad=True)
