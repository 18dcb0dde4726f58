"""One run, from its start to its end: setup, description, checkpoints, resuming."""
