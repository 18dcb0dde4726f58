"""Attention: each step of a sequence looks at others; transformers, and positions for them."""
