"""Declarative deep learning: YAML in, a trained, logged, comparable run out."""

__version__ = "0.1.0"
