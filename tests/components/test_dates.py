"""Times: which columns are of them, and what the step `date` makes of them, against pandas, NumPy and scikit-learn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from columns import column_of, encoded, matrix, step_of
from sklearn.preprocessing import FunctionTransformer

from dlrun.components.preprocess import EncodeError
from dlrun.components.sources import Source, SourceError
from dlrun.language.component import choose, choose_some
from dlrun.language.experiment import DataSection, as_tuple
from dlrun.plan.data_info import DataInfo
from dlrun.plan.describe_data import describe

TIMES = ["2024-02-29", "2023-12-31 23:59", "2021-01-01T00:00:30", "2024-12-31T08:30:05.250", "2000-06-15T12:00+02:00"]
PARTS = ("year", "month", "day", "weekday", "hour", "minute", "day_of_year")
LOSS = as_tuple(choose_some("losses", ["cross_entropy"]))


def as_written() -> Any:
    """The times with pandas, each without its offset."""
    return pd.Series([pd.Timestamp(text).tz_localize(None) for text in TIMES])


def of_pandas(part: str) -> Any:
    """(N,) a part of the times."""
    return getattr(as_written().dt, part.replace("weekday", "day_of_week")).to_numpy()


@pytest.mark.parametrize("part", PARTS)
def test_each_part_is_what_pandas_has(part: str):
    (ours,) = encoded({"date": part}, TIMES, TIMES)
    assert ours.name == f"size {part}"
    assert matrix([ours])[:, 0].tolist() == of_pandas(part).tolist()


def test_elapsed_is_the_days_since_the_first_time_of_a_training_row():
    (ours,) = encoded({"date": "elapsed"}, TIMES[:3], TIMES)
    moments = pd.to_datetime(pd.Series(TIMES), format="ISO8601", utc=True)
    assert np.allclose(matrix([ours])[:, 0], (moments - moments[:3].min()) / pd.Timedelta(days=1), rtol=1e-12)


def test_elapsed_counts_from_the_first_time_also_where_a_space_is_before_it():
    times = [" 2024-01-01", "2024-01-05"]
    (ours,) = encoded({"date": "elapsed"}, times, times)
    assert matrix([ours])[:, 0].tolist() == [0, 4]


@pytest.mark.parametrize(("part", "period"), [("month", 12), ("weekday", 7), ("hour", 24), ("minute", 60)])
def test_a_cyclic_part_is_that_of_scikit_learns_example(part: str, period: int):
    # Time-related feature engineering: sin_transformer(period) and cos_transformer(period).
    values = of_pandas(part)[:, None]
    theirs = [
        FunctionTransformer(lambda x, of=of: of(x / period * 2 * np.pi)).fit_transform(values)
        for of in (np.sin, np.cos)
    ]
    ours = encoded({"date": {"parts": part, "cyclic": True}}, TIMES, TIMES)
    assert [column.name for column in ours] == [f"size {part} sine", f"size {part} cosine"]
    assert np.allclose(matrix(ours), np.hstack(theirs), rtol=0, atol=1e-15)


def test_the_days_of_a_month_and_of_a_year_repeat_after_as_many_as_it_has():
    dt = as_written().dt
    ours = matrix(encoded({"date": {"parts": ["day", "day_of_year"], "cyclic": True}}, TIMES, TIMES))
    for columns, angle in (
        (ours[:, :2], 2 * np.pi * dt.day / dt.days_in_month),
        (ours[:, 2:], 2 * np.pi * dt.day_of_year / np.where(dt.is_leap_year, 366, 365)),
    ):
        assert np.allclose(columns, np.stack([np.sin(angle), np.cos(angle)], axis=1), rtol=0, atol=1e-15)


def test_what_does_not_repeat_stays_one_number():
    ours = encoded({"date": {"parts": ["year", "elapsed"], "cyclic": True}}, TIMES, TIMES)
    assert [column.name for column in ours] == ["size year", "size elapsed"]


@pytest.mark.parametrize(
    ("values", "message", "hint"),
    [
        (["2024-01-01", "soon"], "it is not a time", "write it as 2026-03-31 or 2026-03-31 14:30"),
        (["2024-01-01", "31/05/2024"], "it is not a time", "write it as 2026-03-31 or 2026-03-31 14:30"),
        (
            ["2024-01-01", None],
            "each row needs a time",
            "`impute: {columns: size, with: most_frequent}` before this step, or `with: constant`",
        ),
    ],
)
def test_a_row_without_a_time_is_told(values: list[Any], message: str, hint: str):
    step, column = step_of("date"), column_of(values)
    with pytest.raises(EncodeError) as caught:
        step.encode(column, step.learn(column))
    assert (caught.value.message, caught.value.hint, caught.value.row) == (message, hint, 1)


def described(folder: Path, source: Any, *steps: Any) -> DataInfo:
    split = {"validation": 0, "test": 0}
    data = DataSection.read({"source": source, "target": "y", "split": split, "preprocess": steps})
    return describe(data, LOSS, folder)


def csv(folder: Path, cells: list[str]) -> Any:
    lines = [f"{cell},{row},{'ab'[row % 2]}" for row, cell in enumerate(cells)]
    (folder / "t.csv").write_text("\n".join(["sold,number,y", *lines]))
    return {"csv": "t.csv"}


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        (["2024-01-01", "2024-01-02 10:00"], "time"),
        (["2024-01-01", "", "NA"], "time"),
        (["2024-01-01", "soon"], "text"),
        (["2024-01-01", "20240101"], "text"),
        (["01.02.2024", "02.02.2024"], "text"),
        (["20240101", "20240102"], "number"),
        (["", ""], "number"),
    ],
)
def test_a_column_all_of_whose_texts_are_times_is_of_times(tmp_path: Path, cells: list[str], kind: str):
    source = choose("sources", csv(tmp_path, cells))
    assert isinstance(source, Source)
    assert source.open(tmp_path).fields["sold"].type == kind


def test_other_encoders_take_times_only_by_name(tmp_path: Path):
    source = csv(tmp_path, ["2024-01-01", "2024-05-02", "2024-01-01", "2024-05-02"])
    found = described(tmp_path, source, {"date": "month"}).inputs("input")
    assert found.tolist() == [[1, 0], [5, 1], [1, 2], [5, 3]]
    for kind in ("one_hot", "ordinal"):
        with pytest.raises(SourceError) as caught:
            described(tmp_path, source, kind)
        assert "add to `preprocess`: `date: {columns: sold}`" in caught.value.hint
    by_name = described(tmp_path, source, {"one_hot": {"columns": "sold"}})
    names = [column.name for column in by_name.features["input"].columns]
    assert names == ["sold=2024-01-01", "sold=2024-05-02", "sold=(other)", "number"]


def test_filled_times_are_still_times(tmp_path: Path):
    source = csv(tmp_path, ["2024-01-01", "", "2024-01-01", "2024-05-02"])
    fill = {"impute": {"columns": "sold", "with": "most_frequent", "indicator": True}}
    assert described(tmp_path, source, fill, {"date": "month"}).inputs("input").tolist() == [
        [1, 0, 0],
        [1, 1, 1],
        [1, 0, 2],
        [5, 0, 3],
    ]
    with pytest.raises(SourceError, match="'sold' is still of times") as caught:
        described(tmp_path, source, fill)
    assert caught.value.hint == "add `date: {columns: sold}` after it"


def test_a_cell_that_is_no_time_is_told_with_its_line(tmp_path: Path):
    source = csv(tmp_path, ["2024-01-01", "2024-05-02", "soon"])
    with pytest.raises(SourceError) as caught:
        described(tmp_path, source, {"date": {"columns": "sold"}})
    assert caught.value.message == "date: t.csv:4: column 'sold' is 'soon'; it is not a time"
    with pytest.raises(SourceError) as caught:
        described(tmp_path, source)
    assert caught.value.hint == "add to `preprocess`: `date: {columns: sold}`"


@pytest.mark.parametrize("unit", ["Y", "M", "D", "h", "s", "ms", "ns"])
def test_times_of_numpy_are_times(tmp_path: Path, unit: str):
    sold = np.array(["2023-02-28T23:10:12.5", "2024-12-31T01:00:00", "2024-03-01T00:59:00"], "M8[ms]").astype(
        f"M8[{unit}]"
    )
    np.savez(tmp_path / "t.npz", sold=sold, y=[0, 1, 0])
    parts = ["year", "month", "day", "hour", "minute"]
    theirs = pd.Series(sold.astype("M8[ns]")).dt
    found = described(tmp_path, {"npz": "t.npz"}, {"date": parts}).inputs("input")
    assert found.tolist() == [list(row) for row in zip(*(getattr(theirs, part) for part in parts), strict=True)]


def test_a_time_that_numpy_lacks_is_missing(tmp_path: Path):
    np.savez(tmp_path / "t.npz", sold=np.array(["2024-03-01", "NaT", "2024-05-01"], "M8[D]"), y=[0, 1, 0])
    with pytest.raises(SourceError, match="each row needs a time"):
        described(tmp_path, {"npz": "t.npz"}, "date")
