"""The rows of a large table are read once: the next run finds them in the cache, and nothing is another number."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from networks import checked, rows_of, train
from pyarrow import parquet

from dlrun import cache
from dlrun.components.sources import _rows as tables
from dlrun.components.sources import _table as texts
from dlrun.components.sources._files import TableSource
from dlrun.components.sources._rows import FileTable
from dlrun.data import prepare
from dlrun.errors import SpecError
from dlrun.language.kinds import find, kinds
from dlrun.plan import encoded
from dlrun.stored import StoredArray
from dlrun.training.lifecycle import fitting

TABLES = (kind for kind in kinds("sources") if issubclass(find("sources", kind), TableSource))
KINDS = tuple(kind for kind in TABLES if kind != "pairs")  # which reads its table by one of the others
ROWS = 90
SPEC = """
seed: 4
data:
  source: {KIND: {path: "part-*", missing: [NA]}}
  features: {size: [a, b, c], sort: [colour, d]}
  target: y
  split: {column: part}
  preprocess:
    - impute: {columns: d, with: mean, indicator: true}
    - one_hot: {columns: colour}
    - standardize: {input: size}
    - minmax: {input: sort}
model:
  layers:
    - concat: [[], {from: sort}]
    - linear: 3
    - relu
    - linear: $classes
loss: cross_entropy
metrics: [accuracy]
optimizer: {adam: 0.05}
train: {epochs: 2, batch_size: 7}
tracking: off
"""

NUMBERS = """
data:
  source: {csv: "part-*"}
  features: [a, b, c]
  target: y
  split: {validation: 0.3, test: 0.3}
  preprocess: [standardize]
