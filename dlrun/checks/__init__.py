"""Reads a spec and finds everything that is wrong with it before anything runs."""
