"""Normalization: values get mean 0 and variance 1, or a common magnitude."""
