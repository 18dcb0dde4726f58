from __future__ import annotations

from typing import Literal, Self

from pydantic import model_validator

from dlrun.components.schedules import Schedule, in_whole_steps
from dlrun.components.schedules._curves import between, cosine
from dlrun.language.fields import PositiveFloat, Share


class OneCycle(Schedule):
    """Let the learning rate rise to the optimizer's rate and then fall far below its start, once in the whole training.

    Shape: lr/div_factor -> lr within pct_start of the steps, then -> lr/(div_factor*final_div_factor) at the last step;
        with three_phase first back to lr/div_factor, as long as it rose
    Reference: Smith and Topin, Super-convergence: very fast training using large learning rates, 2018.
    Example: one_cycle: {pct_start: 0.3}
    """

    synonyms = ("one_cycle_lr", "1cycle", "onecycle", "super_convergence")

    pct_start: Share = 0.3
    """The share of the steps in which it rises."""
    anneal_strategy: Literal["cos", "linear"] = "cos"
    """Along half a cosine, or in a straight line."""
    div_factor: PositiveFloat = 25.0
    """How many times smaller than the optimizer's rate the first one is; below 1 it is larger, as that of a momentum
    is, which falls while the rate rises."""
    final_div_factor: PositiveFloat = 1e4
    """How many times smaller than the first rate the last one is."""
    three_phase: bool = False
    """Fall as far and as long as it rose, and then to the last rate."""

    @model_validator(mode="after")
    def _three_phases_fit(self) -> Self:
        if self.three_phase and self.pct_start > 0.5:
            raise ValueError("with three_phase, pct_start is at most 0.5, since it falls as long as it rises")
        return self

    def relative_rate(self, lr: float, epoch: float, epochs: float, steps_per_epoch: int) -> float:
        total = in_whole_steps(epochs, steps_per_epoch)
        step = min(in_whole_steps(epoch, steps_per_epoch), total - 1)
        low = 1 / self.div_factor
        rates, ends = [low, 1.0], [self.pct_start * total - 1]
        if self.three_phase:
            rates, ends = [*rates, low], [*ends, 2 * self.pct_start * total - 2]
        rates, ends = [*rates, low / self.final_div_factor], [*ends, total - 1.0]
        begin = 0.0
        for first, last, end in zip(rates, rates[1:], ends, strict=False):
            if step <= end:
                progress = (step - begin) / (end - begin) if end > begin else 1.0
                return between(first, last, cosine(progress) if self.anneal_strategy == "cos" else 1 - progress)
            begin = end
        return rates[-1]
