"""Tests of ``client.connection``."""
