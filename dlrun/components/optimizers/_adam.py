"""The base of adam and adamw."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from dlrun.components.optimizers import OptimizerState, Tensors, zeros
from dlrun.components.optimizers._moments import Moments
from dlrun.language.fields import NonNegative, PositiveFloat

if TYPE_CHECKING:
    import torch


class AdamLike(Moments):
    """Running means of the gradient and of its square, in one kernel."""

    fused = True
    counts = ("step",)

    lr: PositiveFloat = 1e-3
    amsgrad: bool = False
    """Divide by the largest mean square so far instead of the current one."""
    weight_decay: NonNegative

    def kernel(self) -> Any:
        """torch's kernel for all weights at once."""
        raise NotImplementedError

    def state_per_weight(self) -> int:
        return 2 + self.amsgrad

    def begin(self, weights: Sequence[torch.Tensor]) -> OptimizerState:
        import torch

        state = {"step": [torch.zeros((), device=weights[0].device)]}  # the kernels take it as float32
        state |= {"exp_avg": zeros(weights), "exp_avg_sq": zeros(weights)}
        return state | ({"max_exp_avg_sq": zeros(weights)} if self.amsgrad else {})

    def count(self, state: OptimizerState) -> Tensors:
        state["step"][0].add_(1.0)
        return state["step"]

    def step(self, weights: Tensors, grads: Tensors, state: OptimizerState, lr: float, numbers: Tensors) -> None:
        self.kernel()(
            weights,
            grads,
            state["exp_avg"],
            state["exp_avg_sq"],
            state.get("max_exp_avg_sq", []),
            numbers * len(weights),
            lr=lr,
            beta1=self.betas[0],
            beta2=self.betas[1],
            weight_decay=self.weight_decay,
            eps=self.eps,
            amsgrad=self.amsgrad,
            maximize=False,
        )
