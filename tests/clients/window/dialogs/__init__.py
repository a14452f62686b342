"""Tests of ``clients.window.dialogs``."""
