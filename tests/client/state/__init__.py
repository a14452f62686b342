"""Tests of ``client.state``."""
