from __future__ import annotations

from dlrun.components.trackers import Tracker


class Off(Tracker):
    """No tracker: the figures are in the run's own folder alone.

    Reference: none.
    Example: off
    """

    synonyms = ("none", "disabled")
