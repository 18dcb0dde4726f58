"""Pooling: a window of positions becomes one number."""
