"""Baselines of a run: fitted in a process of their own after the training, and compared with the network."""
