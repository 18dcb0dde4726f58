from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.losses import Compared, Loss, OutputForm
from dlrun.components.losses._classes import ClassName, need_logits
from dlrun.shapes import Shape, ShapeError, show

if TYPE_CHECKING:
    import torch


class Ctc(Loss):
    """Minus the log likelihood of a sequence of classes that is shorter than the sequence of outputs, such as the
    letters of a spoken sentence; it sums over all ways to place them. Takes logits.

    The last output is the blank, which stands between classes: there is one output more than classes. A row with fewer
    classes has the class `ignore_index`, or padding, behind its last one.

    Shape: output (steps, classes + 1), target (length,), length <= steps. -log p(target), divided by its length
    Reference: Graves, Fernández, Gomez and Schmidhuber, Connectionist temporal classification, 2006.
    Example: ctc
    """

    synonyms = ("ctc_loss", "connectionist_temporal_classification")
    wants = "classes"
    by_row = True
    predicts = False

    ignore_index: ClassName | None = None
    """The class that fills a row up behind its last one, as the data writes it. Padding does so without this."""

    @property
    def ignored_class(self) -> str | None:
        return self.ignore_index

    def check(self, output: Shape, target: Shape, classes: int | None, output_form: OutputForm) -> None:
        need_logits(self.kind, output_form)
        if len(target) != 1:
            raise ShapeError("ctc is for a sequence of classes in each row", "use `cross_entropy` for one class")
        if len(output) != 2 or output[0] < target[0]:
            message = f"ctc needs outputs of at least {target[0]} steps; the network outputs {show(output)}"
            raise ShapeError(message, "`output: sequence` keeps the outputs of a recurrent layer at every step")
        if classes is not None and output[1] <= classes:
            message = f"ctc needs an output for each of the {classes} classes and one more; the network outputs "
            raise ShapeError(message + show(output), "end in `- linear: $(classes + 1)`")

    def amount(self, target: torch.Tensor, weight: torch.Tensor | None) -> torch.Tensor:
        import torch

        return torch.full((), float(len(target)), device=target.device)

    def mean(self, batch: Compared) -> torch.Tensor:
        import torch
        from torch.nn import functional

        output, target = batch.output, batch.target
        logs = output.log_softmax(-1).transpose(0, 1)
        steps = torch.full((len(output),), output.shape[1], dtype=torch.int64, device=output.device)
        lengths = (target >= 0).sum(1)
        blank = output.shape[2] - 1
        return functional.ctc_loss(logs, target.clamp(min=0), steps, lengths, blank, zero_infinity=True)
