from __future__ import annotations

from dlrun.components.baselines._mmse import MmseBaseline


class AffineMmse(MmseBaseline):
    """The matrix and the offset that minimise the mean squared error of the training rows, in closed form.

    It is what a single linear layer reaches when it is trained with mse to the end. K_x, K_y and K_yx are the
    covariances of the training rows, m_x and m_y the means. The error itself, tr(K_y - K_yx K_x^-1 K_xy), is reported
    as `train/mmse`. Where K_x is singular, its pseudo-inverse stands for the inverse.

    Shape: (D,) -> (K,). y = F x + b, F = K_yx K_x^-1, b = m_y - F m_x
    Reference: Kay, Fundamentals of Statistical Signal Processing: Estimation Theory, 1993, chapter 12; Sayed, Adaptive
    Filters, 2008, chapter 3.
    Example: affine_mmse
    """

    synonyms = ("linear_regression", "least_squares", "ols", "mmse")
    centered = True
