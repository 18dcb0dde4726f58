"""A run that has learned, as a file that other programs use: one file here for each form, with the same call."""
