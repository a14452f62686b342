"""Tests of ``clients.shared``."""
