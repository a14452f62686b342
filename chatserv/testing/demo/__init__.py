"""Plays with the real programs, and the oracle that validates them."""
