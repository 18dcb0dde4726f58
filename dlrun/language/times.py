"""Times as texts: a split by time and the step `date` read them the same way."""

from __future__ import annotations

from datetime import UTC, datetime


def read_time(text: str) -> float | None:
    """The seconds since 1970-01-01T00:00:00 UTC of a time as ISO 8601 writes it; None where it is no time.

    `2026-03-01`, `2026-03-01 14:30`, `2026-03-01T14:30:05.250` and `2026-03-01T14:30:05+02:00` are times. One without
    an offset is taken as UTC, so that a file means the same on every machine.

    Reference: ISO 8601-1:2019.
    """
    if len(text) < len("2026-03-01") or text[4:5] != "-" or text[7:8] != "-":  # nor a number such as 20260301
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
