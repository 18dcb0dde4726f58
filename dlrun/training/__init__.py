"""The training loop, and the life of a run around it."""
