"""Layers with weights between all inputs and all outputs, or one vector for each index."""
