"""Whatever a file holds, it is read, or it is one error that names it; `make tables` tries many more files."""

from __future__ import annotations

import os
import random
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import spoiled
from asking import Request, data_info

from dlrun.components.sources import SourceError
from dlrun.components.sources import _table as tables
from dlrun.language.component import choose

TIMES = int(os.environ.get("DLRUN_TABLES", "150"))
"""How many files of csv; of the other forms a fifth of it."""
THOUSANDS = {"decimal": ",", "thousands": "."}
LONGEST = 20
"""Seconds that one file may take, on a machine that does other things too."""


@pytest.mark.parametrize("small", [100, 1 << 20])
@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_a_spoiled_file_is_read_or_is_one_error(
    kind: str, small: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "SMALL", small)
    draw = random.Random(f"{kind} {small}")
    found = Counter[str]()
    for number in range(TIMES // (2 if kind == "csv" else 10) + 1):
        content = spoiled.spoiled(getattr(spoiled, kind)(draw), draw)
        content, end = spoiled.packed(content, draw) if kind != "parquet" else (content, "")
        name = f"t.{kind}{end}"
        (tmp_path / name).write_bytes(content)
        settings: dict[str, Any] = {"path": name}
        if kind == "csv":
            settings |= draw.choice([{}] * 4 + [{"delimiter": ";", "decimal": ","}, {"header": False}, THOUSANDS])
        source = choose("sources", {kind: settings})
        wants = draw.choice(["classes", "numbers"])
        target = "c0" if wants == "numbers" else "y"
        began = time.monotonic()
        try:
            for whole in (False, True):
                info = data_info(source, Request(tmp_path, None, (target,), wants), whole)  # type: ignore[arg-type]
            found["read"] += 1
            assert info.table.cell(target, info.rows - 1).startswith("t.")
        except SourceError as error:
            message = str(error)
            found[message.partition(":")[0][:30]] += 1
            named = name in message or "column" in message or (error.at == ("target",) and "class" in message)
            assert named and error.at[0] in ("source", "features", "target"), (number, message)
            assert "Error" not in message and len(message) < 5_000, (number, message)
        assert time.monotonic() - began < LONGEST, number
    assert found["read"] > 1 and sum(found.values()) > found["read"]
