"""Tests of ``clients.window.actions``."""
