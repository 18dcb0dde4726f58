"""Delivering runs to MLflow, where they are compared."""
