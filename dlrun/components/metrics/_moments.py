"""The base of the metrics of means and spreads: of the targets, and of another number beside each."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from dlrun.components.metrics import MERGED, Metric, OutputForm
from dlrun.language.target_kind import TargetKind
from dlrun.shapes import Shape, numel

if TYPE_CHECKING:
    import torch


class Moments(NamedTuple):
    """Of some rows, for each target y and a number z beside it: float64 (targets,) each.

    All distances are from the first row, so that equal numbers have a spread of exactly 0. The two parts of a mean are
    not added: that would round it.
    """

    rows: torch.Tensor
    first_y: torch.Tensor
    first_z: torch.Tensor
    mean_y: torch.Tensor
    """The mean of y - first_y."""
    mean_z: torch.Tensor
    spread_y: torch.Tensor
    """The sum of the squared distances from the mean."""
    spread_z: torch.Tensor
    together: torch.Tensor
    """The sum of the products of both distances."""


class OfMoments(Metric):
    """The mean over the targets of a value of their moments.

    Merged over batches as in Chan, Golub and LeVeque, Algorithms for computing the sample variance, 1983.
    """

    suits = frozenset({"numbers"})
    greater_is_better = True
    combine = "merge"
    needs_spread = True

    def beside(self, output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """The number beside each target: by default the error."""
        return output - target

    def of_moments(self, moments: Moments) -> torch.Tensor:
        """The value of each target."""
        raise NotImplementedError

    def measure(self, output: torch.Tensor, target: torch.Tensor, output_form: OutputForm) -> torch.Tensor:
        """(8, targets): the moments of a batch."""
        import torch

        y = target.double().flatten(1)
        z = self.beside(output.double().flatten(1), y)
        from_y, from_z = y - y[0], z - z[0]
        mean_y, mean_z = from_y.mean(0), from_z.mean(0)
        from_y, from_z = from_y - mean_y, from_z - mean_z
        spreads = from_y.square().sum(0), from_z.square().sum(0), (from_y * from_z).sum(0)
        return torch.stack((torch.full_like(mean_y, len(y)), y[0], z[0], mean_y, mean_z, *spreads))

    def held_bytes(self, rows: int, output: Shape, wants: TargetKind) -> int:
        return 5 * 4 * len(Moments._fields) * numel(output) * min(rows, MERGED)

    def merge(self, results: torch.Tensor) -> torch.Tensor:
        import torch

        parts = Moments(*results.unbind(1))
        rows = parts.rows.sum(0)
        from_y = parts.first_y - parts.first_y[0] + parts.mean_y
        from_z = parts.first_z - parts.first_z[0] + parts.mean_z
        mean_y, mean_z = (parts.rows * from_y).sum(0) / rows, (parts.rows * from_z).sum(0) / rows
        from_y, from_z = from_y - mean_y, from_z - mean_z
        return torch.stack(
            Moments(
                rows,
                parts.first_y[0],
                parts.first_z[0],
                mean_y,
                mean_z,
                parts.spread_y.sum(0) + (parts.rows * from_y.square()).sum(0),
                parts.spread_z.sum(0) + (parts.rows * from_z.square()).sum(0),
                parts.together.sum(0) + (parts.rows * from_y * from_z).sum(0),
            )
        )

    def value(
        self, measured: torch.Tensor, output: Shape, of: int | None, output_form: OutputForm = ""
    ) -> torch.Tensor:
        moments = Moments(*measured)
        return self.of_moments(moments).where(moments.spread_y > 0, float("nan")).mean()
