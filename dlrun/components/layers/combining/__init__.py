"""Merging: several values become one."""
