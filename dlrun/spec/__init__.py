"""YAML text -> a checked Experiment."""
