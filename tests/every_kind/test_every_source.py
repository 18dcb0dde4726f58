"""What every source says before loading must be what it loads."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from array_files import write_cifar, write_idx
from asking import Request, data_info, describe, load
from PIL import Image
from pyarrow import parquet
from safetensors.numpy import save_file

from dlrun.components.sources import Source
from dlrun.components.sources.pairs import RESERVED
from dlrun.data.survey import digest as _digest
from dlrun.language.component import choose
from dlrun.language.kinds import kinds
from dlrun.language.paths import with_absolute_paths
from dlrun.shapes import numel

ROWS = {
    "classes": ["b", "a", "b", "c", "a", "c", "b"],
    "numbers": [0.5, 1.5, -2.0, 4.0, 0.0, 3.0, 1.0],
    "binary": ["no", "yes", "no", "no", "yes", "no", "no"],
}

NUMBERS_ONLY = ("swiss_roll", "regression")
"""Sources without classes."""
SUITS = {
    "text": ("classes",),
    "words": ("classes",),
    "pairs": ("classes",),
    **dict.fromkeys(NUMBERS_ONLY, ("numbers",)),
}
"""The targets of a source, where it does not have all."""
READ = [(kind, wants) for kind in kinds("sources") for wants in SUITS.get(kind, ROWS)]


def write_images(folder: Path, wants: str) -> tuple[dict, tuple[str, ...] | None, tuple[str, ...] | None]:
    """A folder with a folder for each class; for numbers a csv."""
    lines = ["image,y"]
    for number, label in enumerate(ROWS[wants]):
        path = Path("rows", str(label), f"{number}.png")
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 5), (number, 0, 9)).save(folder / path)
        lines.append(f"{path.as_posix()},{label}")
    if wants != "numbers":
        return {"images": "rows"}, None, None
    (folder / "rows.csv").write_text("\n".join(lines))
    return {"images": "rows.csv"}, ("image",), ("y",)


def written(kind: str, wants: str, folder: Path) -> tuple[dict, tuple[str, ...] | None, tuple[str, ...] | None]:
    """A source of this kind over real data in `folder`, with the features and the target to ask for."""
    x = np.arange(21.0).reshape(7, 3)
    if kind in ("csv", "tsv"):
        between = "," if kind == "csv" else "\t"
        lines = [between.join([*map(str, row), str(y)]) for row, y in zip(x, ROWS[wants], strict=True)]
        (folder / f"rows.{kind}").write_text(between.join("abcy") + "\n" + "\n".join(lines) + "\n")
        return {kind: f"rows.{kind}"}, None, ("y",)
    if kind == "parquet":
        columns = dict(zip("abc", x.T, strict=True)) | {"y": ROWS[wants]}
        parquet.write_table(pa.table(columns), folder / "rows.parquet")
        return {"parquet": "rows.parquet"}, None, ("y",)
    if kind == "jsonl":
        lines = [dict(zip("abcy", [*row, y], strict=True)) for row, y in zip(x.tolist(), ROWS[wants], strict=True)]
        (folder / "rows.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        return {"jsonl": "rows.jsonl"}, None, ("y",)
    if kind == "npz":
        np.savez(folder / "rows.npz", x=x, y=np.array(ROWS[wants]))
        return {"npz": "rows.npz"}, ("x",), ("y",)
    if kind == "text":
        (folder / "rows.txt").write_text("a cab, a bad cab, and a dab of bread\n" * 6)
        return {"text": {"path": "rows.txt", "length": 7, "step": 3}}, None, None
    if kind == "words":
        (folder / "rows.txt").write_text("a cab, a bad cab, and a dab of bread\n" * 6)
        return {"words": {"path": "rows.txt", "model": "skip_gram"}}, None, None
    if kind == "pairs":
        lines = [f"a {word} of b,{word} c d" for word in "uvwxyzuvwxyz"]
        (folder / "rows.csv").write_text("one,other\n" + "\n".join(lines))
        return {"pairs": {"path": "rows.csv", "source": "one", "target": "other"}}, ("source",), None
    if kind == "hub":
        library = pytest.importorskip("datasets")
        rows = {"a": x[:, 0], "b": x[:, 1], "c": x[:, 2], "y": ROWS[wants]}
        library.Dataset.from_dict(rows).save_to_disk(folder / "rows")
        return {"hub": {"folder": "rows"}}, None, ("y",)
    if kind == "npy":
        np.save(folder / "x.npy", x)
        np.save(folder / "y.npy", np.array(ROWS[wants]))
        return {"npy": ["x.npy", "y.npy"]}, ("x",), ("y",)
    if kind == "safetensors":
        y = np.unique(ROWS[wants], return_inverse=True)[1] if wants != "numbers" else np.array(ROWS[wants])
        save_file({"x": x, "y": y}, folder / "rows.safetensors")
        return {"safetensors": "rows.safetensors"}, ("x",), ("y",)
    if kind in ("idx", "cifar"):
        labels = np.unique(ROWS[wants], return_inverse=True)[1].astype(np.uint8)
        (write_idx if kind == "idx" else write_cifar)(folder / "files", labels)
        return {kind: "files"}, None, None
    if kind in ("moons", "circles", "spirals", "blobs"):
        return {kind: {"rows": 40} | ({"classes": 2} if kind == "blobs" else {})}, None, None
    if kind in NUMBERS_ONLY:
        return {kind: 40}, None, None
    if kind == "images":
        return write_images(folder, wants)
    assert kind == "sklearn", f"write here how a source of the kind {kind} is made"
    name = {"classes": "wine", "numbers": "diabetes", "binary": "breast_cancer"}[wants]
    return {"sklearn": name}, None, None


@pytest.mark.parametrize(("kind", "wants"), READ)
def test_a_source_holds_what_it_says_it_holds(kind: str, wants: str, tmp_path: Path) -> None:
    text, features, target = written(kind, wants, tmp_path)
    source = choose("sources", text)
    assert isinstance(source, Source)
    request = Request(tmp_path, features, target, wants)  # type: ignore[arg-type]
    info, rows = describe(source, request), load(source, request)
    assert rows.features.shape == (info.rows, *info.shape)
    assert len(rows.target) == info.rows
    if wants == "numbers":
        assert info.labels is None
    else:
        assert info.labels is not None
        assert set(np.unique(rows.target).tolist()) - {*RESERVED} == set(info.labels) - {*RESERVED}


@pytest.mark.parametrize("kind", kinds("sources"))
def test_a_located_source_loads_the_same_from_another_folder(kind: str, tmp_path: Path) -> None:
    wants = "numbers" if kind in NUMBERS_ONLY else "classes"
    text, features, target = written(kind, wants, tmp_path)
    source = choose("sources", text)
    assert isinstance(source, Source)
    here = load(source, Request(tmp_path, features, target, wants))
    there = load(with_absolute_paths(source, tmp_path), Request(tmp_path / "elsewhere", features, target, wants))
    assert np.array_equal(here.features, there.features)
    assert np.array_equal(here.target, there.target)


@pytest.mark.parametrize(("kind", "wants"), READ)
def test_the_fields_of_a_source_are_what_it_reads(kind: str, wants: str, tmp_path: Path) -> None:
    text, features, target = written(kind, wants, tmp_path)
    source = choose("sources", text)
    assert isinstance(source, Source)
    found = data_info(source, Request(tmp_path, features, target, wants))  # type: ignore[arg-type]
    table, taken = found.table, found.features["input"].fields
    (aim,) = found.targets["target"].fields
    assert table.complete and table.read_rows == table.rows == found.rows
    assert aim not in taken and {aim, *taken} <= set(table.fields)
    assert set(table.own_features or ()) <= set(table.fields)
    apart = sorted(row for rows in table.own_splits.values() for row in rows)
    assert len(set(apart)) == len(apart) < table.rows and set(apart) <= set(range(table.rows))
    whole = table.numbers(taken)
    assert len(whole) == table.rows
    assert table.digest(taken) in (None, _digest(whole))
    backwards = table.numbers(taken[::-1])
    assert np.array_equal(backwards, whole[:, ::-1] if len(taken) > 1 else whole)
    for name in (aim, *taken):
        assert table.fields[name].name == name and name in table.listed()
        assert isinstance(table.is_cheap([name]), bool)
        assert name in table.cell(name, table.rows - 1) or table.name in table.cell(name, table.rows - 1)
    if wants != "numbers":
        texts = table.texts(aim)
        assert len(set(texts.distinct)) == len(texts.distinct)
        assert len(texts.rows) == table.rows * numel(table.fields[aim].shape)
        if (counts := table.counts(aim)) is not None:
            assert [counts[word] for word in texts.distinct] == np.bincount(texts.rows).tolist()
    table.forget()
