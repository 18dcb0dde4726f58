"""Convolutions: one small set of weights, moved over all places."""
