"""Pooling: a window of places becomes one number."""
