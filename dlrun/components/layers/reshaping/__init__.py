"""The same numbers in another shape: cut, padded, moved or repeated."""
