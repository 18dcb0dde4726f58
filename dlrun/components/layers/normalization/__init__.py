"""Normalization: values are brought to mean 0 and variance 1, or to one size."""
