from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from dlrun.components.optimizers import Evaluate, OptimizerState, SearchingOptimizer, number, zeros
from dlrun.components.optimizers._strong_wolfe import strong_wolfe
from dlrun.language.fields import NonNegative, Positive, PositiveFloat

if TYPE_CHECKING:
    import torch

LEAST_CURVATURE = 1e-10
"""A step is remembered if y*s, the curvature along it, is above this, as in torch: H stays positive definite."""


class Lbfgs(SearchingOptimizer):
    """Move against the gradient times an estimate of the inverse of the matrix of second derivatives.

    The estimate H comes from the last steps s and the changes y of the gradient over them. A step of the training is
    one iteration. All rows are in each step: `train.batch_size: full`. It suits small networks: it remembers
    2*history_size + 2 numbers for each weight. Where the gradient is 0, or no lower loss is found, the weights stay.

    Shape: w = w - lr*H*g; H starts as (y*s)/(y*y) of the last step, and each remembered step, from the oldest on, makes
        it (I - s*y^T/(y*s))*H*(I - y*s^T/(y*s)) + s*s^T/(y*s). The first step of all is w - min(1, 1/sum|g|)*lr*g
    Reference: Liu and Nocedal, On the limited memory BFGS method for large scale optimization, 1989.
    Example: lbfgs: {history_size: 20}
    """

    synonyms = ("l_bfgs", "bfgs", "quasi_newton", "lbfgs_b", "l_bfgs_b", "fmin_l_bfgs_b")

    lr: PositiveFloat = 1.0
    """The learning rate; with a line search the first rate that it tries."""
    history_size: Positive = 100
    """How many of the last steps are remembered."""
    line_search: Literal["strong_wolfe", "none"] = "strong_wolfe"
    """`strong_wolfe` computes the loss at several rates, until it has fallen by enough and its slope is flat enough,
    26 of them at most; `none` takes `lr` as it is, which is torch's default."""
    tolerance_grad: NonNegative = 1e-7
    """The weights stay if no number of the gradient is larger than this."""
    tolerance_change: NonNegative = 1e-9
    """The weights stay if the slope of the loss along the direction, -g*H*g, is not below minus this. The line search
    ends if the weights of two rates differ by no more than this."""

    def state_per_weight(self) -> int:
        return 2 * self.history_size + 2

    def begin(self, weights: Sequence[torch.Tensor]) -> OptimizerState:
        (whole,) = weights
        return {
            "step": number(weights),
            "remembered": number(weights),
            "move": zeros(weights),
            "gradient": zeros(weights),
            "moves": [whole.new_zeros(self.history_size, whole.numel())],
            "changes": [whole.new_zeros(self.history_size, whole.numel())],
        }

    def search(
        self,
        weights: torch.Tensor,
        loss: torch.Tensor,
        gradient: torch.Tensor,
        state: OptimizerState,
        lr: float,
        evaluate: Evaluate,
    ) -> None:
        if gradient.abs().max().item() <= self.tolerance_grad:
            return
        (step,), (move,), (last,) = state["step"], state["move"], state["gradient"]
        first = not step.item()
        if not first:
            _remember(move, gradient - last, state)
        direction = _direction(gradient, state)
        slope = gradient.dot(direction).item()
        step.add_(1)
        last.copy_(gradient)
        move.zero_()
        if not -math.inf < slope < -self.tolerance_change:  # also if it is no number
            return
        rate = lr * min(1.0, 1 / gradient.abs().sum().item()) if first else lr
        if self.line_search == "strong_wolfe":
            rate = self._searched(weights, loss.item(), direction, slope, rate, evaluate)
        move.add_(direction, alpha=rate)
        weights.add_(direction, alpha=rate)

    def _searched(
        self, weights: torch.Tensor, loss: float, direction: torch.Tensor, slope: float, rate: float, evaluate: Evaluate
    ) -> float:
        """The rate that the line search finds; the weights are then as they were."""
        start = weights.clone()

        def along(rate: float) -> tuple[float, float]:
            weights.copy_(start).add_(direction, alpha=rate)
            loss, gradient = evaluate()
            return loss.item(), gradient.dot(direction).item()

        rate = strong_wolfe(along, loss, slope, rate, self.tolerance_change / direction.abs().max().item())
        weights.copy_(start)
        return rate


def _remember(move: torch.Tensor, change: torch.Tensor, state: OptimizerState) -> None:
    """Remember the last step, in place of the oldest one, if the loss curves upwards along it."""
    (count,), (moves,), (changes,) = state["remembered"], state["moves"], state["changes"]
    if change.dot(move).item() > LEAST_CURVATURE:
        place = int(count.item()) % len(moves)
        moves[place].copy_(move)
        changes[place].copy_(change)
        count.add_(1)


def _direction(gradient: torch.Tensor, state: OptimizerState) -> torch.Tensor:
    """-H*g by the two loops of Nocedal, Updating quasi-Newton matrices with limited storage, 1980."""
    (count,), (moves,), (changes,) = state["remembered"], state["moves"], state["changes"]
    newest = int(count.item()) - 1
    order = [place % len(moves) for place in range(newest, max(-1, newest - len(moves)), -1)]
    pairs = [(moves[place], changes[place]) for place in order]
    direction = -gradient
    shares = []
    for move, change in pairs:
        inverse = 1 / change.dot(move).item()
        shares.append((inverse, share := move.dot(direction).item() * inverse))
        direction.add_(change, alpha=-share)
    if pairs:
        move, change = pairs[0]
        direction.mul_(change.dot(move).item() / change.dot(change).item())
    for (move, change), (inverse, share) in zip(reversed(pairs), reversed(shares), strict=True):
        direction.add_(move, alpha=share - change.dot(direction).item() * inverse)
    return direction
