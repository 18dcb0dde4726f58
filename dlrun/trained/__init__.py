"""A run that has learned, at work: predictions for new rows, and how good they are."""
