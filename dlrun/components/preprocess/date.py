from __future__ import annotations

from calendar import isleap, monthrange
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

from pydantic import PlainValidator, WithJsonSchema

from dlrun.components.preprocess import Column, EncodeError, Encoder, Learned
from dlrun.components.preprocess._categories import need_values
from dlrun.language.component import checked
from dlrun.language.suggestions import did_you_mean, shorten
from dlrun.language.times import read_time

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

Part = Literal["year", "month", "day", "weekday", "hour", "minute", "day_of_year", "elapsed"]
PARTS: tuple[str, ...] = get_args(Part)
DAY = 86_400.0
"""The seconds of a day."""


def _read_parts(value: Any) -> tuple[str, ...]:
    entries = (value,) if isinstance(value, str) else value
    if not isinstance(entries, tuple | list) or not entries:
        raise ValueError(
            f"a part or a list of parts is expected, such as `[month, weekday]`; received {shorten(value)}"
        )
    for entry in entries:
        if entry not in PARTS:
            meant = did_you_mean(entry, PARTS, {}) if isinstance(entry, str) else ""
            raise ValueError(f"a part is one of {', '.join(PARTS)}; received {shorten(entry)}{meant}")
        if entries.count(entry) > 1:
            raise ValueError(f"the part '{entry}' is listed twice")
    return tuple(entries)


class Date(Encoder):
    """Turn a column of times into a column of numbers for each of some parts.

    A time is as ISO 8601 writes it: `2026-03-01`, `2026-03-01 14:30`, `2026-03-01T14:30:05+02:00`. Its parts are those
    that are written, with its own offset. The columns are called as the column and the part, `sold month`.

    `month` is 1 to 12, `day` 1 to 31, `weekday` 0 (Monday) to 6, `hour` 0 to 23, `minute` 0 to 59, `day_of_year` 1 to
    366; `elapsed` is the days since the first time of a training row, with fractions. With `cyclic`, a part that
    repeats becomes two columns, `sold month sine` and `sold month cosine`, in which its last value is beside its first
    one: the period is 12 months, 7 weekdays, 24 hours, 60 minutes, the days of that month, the days of that year.

    Shape: one time -> one number for each part. With `cyclic`, sin(2*pi*part/period) and cos(2*pi*part/period)
    Reference: scikit-learn's guide, Time-related feature engineering: trigonometric features.
    Example: date: {columns: sold, parts: [year, month, weekday], cyclic: true}
    """

    synonyms = ("datetime", "date_parts", "datepart", "add_datepart", "dates", "time", "timestamp", "to_datetime")
    takes = ("time",)
    reads = "text"

    parts: Annotated[
        tuple[Part, ...],
        PlainValidator(checked(_read_parts)),
        WithJsonSchema(
            {"anyOf": [{"enum": list(PARTS)}, {"type": "array", "items": {"enum": list(PARTS)}, "minItems": 1}]}
        ),
    ] = ("year", "month", "day", "weekday")
    """What to take of a time: `year`, `month`, `day`, `weekday`, `hour`, `minute`, `day_of_year` or `elapsed`."""
    cyclic: bool = False
    """Write each part that repeats as its sine and its cosine; `year` and `elapsed` do not repeat."""

    def learn(self, column: Column) -> Learned:
        """The first time of a training row, in seconds since 1970, where `elapsed` counts from it."""
        if "elapsed" not in self.parts:
            return {}
        read = (read_time(text.strip()) for text in column.texts)
        seconds = [found for found in read if found is not None]  # `encode` tells the others
        if not seconds:
            message = f"the column '{column.name}' has no time in any training row"
            raise EncodeError(message, "leave the column out")
        return {"first": min(seconds)}

    def encode(self, column: Column, learned: Learned) -> list[Column]:
        import numpy as np

        assert column.codes is not None
        need_values(column, "a time")
        texts = [text.strip() for text in column.texts]
        times = [
            None if (second := read_time(text)) is None else (datetime.fromisoformat(text), second) for text in texts
        ]
        unread = np.isin(column.codes, [code for code, time in enumerate(times) if time is None])
        if unread.any():
            raise EncodeError("it is not a time", "write it as 2026-03-31 or 2026-03-31 14:30", int(unread.argmax()))
        found: list[Column] = []
        for part in self.parts:
            pairs = [(0.0, 1.0) if time is None else _part(part, *time, learned) for time in times]
            numbers, periods = np.array(pairs, np.float64).reshape(-1, 2)[column.codes].T
            name = f"{column.name} {part}"
            if not self.cyclic or part in ("year", "elapsed"):
                found.append(Column(name, numbers))
                continue
            angle = 2 * np.pi * numbers / periods
            found += [Column(f"{name} sine", np.sin(angle)), Column(f"{name} cosine", np.cos(angle))]
        return found


def _part(part: str, time: datetime, seconds: float, learned: Learned) -> tuple[float, float]:
    """A part of a time, and after how many it repeats."""
    match part:
        case "month":
            return time.month, 12
        case "day":
            return time.day, monthrange(time.year, time.month)[1]
        case "weekday":
            return time.weekday(), 7
        case "hour":
            return time.hour, 24
        case "minute":
            return time.minute, 60
        case "day_of_year":
            return time.timetuple().tm_yday, 366 if isleap(time.year) else 365
        case "elapsed":
            return (seconds - learned["first"]) / DAY, 1
    return time.year, 1
