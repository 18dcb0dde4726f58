"""Merges: several values become one."""
