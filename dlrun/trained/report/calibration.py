"""Whether probabilities are the shares of answers that come true."""

from __future__ import annotations

import numpy as np

from dlrun.trained.answers import Array
from dlrun.trained.report.figures import Bin, Calibration

BINS = 10


def calibration(of: str, probabilities: Array, true: Array) -> Calibration:
    """The probabilities beside the shares that come true, in ten bins; bin b has (b - 1)/10 < p <= b/10.

    Args:
        of: the class whose probability it is; '' for the predicted one.
        probabilities: (N,)
        true: (N,), whether that came true.
    """
    number = np.searchsorted(np.linspace(0, 1, BINS + 1)[1:-1], probabilities)
    counts = np.bincount(number, minlength=BINS)
    sums = np.bincount(number, probabilities, BINS)
    came = np.bincount(number, true, BINS)
    with np.errstate(invalid="ignore"):
        bins = zip(counts.tolist(), (sums / counts).tolist(), (came / counts).tolist(), strict=True)
        error = float(np.abs(sums - came).sum() / np.float64(len(true)))
    return Calibration(of, error, tuple(Bin(*one) for one in bins))
