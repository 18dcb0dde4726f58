"""Containers: layers made of layers, and where they take their inputs from."""
