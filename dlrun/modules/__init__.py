"""Modules that torch does not have, and the one place that uses private names of torch."""
