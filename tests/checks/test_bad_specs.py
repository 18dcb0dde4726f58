"""Every file in bad_specs/ beside the exact text of its errors.

`UPDATE=1 pytest tests/test_bad_specs.py` rewrites them, for somebody to read.
"""

import os
from pathlib import Path

import pytest
from places import ROOT

from dlrun.checks.check import check
from dlrun.errors import SpecError

FOLDER = ROOT / "tests" / "bad_specs"
OVERRIDES = {
    "overrides": ["train.epoch=5", "model.layers[0]=rely", "optimizer.adam.lr=fast"],
    "not_overrides": ["model.layers[7].linear=3", "epochs", "model.layers.x=1", "name.first=a"],
}
MACHINE = 16 << 30


@pytest.mark.parametrize("name", sorted(file.stem for file in FOLDER.glob("*.yaml")))
def test_a_bad_spec_is_told_as_written_down(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(FOLDER)
    monkeypatch.setattr("dlrun.checks.memory.machine_memory", lambda: MACHINE)
    with pytest.raises(SpecError) as caught:
        check(Path(f"{name}.yaml"), OVERRIDES.get(name, []))
    said = str(caught.value).replace(str(FOLDER.resolve()), "<here>") + "\n"
    expected = FOLDER / f"{name}.txt"
    if os.environ.get("UPDATE"):
        expected.write_text(said)
    assert said == expected.read_text()
