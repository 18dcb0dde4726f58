from __future__ import annotations

from dlrun.components.layers._dropout import AnyDropout


class Dropout(AnyDropout):
    """While training, set each number to 0 with probability p and scale the others by 1/(1 - p).

    Shape: (...) -> (...)
    Reference: Srivastava, Hinton, Krizhevsky, Sutskever and Salakhutdinov, Dropout, 2014.
    Example: dropout: 0.5
    """

    torch_class = "Dropout"
