"""Trackers: where the metrics of a run are written besides its folder."""

from __future__ import annotations

from typing import ClassVar

from dlrun.language.component import Component


class Tracker(Component):
    """A service that compares runs."""

    family: ClassVar[str] = "trackers"
