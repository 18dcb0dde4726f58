"""One run, from its start to its end: set up, described, kept, resumed."""
