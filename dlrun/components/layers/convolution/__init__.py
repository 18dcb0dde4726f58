"""Convolutions: one small set of weights, applied at every position."""
