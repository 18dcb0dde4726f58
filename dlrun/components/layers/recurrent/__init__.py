"""Recurrent layers: a state is passed from step to step of a sequence."""
