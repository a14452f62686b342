"""Tests of ``clients.plain``."""
