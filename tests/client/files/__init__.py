"""Tests of ``client.outbound``."""
