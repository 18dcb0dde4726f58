"""The commands: one file each; only `screen` prints."""
