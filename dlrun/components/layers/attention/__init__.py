"""Attention: each step of a sequence uses other steps; transformers, and positions for them."""
