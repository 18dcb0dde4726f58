"""Train, and resume training."""
