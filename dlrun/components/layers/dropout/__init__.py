"""Noise in training: dropout and similar layers."""
