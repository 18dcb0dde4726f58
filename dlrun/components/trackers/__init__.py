"""Trackers: where a run's figures go besides its own folder."""

from __future__ import annotations

from typing import ClassVar

from dlrun.language.component import Component


class Tracker(Component):
    """A place to compare runs in."""

    family: ClassVar[str] = "trackers"
