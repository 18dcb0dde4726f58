from __future__ import annotations

from dlrun.components.baselines._mmse import MmseBaseline


class LinearMmse(MmseBaseline):
    """The matrix without an offset that minimises the mean squared error of the training rows, in closed form.

    R_x = E[x x^T] and R_yx = E[y x^T] are means over the training rows. The error itself,
    tr(R_y - R_yx R_x^-1 R_xy), is reported as `train/mmse`. Where R_x is singular, its pseudo-inverse stands for the
    inverse.

    Shape: (D,) -> (K,). y = F x, F = R_yx R_x^-1
    Reference: Kay, Fundamentals of Statistical Signal Processing: Estimation Theory, 1993, chapter 12; Sayed, Adaptive
    Filters, 2008, chapter 3.
    Example: linear_mmse
    """

    synonyms = ("lmmse", "llse", "wiener")
    centered = False
