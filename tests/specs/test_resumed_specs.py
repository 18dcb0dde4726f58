"""Every shipped spec that trains in seconds: resumed, and trained from its resolved spec, to the same bits."""

from __future__ import annotations

import json
from pathlib import Path

import networks
import pytest
from places import CLASSICS, NETS, SPECS, TRANSFER
from watching import Silent, run_silently
from whole_runs import MANY, differences, result_of

from dlrun.checks.check import check
from dlrun.network.files import load_network
from dlrun.runs import folder as run_folder
from dlrun.tracking.open import NoTracking
from dlrun.training.lifecycle.resume import resume

EPOCHS = {file.stem: 4 for file in sorted(SPECS.glob("*.yaml"))}
"""How many epochs of each are enough to be interrupted in."""
EPOCHS |= {file.stem: 2 for file in sorted(CLASSICS.glob("*.yaml"))}
EPOCHS |= {"trunk": 2, "head": 22}  # the trunk of the head moves after 20
EPOCHS |= {"lenet_digits": 2, "lstm_digits": 2, "autoencoder_digits": 2, "transformer_digits": 4}
EPOCHS |= {"mobilenet_digits": 2, "inception_digits": 2}
if MANY:  # these take half a minute each
    EPOCHS |= {"text_cnn_snippets": 2, "lstm_snippets": 2}


class Interrupting(Silent):
    """Asks the run to stop, as Ctrl-C does, once its first epoch is done."""

    def epoch(self, epoch, metrics, epochs) -> None:
        if epoch == 1:
            raise KeyboardInterrupt


@pytest.mark.parametrize("name", EPOCHS)
def test_a_shipped_spec_is_resumed_and_trained_from_its_resolved_spec(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = next(
        folder / f"{name}.yaml" for folder in (SPECS, CLASSICS, TRANSFER, NETS) if (folder / f"{name}.yaml").is_file()
    )
    overrides = ["tracking=off", f"train.device={networks.DEVICE}", f"train.epochs={EPOCHS[name]}"]
    overrides.append("train.checkpoint.every=3 steps")
    if "then: refit" in file.read_text("utf-8"):  # a run of its own: see test_refit.py
        overrides.append("train.early_stopping.then=null")
    alone = run_silently(check(file, overrides, training=True), tmp_path / "alone").folder

    resolved = alone / run_folder.RESOLVED
    again = run_silently(check(resolved, training=True), tmp_path / "again").folder
    assert resolved.read_bytes() == (again / run_folder.RESOLVED).read_bytes()
    assert not differences(result_of(again), result_of(alone))

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr("watching.Silent", Interrupting)
        run_silently(check(file, overrides, training=True), tmp_path / "killed")
    (folder,) = (tmp_path / "killed").iterdir()
    assert json.loads((folder / run_folder.STARTED).read_text())["status"] == "KILLED"
    with NoTracking() as tracking:
        resume(folder, check(folder / run_folder.RESOLVED, training=True), Silent(), tracking)
    assert not differences(result_of(folder), result_of(alone))
    load_network(folder)
