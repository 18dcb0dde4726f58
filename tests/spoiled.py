"""Files of tables, spoiled at random: bytes changed, parts cut out, doubled or exchanged, odd cells."""

from __future__ import annotations

import gzip
import io
import json
import random
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

CELLS = ["1", "-2.5", "4e2", "0", "1e400", "nan", "", "NA", "x", "ä", '"', "'", "1,5", "1.234,5", "\0", "9" * 40]
CELLS += [
    "0x1",
    "2026-03-01",
    "True",
    "inf",
    "-",
    "  ",
    "\u2028",
    "\ufeff",
    "=1+1",
    "[1]",
    "{}",
    "null",
    '"a""b"',
    "\\",
]
PIECES = [
    b"\0",
    b"\xff",
    b"\n",
    b"\r",
    b'"',
    b",",
    b"{",
    b"}",
    b"[",
    b"\xef\xbb\xbf",
    b"\xfe\xff",
    b"1e",
    b"\\u00",
    b"-",
]


def csv(draw: random.Random) -> bytes:
    """A table as text with some odd cells."""
    width, odd = draw.randint(1, 4), draw.choice([0.0, 0.0, 0.0, 0.02, 0.3])
    between = draw.choice([",", ",", ",", ";", "\t"])
    lines = [between.join([*(f"c{index}" for index in range(width)), "y"])]
    for _ in range(draw.randint(0, 30)):
        cells = [draw.choice(CELLS) if draw.random() < odd else f"{draw.gauss(0, 1):.4g}" for _ in range(width)]
        lines.append(between.join([*cells, draw.choice("pq") if draw.random() > odd else draw.choice(CELLS)]))
    return (draw.choice(["\n", "\n", "\r\n", "\r"]).join(lines) + "\n").encode(draw.choice(["utf-8"] * 6 + ["utf-16"]))


def jsonl(draw: random.Random) -> bytes:
    """JSON lines with some odd values."""
    odd: list[Any] = [None, True, "x", "5", [1], {"a": 1}, 1e300, 2**70, -0.0, "", "ä", float("nan"), float("inf")]
    share = draw.choice([0.0, 0.05])
    lines = []
    for _ in range(draw.randint(0, 30)):
        row: dict[str, Any] = {"c0": draw.gauss(0, 1), "c1": draw.randint(0, 9), "y": draw.choice("pq")}
        for key in list(row):
            if draw.random() < share:
                row[draw.choice([key, key, "z"])] = draw.choice(odd)
        lines.append(json.dumps(row, ensure_ascii=draw.random() < 0.5))
    return ("\n".join(lines) + "\n").encode()


def parquet(draw: random.Random) -> bytes:
    """A parquet file of several types, some of them odd."""
    rows = draw.randint(0, 40)
    numbers = [draw.choice([None, float("nan"), float("inf")]) if draw.random() < 0.01 else draw.gauss(0, 1)] * rows
    columns: dict[str, Any] = {"c0": pa.array(numbers, pa.float64()), "c1": pa.array([draw.randint(0, 9)] * rows)}
    if draw.random() < 0.3:
        odd = [pa.array([[1, 2]] * rows), pa.array(["x"] * rows), pa.nulls(rows), pa.array([b"x"] * rows)]
        columns["c2"] = draw.choice(odd)
    words = pa.array([draw.choice("pq") for _ in range(rows)], pa.string())
    columns["y"] = words.dictionary_encode() if draw.random() < 0.5 else words
    sink = io.BytesIO()
    pq.write_table(
        pa.table(columns),
        sink,
        row_group_size=draw.choice([7, 100]),
        compression=draw.choice(["none", "snappy", "zstd", "gzip"]),
        use_dictionary=draw.random() < 0.5,
        write_page_checksum=draw.random() < 0.3,
    )
    return sink.getvalue()


def spoiled(content: bytes, draw: random.Random) -> bytes:
    """The bytes with a few changes, perhaps none."""
    data = bytearray(content)
    for _ in range(draw.choice([0, 0, 0, 1, 1, 2, 5])):
        place, end = sorted(draw.randrange(len(data) + 1) for _ in range(2))
        change = draw.choice(["byte", "byte", "piece", "cut", "out", "twice", "zeros"])
        if change == "byte" and place < len(data):
            data[place] = draw.randrange(256)
        elif change == "piece":
            data[place:place] = draw.choice(PIECES)
        elif change == "cut":
            del data[place:]
        elif change == "out":
            del data[place:end]
        elif change == "twice":
            data[place:place] = data[place:end]
        elif change == "zeros":
            data[place : place + 20] = bytes(20)
    return bytes(data)


def packed(content: bytes, draw: random.Random) -> tuple[bytes, str]:
    """The bytes, and the end of the name: some are packed, and spoiled once more after that."""
    form = draw.choice(["", "", ".gz", ".zst"])
    if not form:
        return content, ""
    raw = gzip.compress(content, mtime=0) if form == ".gz" else pa.compress(content, codec="zstd", asbytes=True)
    return spoiled(raw, draw), form
