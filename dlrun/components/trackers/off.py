from __future__ import annotations

from dlrun.components.trackers import Tracker


class Off(Tracker):
    """No tracker: the metrics are only in the run's folder.

    Reference: none.
    Example: off
    """

    synonyms = ("none", "disabled")
