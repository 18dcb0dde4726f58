"""A run on disk: written so that a kill leaves it whole; found, read, locked."""
