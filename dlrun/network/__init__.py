"""The plan as a torch network: built, put behind its preprocessing, written to files and read back."""
