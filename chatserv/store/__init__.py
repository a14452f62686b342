"""Implementations of the store port: in memory, and SQL."""
