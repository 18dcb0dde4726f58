from __future__ import annotations

from dlrun.components.averages import Average
from dlrun.language.durations import Duration, DurationField


class Swa(Average):
    """Stochastic weight averaging: the equal mean of the weights at the ends of the epochs, from `start_after` on.

    Moving statistics are computed anew for the mean, by a pass over the training rows after each epoch.

    Shape: a = (n * a + w) / (n + 1), where n is how many weights are in a
    Reference: Izmailov, Podoprikhin, Garipov, Vetrov and Wilson, Averaging weights leads to wider optima, 2018.
    Example: swa: 5 epochs
    """

    each_epoch = True
    recomputes = True
    synonyms = ("stochastic_weight_averaging", "stochastic")

    start_after: DurationField
    """The time after which weights are averaged, such as `10 epochs`: those at the end of epoch 10 are the first."""

    def share(self, count: int) -> float:
        return 1 / (count + 1)

    def start(self) -> Duration:
        return self.start_after
