"""What the screen of a run that trains another one again does besides: it says what differs, and stops where that
ended."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from dlrun.commands import screen

if TYPE_CHECKING:
    from dlrun.checks.check import Checked
    from dlrun.runs.info import RunInfo
    from dlrun.runs.reproduction import Original

WEIGHTS = ("model.weights", "model.weights.from")
"""The settings with the file of the weights at the start, which may have moved: its hash is compared."""


class Reproducing:
    """Follows a run that trains an original again."""

    def __init__(self, original: Original, said: dict[str, tuple[str, str]] | None = None):
        self.original = original
        self.said: dict[str, tuple[str, str]] = {} if said is None else said
        """What was said to differ, each with what it was and what it is."""

    @property
    def info(self) -> RunInfo:
        """What the original's run.json says."""
        return self.original.info

    def fold(self, number: int) -> Reproducing:
        """The same for a fold.

        Raises:
            Reached: the original ended before the first epoch of this fold.
        """
        from dlrun.training.signals import Reached

        fold = self.original.fold(number)
        if fold is None:
            raise Reached
        return Reproducing(fold, self.said)

    def refit(self) -> Reproducing | None:
        """The same for the refit; None where the original ended before its first epoch."""
        refit = self.original.refit
        return None if refit is None else Reproducing(refit, self.said)

    def versions(self) -> None:
        """Say which versions differ, before anything is imported that takes time."""
        from dlrun.runs.environment import differing, versions_here

        why = "the last bits may differ; --in-new-environment trains with the versions of then"
        self._say(differing(self.info.tags, versions_here()), why)

    def ready(self, checked: Checked, folder: Path) -> None:
        """Say what differs of the run in a folder, which is about to be trained."""
        from dlrun.language.paths import file_settings
        from dlrun.runs.environment import differing
        from dlrun.runs.run_json import read_run
        from dlrun.runs.settings import differing as differing_settings

        now = read_run(folder).info
        self._say(differing(self.info.tags, now.tags))
        files = [*file_settings(checked.experiment.need("data").source, "data.source"), *WEIGHTS]
        settings = [name for name in differing_settings([self.info.params, now.params]) if name not in files]
        then = self.info.params
        given = {name: (then.get(name, "not given"), now.params.get(name, "not given")) for name in settings}
        self._say(given, "its spec is not the one that it was")

    def epoch(self, epoch: int) -> None:
        """Stop after the last epoch of an original that is not complete.

        Raises:
            Reached: this is that epoch.
        """
        from dlrun.training.signals import Reached

        if epoch == self.original.until:
            raise Reached

    def _say(self, differences: Mapping[str, tuple[str, str]], why: str = "the last bits may differ") -> None:
        new = {name: both for name, both in differences.items() if name not in self.said}
        self.said.update(new)
        if new:
            texts = [f"{name} {then}, now {now}" for name, (then, now) in new.items()]
            screen.failure(f"not as it was: {'; '.join(texts)}: {why}", word="note")
