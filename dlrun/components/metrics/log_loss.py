from __future__ import annotations

from dlrun.components.metrics._probabilities import Likelihood


class LogLoss(Likelihood):
    """Minus the mean log of the probability of the true class, in nats; without label smoothing and class weights.

    Outputs may be logits or probabilities. A probability of 0 counts as 2.2e-16.

    Shape: -mean(log(p[y])); for several binary outputs the mean over them
    Reference: Good, Rational decisions, 1952; as sklearn.metrics.log_loss.
    Example: log_loss
    """

    synonyms = (
        "logloss",
        "cross_entropy",
        "binary_cross_entropy",
        "categorical_crossentropy",
        "binary_crossentropy",
        "nll",
    )
    suits = frozenset({"classes", "binary"})
