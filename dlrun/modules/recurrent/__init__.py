"""Recurrent layers: what torch has, and what it lacks, step by step."""
