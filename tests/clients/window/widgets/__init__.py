"""Tests of ``clients.window.widgets``."""