model: {layers: [linear: $classes]}
loss: cross_entropy
optimizer: adam
train: {epochs: 1}
tracking: off
"""


def columns() -> dict[str, list[Any]]:
    random = np.random.default_rng(8)
    found: dict[str, list[Any]] = {name: random.normal(5, 3, ROWS).tolist() for name in "abc"}
    found["d"] = [None if random.random() < 0.2 else float(value) for value in random.integers(0, 9, ROWS)]
    found["colour"] = random.choice(["red", "green", "blue"], ROWS).tolist()
    found["colour"][-1] = "violet"
    found["part"] = ["train", "validation", "train", "test"] * (ROWS // 4) + ["train", "test"]
    found["y"] = random.choice(["no", "yes"], ROWS).tolist()
    return found


def write(folder: Path, kind: str, found: dict[str, list[Any]]) -> list[Path]:
    """The rows in two files of a kind."""
    files = []
    for number, rows in enumerate((slice(0, 40), slice(40, ROWS))):
        part = {name: values[rows] for name, values in found.items()}
        files.append(folder / f"part-{number}")
        if kind == "parquet":
            parquet.write_table(pa.table(part), files[-1])
            continue
        lines = [dict(zip(part, row, strict=True)) for row in zip(*part.values(), strict=True)]
        if kind == "jsonl":
            text = "\n".join(map(json.dumps, lines))
        else:
            sign = {"csv": ",", "tsv": "\t"}[kind]
            cells = [["NA" if cell is None else str(cell) for cell in line.values()] for line in lines]
            text = "\n".join(map(sign.join, [list(part), *cells]))
        files[-1].write_text(text + "\n")
    return files


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Every table is a large one, read and encoded a few rows at a time, and no row stays in memory."""
    monkeypatch.setenv("DLRUN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(tables, "WHOLE", 0)
    monkeypatch.setattr(texts, "SMALL", 0)
    monkeypatch.setattr(encoded, "AT_A_TIME", 11)
    monkeypatch.setattr(prepare, "stays_on_disk", lambda *given: True)


def spec(kind: str) -> str:
    return SPEC.replace("KIND", kind)


def facts(folder: Path, kind: str, text: str = "") -> dict[str, Any]:
    """All that a run takes of the data, and what it comes to."""
    done = checked(folder, text or spec(kind))
    rows, info = rows_of(done), done.data_info
    assert info is not None
    trained = train(folder, text or spec(kind))
    return {
        "digests": (rows.digest, rows.split_digest, [rows.fingerprint(name) for name in rows.splits.named()]),
        "inputs": {name: np.asarray(values).tolist() for name, values in rows.features.items()},
        "features": info.features
        and {
            name: (one.shape, one.vocabulary, one.fields, one.columns, [(e.learned, e.unseen) for e in one.encoded])
            for name, one in info.features.items()
        },
        "notes": info.notes,
        "classes": info.targets["target"].labels,
        "epochs": [{name: value for name, value in epoch.items() if "time" not in name} for epoch in trained.epochs],
    }


@pytest.mark.parametrize("kind", KINDS)
def test_a_large_table_is_the_same_to_the_bit_and_is_read_once(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, kind, columns())
    in_memory = facts(tmp_path, kind)
    request.getfixturevalue("large")
    assert facts(tmp_path, kind) == in_memory
    assert [note.name for note in in_memory["notes"]].count("unseen_category") == 1
    assert all(isinstance(values, StoredArray) for values in rows_of(checked(tmp_path, spec(kind))).features.values())

    def read_again(*given: Any) -> None:
        raise AssertionError("it is read, encoded or fitted again")

    for kind_of_table in FileTable.__subclasses__():
        monkeypatch.setattr(kind_of_table, "fill", read_again)
    for module, name in ((encoded, "learn"), (encoded, "encode"), (fitting, "fit")):
        monkeypatch.setattr(module, name, read_again)
    assert facts(tmp_path, kind) == in_memory


@pytest.mark.parametrize("kind", KINDS)
def test_a_changed_file_is_read_again(kind: str, tmp_path: Path, large: None) -> None:
    found = columns()
    write(tmp_path, kind, found)
    before = rows_of(checked(tmp_path, spec(kind)))
    found["a"][7] = 1234.5
    write(tmp_path, kind, found)
    after = rows_of(checked(tmp_path, spec(kind)))
    assert np.asarray(after.features["size"])[7, 0] == 1234.5 and after.digest != before.digest


@pytest.mark.parametrize("kind", KINDS)
def test_other_columns_and_settings_are_read_anew(kind: str, tmp_path: Path, large: None) -> None:
    write(tmp_path, kind, columns())
    wide = rows_of(checked(tmp_path, spec(kind))).features["size"]
    narrow = rows_of(checked(tmp_path, spec(kind).replace("[a, b, c]", "[c, a]"))).features["size"]
    assert np.array_equal(np.asarray(narrow), np.asarray(wide)[:, [2, 0]])


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_learned_of_other_rows_is_not_taken(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the seed of the split is another one: the same columns are read, and other rows are for training."""
    write(tmp_path, kind, columns())
    drawn = [spec(kind).replace("{column: part}", f"{{validation: 0.3, test: 0.3, seed: {seed}}}") for seed in (1, 2)]
    in_memory = [facts(tmp_path, kind, text) for text in drawn]
    request.getfixturevalue("large")
    assert [facts(tmp_path, kind, text) for text in drawn] == in_memory
    assert in_memory[0]["features"] != in_memory[1]["features"]


def test_scales_that_were_fitted_on_other_rows_are_not_taken(tmp_path: Path, large: None) -> None:
    write(tmp_path, "csv", columns())
    means = []
    for seed in (1, 2, 1):
        trained = train(tmp_path, NUMBERS, f"data.split.seed={seed}")
        means.append(trained.ready.fitted["preprocess.standardize_1"].state["offset"].tolist())
    assert means[0] == means[2] != means[1]


@pytest.mark.parametrize("kind", KINDS)
def test_a_row_of_a_later_block_is_told_by_its_place(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    found = columns()
    found["colour"][57] = None  # a test or validation row, so that it is met when all rows are encoded
    write(tmp_path, kind, found)
    told = []
    for _ in range(2):
        with pytest.raises(SpecError) as caught:
            checked(tmp_path, spec(kind))
        told.append(str(caught.value))
        request.getfixturevalue("large")
    assert told[0] == told[1] and "part-1" in told[0]


@pytest.mark.parametrize("kind", KINDS)
def test_a_mistake_is_told_each_time_and_nothing_is_kept_of_it(kind: str, tmp_path: Path, large: None) -> None:
    found = columns()
    found["b"][55] = None
    write(tmp_path, kind, found)
    told = set()
    for _ in range(2):
        with pytest.raises(SpecError) as caught:
            checked(tmp_path, spec(kind))
        told.add(str(caught.value))
    assert len(told) == 1 and "'b'" in told.pop()
    assert not [entry for entry in cache.folder().iterdir() if not entry.name.endswith(".lock")]


@pytest.mark.parametrize("kind", KINDS)
def test_without_a_cache_the_rows_are_in_memory_and_a_note_says_so(
    kind: str, tmp_path: Path, large: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, kind, columns())
    before = facts(tmp_path, kind)
    (tmp_path / "a file").write_text("")
    monkeypatch.setenv("DLRUN_CACHE", str(tmp_path / "a file" / "cache"))
    after = facts(tmp_path, kind)
    note, *others = after.pop("notes")
    assert (note.name, note.at) == ("no_cache", ("source", kind, "path"))
    assert note.message.startswith(f"the rows of {tmp_path.name}/part-* are read into the memory: the cache ") or (
        note.message.startswith("the rows of part-* are read into the memory: the cache ")
    )
    assert note.hint == "set DLRUN_CACHE to a folder with room, or make room there"
    assert tuple(others) == before.pop("notes") and after == before
    info = checked(tmp_path, spec(kind)).data_info
    assert info is not None and not any(feature.stored for feature in info.features.values())  # so memory is counted


@pytest.mark.parametrize("kind", KINDS)
def test_reading_and_encoding_say_how_far_they_are(kind: str, tmp_path: Path, large: None) -> None:
    write(tmp_path, kind, columns())
    seen: dict[str, list[float]] = {}
    with cache.watching(lambda what, share: seen.setdefault(what, []).append(share)):
        checked(tmp_path, spec(kind))
    assert [what.split()[0] for what in seen] == ["reading", "encoding"]
    for shares in seen.values():
        assert shares[0] == 0 and shares[-1] == 1 and sorted(shares) == shares


@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_entry_is_made_again(kind: str, tmp_path: Path, large: None) -> None:
    write(tmp_path, kind, columns())
    before = facts(tmp_path, kind)
    for values in cache.folder().glob("*/*.npy"):
        values.write_bytes(values.read_bytes()[:-1])
    assert facts(tmp_path, kind) == before
