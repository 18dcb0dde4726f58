"""The base of the metrics that are about one class, the positive one, where the target has two."""

from __future__ import annotations

from dlrun.components.metrics import Metric


class OfClass(Metric):
    """A metric of one class against the rest."""

    of: str | None = None
    """The class that it is about. If not given: of two classes the one that the loss names, or else the rarer one."""

    @property
    def named_class(self) -> str | None:
        return self.of

    def is_of_one(self, classes: int | None) -> bool:
        return self.of is not None or classes == 2
