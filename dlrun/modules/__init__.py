"""Modules that torch does not have."""
