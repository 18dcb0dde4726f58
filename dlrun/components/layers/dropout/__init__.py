"""Noise while training: dropout and its relatives."""
