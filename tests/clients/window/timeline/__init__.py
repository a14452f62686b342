"""Tests of ``clients.window.timeline``."""
