"""Load, split, fit."""
