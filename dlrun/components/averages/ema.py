from __future__ import annotations

from typing import Annotated

from pydantic import Field

from dlrun.components.averages import Average


class Ema(Average):
    """An exponential moving average of the weights after each step, and of moving statistics.

    Shape: a = decay * a + (1 - decay) * w, where the first a is w after the first step
    Reference: Polyak and Juditsky, Acceleration of stochastic approximation by averaging, 1992; as an exponential one
        Tarvainen and Valpola, Mean teachers are better role models, 2017.
    Example: ema: 0.99
    """

    synonyms = ("exponential_moving_average", "exponential", "model_ema")

    decay: Annotated[float, Field(ge=0, lt=1)] = 0.999
    """The share of the old average in the new one: about 1 / (1 - decay) steps count."""

    def share(self, count: int) -> float:
        return 1 - self.decay
