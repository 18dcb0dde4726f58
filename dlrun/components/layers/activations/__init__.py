"""Activations: a function of each number, or of the numbers along one axis."""
