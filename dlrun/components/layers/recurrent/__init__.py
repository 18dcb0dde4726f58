"""Recurrent layers: a state goes from step to step of a sequence."""
