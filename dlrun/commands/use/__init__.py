"""Commands that use a run that has learned."""
