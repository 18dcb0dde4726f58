from __future__ import annotations

from pathlib import Path

import pytest

from dlrun.checks.check import check
from dlrun.data.load import load
from dlrun.errors import SpecError

SPEC = """\
data: {source: {csv: t.csv}, target: y, split: {validation: 0.2, test: 0.2}}
model: {layers: [linear: $classes]}
loss: cross_entropy
optimizer: adam
"""


def written(folder: Path, classes: str) -> Path:
    """A spec whose table has one row for each letter."""
    (folder / "t.csv").write_text("x,y\n" + "".join(f"{i}.5,{label}\n" for i, label in enumerate(classes)))
    (folder / "s.yaml").write_text(SPEC)
    return folder / "s.yaml"


@pytest.mark.parametrize("stratify", ["true", "false"])
def test_the_counts_are_those_of_the_rows_that_training_loads(stratify: str, tmp_path: Path):
    checked = check(written(tmp_path, "abcab" * 8), [f"data.split.stratify={stratify}", "seed=3"])
    assert checked.data_info is not None
    data = checked.experiment.need("data")
    loaded = load(data, checked.data_info, checked.experiment.seed)
    assert loaded.class_counts == checked.classes
    assert {label: sum(rows) for label, rows in checked.classes["target"].items()} == {"a": 16, "b": 16, "c": 8}


def test_a_class_with_fewer_rows_than_splits_is_a_note(tmp_path: Path):
    checked = check(written(tmp_path, "ab" * 20 + "c"), ["seed=0"])
    rows = checked.classes["target"]["c"]
    (note,) = checked.notes
    what = "fewer rows than the 3 splits" if rows[0] else "no training row"
    assert (note.note, note.message) == ("rare_class", f"the class 'c' has {what}")
    assert not check(tmp_path / "s.yaml", ["allow=[rare_class]"]).notes


def test_too_few_rows_to_stratify_are_an_error_of_check(tmp_path: Path):
    with pytest.raises(SpecError, match="class 'c' has 1 row, too few to be in each of train, validation, test"):
        check(written(tmp_path, "ab" * 20 + "c"), ["data.split.stratify=true"])
