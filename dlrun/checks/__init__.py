"""From a file to a spec that is known to be right."""
