"""What every source says before loading must be what it loads."""

from pathlib import Path

import numpy as np
import pytest
from asking import Request, data_info, describe, load

from dlrun.components.sources import Source
from dlrun.components.sources._corpus import UNKNOWN
from dlrun.language.component import choose
from dlrun.language.kinds import kinds
from dlrun.language.paths import with_absolute_paths
from dlrun.shapes import numel

ROWS = {
    "classes": ["b", "a", "b", "c", "a"],
    "numbers": [0.5, 1.5, -2.0, 4.0, 0.0],
    "binary": ["no", "yes", "no", "no", "yes"],
}


SUITS = {"text": ("classes",), "words": ("classes",)}
"""The targets of a source, where it does not have all."""
OF_EACH = [(kind, wants) for kind in kinds("sources") for wants in SUITS.get(kind, ROWS)]


def written(kind: str, wants: str, folder: Path) -> tuple[dict, tuple[str, ...] | None, tuple[str, ...] | None]:
    """A source of this kind over real data in `folder`, with the features and the target to ask for."""
    x = np.arange(15.0).reshape(5, 3)
    if kind == "csv":
        lines = [",".join([*map(str, row), str(y)]) for row, y in zip(x, ROWS[wants], strict=True)]
        (folder / "rows.csv").write_text("a,b,c,y\n" + "\n".join(lines) + "\n")
        return {"csv": "rows.csv"}, None, ("y",)
    if kind == "npz":
        np.savez(folder / "rows.npz", x=x, y=np.array(ROWS[wants]))
        return {"npz": "rows.npz"}, ("x",), ("y",)
    if kind == "text":
        (folder / "rows.txt").write_text("a cab, a bad cab, and a dab of bread\n" * 6)
        return {"text": {"path": "rows.txt", "length": 7, "step": 3}}, None, None
    if kind == "words":
        (folder / "rows.txt").write_text("a cab, a bad cab, and a dab of bread\n" * 6)
        return {"words": {"path": "rows.txt", "model": "skip_gram"}}, None, None
    if kind == "hub":
        library = pytest.importorskip("datasets")
        rows = {"a": x[:, 0], "b": x[:, 1], "c": x[:, 2], "y": ROWS[wants]}
        library.Dataset.from_dict(rows).save_to_disk(folder / "rows")
        return {"hub": {"folder": "rows"}}, None, ("y",)
    assert kind == "sklearn", f"write here how a source of the kind {kind} is made"
    name = {"classes": "wine", "numbers": "diabetes", "binary": "breast_cancer"}[wants]
    return {"sklearn": name}, None, None


@pytest.mark.parametrize(("kind", "wants"), OF_EACH)
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
        assert set(np.unique(rows.target).tolist()) == set(info.labels) - {UNKNOWN}


@pytest.mark.parametrize("kind", kinds("sources"))
def test_a_located_source_loads_the_same_from_another_folder(kind: str, tmp_path: Path) -> None:
    text, features, target = written(kind, "classes", tmp_path)
    source = choose("sources", text)
    assert isinstance(source, Source)
    here = load(source, Request(tmp_path, features, target, "classes"))
    there = load(with_absolute_paths(source, tmp_path), Request(tmp_path / "elsewhere", features, target, "classes"))
    assert np.array_equal(here.features, there.features)
    assert np.array_equal(here.target, there.target)


@pytest.mark.parametrize(("kind", "wants"), OF_EACH)
def test_the_fields_of_a_source_are_what_it_reads(kind: str, wants: str, tmp_path: Path) -> None:
    text, features, target = written(kind, wants, tmp_path)
    source = choose("sources", text)
    assert isinstance(source, Source)
    found = data_info(source, Request(tmp_path, features, target, wants))  # type: ignore[arg-type]
    table, taken = found.table, found.features["input"].fields
    (aim,) = found.targets["target"].fields
    assert table.complete and table.read_rows == table.rows == found.rows
    assert aim not in taken and {aim, *taken} <= set(table.fields)
    whole = table.numbers(taken)
    assert len(whole) == table.rows
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
