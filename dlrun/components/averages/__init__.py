"""Averages: how the weights of several moments of the training become those that are measured and kept."""

from __future__ import annotations

from typing import ClassVar

from dlrun.language.component import Component
from dlrun.language.durations import Duration


class Average(Component):
    """A mean of the weights, as they were at several moments of the training."""

    family: ClassVar[str] = "averages"
    each_epoch: ClassVar[bool] = False
    """Whether the weights at the end of each epoch are averaged, and not those after each step."""
    recomputes: ClassVar[bool] = False
    """Whether moving statistics are computed anew with the averaged weights; otherwise they are averaged too."""

    def share(self, count: int) -> float:
        """The share of the newest weights in the new average; `count` of them, at least one, are in it already."""
        raise NotImplementedError

    def start(self) -> Duration:
        """The time from which weights are averaged."""
        return Duration(0, "epochs")
